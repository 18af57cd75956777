import { createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { decodeProtectedHeader, jwtVerify } from 'jose'
import {
  BearerTokenFailure,
  createClientAuthentication,
  isBearerToken,
  type ClientCredentials,
} from '../../../lib/core/token/client-authentication.js'
import { createSigningKey } from '../../../lib/testing/test-issuer.js'
import { createClock, type Clock } from '../../support/opaque-api.js'

const ISSUER = 'https://login.example.com'
const NONE: ClientCredentials = {
  clientId: 'rs',
  clientSecret: undefined,
  privateKey: undefined,
  clientCertificate: undefined,
  bearerToken: undefined,
  authMethod: undefined,
}
const prove = (credentials: Partial<ClientCredentials>, supported?: readonly string[]) =>
  createClientAuthentication({ ...NONE, ...credentials }, ISSUER)(supported)

let clock: Clock
beforeEach(() => {
  clock = createClock()
})
afterEach(() => clock.restore())

describe('client_secret_basic', () => {
  it.each([
    ['rs', 'secret', 'rs:secret'],
    ['rs:1', 's:2', 'rs%3A1:s%3A2'],
    ['my client', 'my secret', 'my+client:my+secret'],
    ['100%', 'a+b', '100%25:a%2Bb'],
    ['é', '€&=/', '%C3%A9:%E2%82%AC%26%3D%2F'],
    ['~', "*-._!'()", '%7E:*-._%21%27%28%29'],
  ])('form-encodes %j and %j before it joins them', async (clientId, clientSecret, pair) => {
    const { headers, parameters } = await prove({ clientId, clientSecret, authMethod: 'client_secret_basic' })
    const encoded = /^Basic (.+)$/.exec(headers['authorization'] ?? '')?.[1] ?? ''
    expect(Buffer.from(encoded, 'base64').toString()).toBe(pair)
    expect(parameters).toEqual({})
  })
})

describe('client_secret_post', () => {
  it('sends both in the form', async () => {
    expect(await prove({ clientSecret: 's:%', authMethod: 'client_secret_post' })).toEqual({
      headers: {},
      parameters: { client_id: 'rs', client_secret: 's:%' },
    })
  })
})

describe('a secret without a method', () => {
  it.each([
    [undefined, 'basic'],
    [[], 'basic'],
    [['client_secret_basic', 'client_secret_post'], 'basic'],
    [['private_key_jwt'], 'basic'],
    [['client_secret_post', 'private_key_jwt'], 'post'],
  ])('is sent, where the metadata names %j, by %s', async (supported, method) => {
    const { headers } = await prove({ clientSecret: 's' }, supported)
    expect('authorization' in headers ? 'basic' : 'post').toBe(method)
  })
})

describe('an assertion', () => {
  const assertionOf = async (credentials: Partial<ClientCredentials>) => {
    const { headers, parameters } = await prove(credentials)
    expect(headers).toEqual({})
    expect(parameters).toMatchObject({
      client_id: 'rs',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    })
    return parameters['client_assertion'] ?? ''
  }

  it.each([
    ['RS256', 'RS256'],
    ['ES256', 'ES256'],
    ['ES384', 'ES384'],
    ['ES512', 'ES512'],
    ['Ed25519', 'EdDSA'],
  ] as const)('is signed with a key for %s as %s', async (kind, alg) => {
    const key = createSigningKey(kind)
    const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    for (const privateKey of [key.privateKey, pem, key.privateKey.export({ format: 'jwk' })]) {
      const assertion = await assertionOf({ privateKey })
      expect(decodeProtectedHeader(assertion).alg).toBe(alg)
      await expect(jwtVerify(assertion, key.publicKey)).resolves.toBeDefined()
    }
  })

  it('is signed as a JWK names it', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const jwk = { ...privateKey.export({ format: 'jwk' }), alg: 'PS256', kid: 'mine' }
    const assertion = await assertionOf({ privateKey: jwk })
    expect(decodeProtectedHeader(assertion)).toEqual({ alg: 'PS256', kid: 'mine' })
    await expect(jwtVerify(assertion, createPublicKey(privateKey))).resolves.toBeDefined()
  })

  it('is for the issuer, for a minute, and for once', async () => {
    const key = createSigningKey('ES256')
    const authenticate = createClientAuthentication({ ...NONE, privateKey: key.privateKey }, ISSUER)
    const claims = []
    for (let time = 0; time < 2; time += 1) {
      const { parameters } = await authenticate(undefined)
      claims.push((await jwtVerify(parameters['client_assertion'] ?? '', key.publicKey)).payload)
    }
    const [first, second] = claims
    expect(first).toMatchObject({ iss: 'rs', sub: 'rs', aud: ISSUER })
    expect((first?.exp ?? 0) - (first?.iat ?? 0)).toBe(60)
    expect(Math.abs((first?.iat ?? 0) - Date.now() / 1000)).toBeLessThan(5)
    expect(first?.jti).toMatch(/.{16,}/)
    expect(first?.jti).not.toBe(second?.jti)
  })

  it('has the time of its own making', async () => {
    const key = createSigningKey('ES256')
    const authenticate = createClientAuthentication({ ...NONE, privateKey: key.privateKey }, ISSUER)
    clock.advance(3600)
    const { parameters } = await authenticate(undefined)
    const currentDate = new Date(Date.now())
    await expect(
      jwtVerify(parameters['client_assertion'] ?? '', key.publicKey, { currentDate, maxTokenAge: 10 }),
    ).resolves.toBeDefined()
  })

  it('is signed with the secret', async () => {
    const clientSecret = 'a secret of more than thirty-two bytes, é'
    const assertion = await assertionOf({ clientSecret, authMethod: 'client_secret_jwt' })
    await expect(jwtVerify(assertion, createSecretKey(clientSecret, 'utf8'))).resolves.toMatchObject({
      protectedHeader: { alg: 'HS256' },
    })
  })

  it.each([
    ['a public key', () => createSigningKey('ES256').publicKey],
    ['a key for agreement', () => generateKeyPairSync('x25519').privateKey],
    ['no key', () => 'no key'],
  ])('cannot be signed with %s', (_what, key) => {
    expect(() => createClientAuthentication({ ...NONE, privateKey: key() }, ISSUER)).toThrow()
  })
})

