import { createPrivateKey } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { Agent } from 'undici'
import { ConfigurationError } from '../../../lib/core/errors.js'
import { resolveOptions, type ResourceServerOptions } from '../../../lib/core/options/options.js'
import { createSigningKey, createTestCertificate } from '../../../lib/testing/test-issuer.js'

const resolve = (introspection: object, options: Partial<ResourceServerOptions> = {}) =>
  resolveOptions({
    resource: 'https://api.example.com',
    issuer: 'https://login.example.com',
    introspection,
    ...options,
  }).issuers[0]?.introspection
const client = { clientId: 'rs', clientSecret: 'a-hidden-secret' }
const certificate = createTestCertificate()
const { cert, key } = certificate
const errorOf = (introspection: object, options?: Partial<ResourceServerOptions>) => {
  try {
    resolve(introspection, options)
  } catch (error) {
    return error as ConfigurationError
  }
  throw new Error('it was accepted')
}

describe('the options of introspection', () => {
  it('have defaults', () => {
    expect(resolve(client)).toEqual({
      ...client,
      endpoint: undefined,
      privateKey: undefined,
      clientCertificate: undefined,
      bearerToken: undefined,
      authMethod: undefined,
      cacheTtlSeconds: 30,
      negativeCacheTtlSeconds: 5,
      staleIfErrorSeconds: 0,
      timeoutMs: 2000,
      cacheMaxEntries: 10_000,
      allowMissingAudience: false,
      tokenTypeHint: true,
      signedResponse: undefined,
      maxConcurrent: 100,
      breaker: { failures: 10, trialSeconds: 5 },
    })
  })

  it.each([
    ['cacheTtlSeconds', 0, 3600],
    ['negativeCacheTtlSeconds', 0, 300],
    ['staleIfErrorSeconds', 0, 3600],
    ['timeoutMs', 50, 60_000],
    ['cacheMaxEntries', 0, 1_000_000],
    ['maxConcurrent', 1, 10_000],
  ])('hold %s between %i and %i', (name, minimum, maximum) => {
    expect(resolve({ ...client, [name]: minimum })).toMatchObject({ [name]: minimum })
    expect(resolve({ ...client, [name]: maximum })).toMatchObject({ [name]: maximum })
    for (const value of [minimum - 1, maximum + 1, 1.5, '1', null, NaN]) {
      const error = errorOf({ ...client, [name]: value })
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(error.message).toContain(
        `introspection.${name} must be a whole number from ${minimum} to ${maximum}`,
      )
    }
  })

  it.each([
    [{ failures: 0 }, 'introspection.breaker.failures'],
    [{ trialSeconds: 301 }, 'introspection.breaker.trialSeconds'],
    [{ failure: 1 }, 'introspection.breaker.failure'],
  ])('hold the circuit breaker: %j', (breaker, path) => {
    expect(errorOf({ ...client, breaker }).path).toBe(path)
    expect(resolve({ ...client, breaker: { failures: 2 } })?.breaker).toEqual({
      failures: 2,
      trialSeconds: 5,
    })
  })
})

describe('signedResponse', () => {
  it('is addressed to the resource and the client, and to whom else the options name', () => {
    const audience = ['https://api.example.com', 'rs']
    const defaults = { algorithms: undefined, maxAgeSeconds: 60, audience }
    expect(resolve({ ...client, signedResponse: true })?.signedResponse).toEqual(defaults)
    expect(resolve({ ...client, signedResponse: {} })?.signedResponse).toEqual(defaults)
    expect(resolve({ ...client, signedResponse: false })?.signedResponse).toBeUndefined()
    const signedResponse = { algorithms: ['ES256'], maxAgeSeconds: 5, audience: ['a', 'b'] }
    expect(resolve({ ...client, signedResponse })?.signedResponse).toEqual({
      ...signedResponse,
      audience: [...audience, 'a', 'b'],
    })
  })

  it.each([
    [{ algorithms: ['none'] }, 'algorithms'],
    [{ algorithms: ['HS256'] }, 'algorithms'],
    [{ maxAgeSeconds: 3601 }, 'maxAgeSeconds'],
    [{ audience: '' }, 'audience'],
    [{ aud: 'rs' }, 'aud'],
  ])('is refused as %j', (signedResponse, name) => {
    expect(errorOf({ ...client, signedResponse }).path).toBe(`introspection.signedResponse.${name}`)
  })
})

