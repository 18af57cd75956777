/** Where metadata is looked for, and what of it is used. */
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from '@jest/globals'
import { createDiscovery, isLoopback, metadataUrls } from '../../../lib/core/issuer/discovery.js'
import { HttpFailure, type HttpResponse } from '../../../lib/core/io/http.js'

const { issuers } = JSON.parse(readFileSync('__tests__/vectors/metadata-urls.json', 'utf8')) as {
  issuers: { issuer: string; oauth: string; oidc: string; oidc_inserted?: string }[]
}

describe('metadataUrls', () => {
  it.each(issuers)('knows where the metadata of $issuer may be', ({ issuer, oauth, oidc, oidc_inserted }) => {
    const urls = metadataUrls(issuer)
    expect(urls.slice(0, 2)).toEqual([oauth, oidc])
    if (oidc_inserted !== undefined) expect(urls[2]).toBe(oidc_inserted)
    expect(new Set(urls).size).toBe(urls.length)
  })
})

const issuer = 'https://login.example.com'
const closing: (() => void)[] = []
afterEach(() => closing.splice(0).forEach((close) => close()))

function discover(answers: Record<string, Partial<HttpResponse> | Error>, options = {}) {
  const asked: { url: string; timeoutMs: number }[] = []
  const discovery = createDiscovery({
    issuer,
    metadata: { url: undefined, allowedHosts: undefined, refreshSeconds: 3600, timeoutMs: 5000 },
    allowInsecureHttp: false,
    send: ({ url, timeoutMs }) => {
      asked.push({ url, timeoutMs })
      const answer = answers[url] ?? { status: 404 }
      if (answer instanceof Error) return Promise.reject(answer)
      return Promise.resolve({ status: 200, headers: {}, body: '', ...answer })
    },
    ...options,
  })
  closing.push(() => discovery.close())
  return { discovery, asked }
}

const [OAUTH, OIDC] = metadataUrls(issuer) as [string, string]
const document = (members: object) => ({ body: JSON.stringify({ issuer, ...members }) })

describe('createDiscovery', () => {
  it('reads the addresses and the methods of introspection, and nothing else', async () => {
    const { discovery } = discover({
      [OAUTH]: document({
        jwks_uri: `${issuer}/jwks`,
        introspection_endpoint: `${issuer}/introspect`,
        introspection_endpoint_auth_methods_supported: ['private_key_jwt', 1],
        token_endpoint: 'http://evil.example',
      }),
    })
    expect(await discovery.get()).toEqual({
      jwksUri: `${issuer}/jwks`,
      introspectionEndpoint: `${issuer}/introspect`,
      introspectionAuthMethods: ['private_key_jwt'],
    })
  })

  it('takes the methods of the token endpoint where introspection names none', async () => {
    const { discovery } = discover({ [OAUTH]: document({ token_endpoint_auth_methods_supported: ['none'] }) })
    expect(await discovery.get()).toEqual({
      jwksUri: undefined,
      introspectionEndpoint: undefined,
      introspectionAuthMethods: ['none'],
    })
  })

  it("passes over another issuer's document, and says so if it finds no better one", async () => {
    const stranger = { body: JSON.stringify({ issuer: 'https://evil.example' }) }
    const { discovery } = discover({ [OAUTH]: stranger, [OIDC]: document({}) })
    expect(await discovery.get()).toMatchObject({ jwksUri: undefined })
    await expect(discover({ [OAUTH]: stranger }).discovery.get()).rejects.toMatchObject({
      reason: 'metadata_unusable',
      evidence: { expected: issuer, found: 'https://evil.example', name: OAUTH },
    })
  })

  it('does not look elsewhere when a server cannot be reached', async () => {
    const { discovery, asked } = discover({
      [OAUTH]: new HttpFailure('timeout', 'late'),
      [OIDC]: document({}),
    })
    await expect(discovery.get()).rejects.toMatchObject({ reason: 'metadata_unavailable' })
    expect(asked).toHaveLength(1)
  })

  it('looks at all addresses within one deadline', async () => {
    const { discovery, asked } = discover({})
    await expect(discovery.get()).rejects.toMatchObject({ reason: 'metadata_unavailable' })
    expect(asked.map(({ url }) => url)).toEqual(metadataUrls(issuer))
    for (const { timeoutMs } of asked) expect(timeoutMs).toBeLessThanOrEqual(5000)
  })

  it('looks only where it is told', async () => {
    const url = 'https://cdn.example.com/metadata'
    const metadata = { url, refreshSeconds: 3600, timeoutMs: 5000 }
    const { discovery, asked } = discover({ [url]: document({}) }, { metadata })
    await discovery.get()
    expect(asked.map((one) => one.url)).toEqual([url])
  })

  it('takes http: addresses with the named option only', async () => {
    const answers = { [OAUTH]: document({ jwks_uri: 'http://login.example.com/jwks' }) }
    await expect(discover(answers).discovery.get()).rejects.toMatchObject({ reason: 'metadata_unusable' })
    const insecure = discover(answers, { allowInsecureHttp: true })
    expect(await insecure.discovery.get()).toMatchObject({ jwksUri: 'http://login.example.com/jwks' })
  })

  it('takes no http: address on this machine from an issuer that is elsewhere', async () => {
    const { discovery } = discover({ [OAUTH]: document({ jwks_uri: 'http://127.0.0.1/jwks' }) })
    await expect(discovery.get()).rejects.toMatchObject({ reason: 'metadata_unusable' })
  })
})

describe('isLoopback', () => {
  it.each([
    ['localhost', true],
    ['a.localhost', true],
    ['127.0.0.1', true],
    ['127.255.0.1', true],
    ['[::1]', true],
    ['localhost.example', false],
    ['notlocalhost', false],
    ['127.0.0.1.example', false],
    ['10.0.0.1', false],
    ['0.0.0.0', false],
    ['[::ffff:7f00:1]', false],
  ])('%s: %p', (host, expected) => {
    expect(isLoopback(host)).toBe(expected)
  })
})