describe('a certificate', () => {
  it.each([
    [{ clientCertificate: { cert: 'c', key: 'k' } }],
    [{ authMethod: 'tls_client_auth' as const }],
    [{ authMethod: 'self_signed_tls_client_auth' as const }],
  ])('needs the name of the client in the form, and nothing else: %j', async (credentials) => {
    expect(await prove(credentials)).toEqual({ headers: {}, parameters: { client_id: 'rs' } })
  })
})

describe('a bearer token', () => {
  it('is sent as it is', async () => {
    expect(await prove({ bearerToken: 'a.b-c==' })).toEqual({
      headers: { authorization: 'Bearer a.b-c==' },
      parameters: {},
    })
  })

  it('is asked for anew for each call', async () => {
    let calls = 0
    const authenticate = createClientAuthentication(
      { ...NONE, bearerToken: () => `t${(calls += 1)}` },
      ISSUER,
    )
    expect([await authenticate(undefined), await authenticate(undefined)]).toMatchObject([
      { headers: { authorization: 'Bearer t1' } },
      { headers: { authorization: 'Bearer t2' } },
    ])
  })

  it.each<[string, () => string | Promise<string>]>([
    [
      'throws',
      () => {
        throw new Error('no token')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no token'))],
    ['returns nothing', () => ''],
    ['returns no string', () => undefined as unknown as string],
    ['returns what cannot stand in a header', () => 'a\r\nx-evil: 1'],
  ])('is a failure with a name if the function %s', async (_what, bearerToken) => {
    const failure: unknown = await Promise.resolve(prove({ bearerToken })).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(BearerTokenFailure)
    expect((failure as Error).message).not.toContain('evil')
  })

  it.each(['', 'a b', 'a\n', 'é', '=a', 7, null])('cannot be %j', (value) => {
    expect(isBearerToken(value)).toBe(false)
  })
})