describe('the credential', () => {
  const privateKey = createSigningKey('ES256').privateKey

  it.each<[string, object, Partial<ResourceServerOptions>]>([
    ['a secret', client, {}],
    ['a private key', { clientId: 'rs', privateKey }, {}],
    ['a certificate', { clientId: 'rs', clientCertificate: { cert, key } }, {}],
    [
      'a certificate as bytes',
      { clientId: 'rs', clientCertificate: { cert: Buffer.from(cert), key: Buffer.from(key) } },
      {},
    ],
    [
      'a self-signed certificate',
      { clientId: 'rs', clientCertificate: { cert, key }, authMethod: 'self_signed_tls_client_auth' },
      {},
    ],
    [
      'a certificate of the dispatcher',
      { clientId: 'rs', authMethod: 'tls_client_auth' },
      { dispatcher: new Agent() },
    ],
    ['a bearer token', { bearerToken: 'a.b' }, {}],
    ['a function for one', { bearerToken: () => 'a.b' }, {}],
    ['a bearer token of a named client', { clientId: 'rs', bearerToken: 'a.b' }, {}],
  ])('may be %s', (_what, introspection, options) => {
    expect(resolve(introspection, options)).toMatchObject(introspection)
  })

  const other = createPrivateKey(createTestCertificate().key).export({ type: 'pkcs8', format: 'pem' })
  it.each<[string, object, Partial<ResourceServerOptions>, string, RegExp]>([
    ['none', { clientId: 'rs' }, {}, '', /needs one of .* received none/],
    ['two', { ...client, privateKey }, {}, '', /received clientSecret and privateKey/],
    ['a secret of nobody', { clientSecret: 's' }, {}, '.clientId', /must be a string/],
    ['an empty secret', { clientId: 'rs', clientSecret: '' }, {}, '.clientSecret', /not shown/],
    [
      'a key without its method',
      { clientId: 'rs', privateKey, authMethod: 'client_secret_jwt' },
      {},
      '.authMethod',
      /needs clientSecret/,
    ],
    [
      'a secret with a TLS method',
      { ...client, authMethod: 'tls_client_auth' },
      {},
      '.authMethod',
      /needs clientCertificate/,
    ],
    [
      'a bearer token with a method',
      { bearerToken: 't', clientId: 'rs', authMethod: 'client_secret_basic' },
      {},
      '.authMethod',
      /needs clientSecret/,
    ],
    [
      'a bearer token with a TLS method',
      { bearerToken: 't', clientId: 'rs', authMethod: 'tls_client_auth' },
      {},
      '.authMethod',
      /needs clientCertificate/,
    ],
    ['a bearer token that cannot be sent', { bearerToken: 'a b' }, {}, '.bearerToken', /not shown/],
    [
      'a TLS method and nobody to show a certificate',
      { clientId: 'rs', authMethod: 'tls_client_auth' },
      {},
      '.clientCertificate',
      /is needed by authMethod/,
    ],
    [
      'a certificate beside a dispatcher',
      { clientId: 'rs', clientCertificate: { cert, key } },
      { dispatcher: new Agent() },
      '.clientCertificate',
      /cannot be shown by the dispatcher/,
    ],
    [
      'a certificate with another’s key',
      { clientId: 'rs', clientCertificate: { cert, key: other } },
      {},
      '.clientCertificate',
      /its unencrypted private key/,
    ],
    [
      'a certificate without a key',
      { clientId: 'rs', clientCertificate: { cert } },
      {},
      '.clientCertificate.key',
      /must be a text in PEM/,
    ],
    [
      'a certificate that is none',
      { clientId: 'rs', clientCertificate: { cert: 'x', key } },
      {},
      '.clientCertificate.cert',
      /must be a text in PEM/,
    ],
    [
      'a key that is none',
      { clientId: 'rs', privateKey: 'no key' },
      {},
      '.privateKey',
      /must be a private key/,
    ],
  ])('cannot be %s', (_what, introspection, options, path, message) => {
    const error = errorOf(introspection, options)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.path).toBe(`introspection${path}`)
    expect(error.message).toMatch(message)
    expect(error.message).not.toMatch(/a-hidden-secret|PRIVATE KEY|no key/)
  })
})
