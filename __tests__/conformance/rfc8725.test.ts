/** RFC 8725: best current practice for JSON Web Tokens, as an API must keep it. */
import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { CompactEncrypt } from 'jose'
import { ConfigurationError } from '../../lib/index.js'
import {
  createSigningKey,
  createTestIssuer,
  SIGNING_ALGORITHMS,
  type MintOptions,
} from '../../lib/testing/test-issuer.js'
import {
  answerOf,
  encode,
  INVALID_TOKEN,
  OUTAGE,
  startApi,
  type Api,
  type ApiSettings,
} from '../support/jwt-api.js'

let api: Api
const open: Api[] = []

async function start(settings?: ApiSettings): Promise<Api> {
  const started = await startApi(settings)
  open.push(started)
  return started
}

beforeAll(async () => {
  api = await startApi({ issuer: { algorithms: ['ES256', 'RS256'] } })
})
beforeEach(() => api.as.resetRequests())
afterEach(async () => {
  jest.restoreAllMocks()
  await Promise.all(open.splice(0).map((one) => one.close()))
})
afterAll(() => api.close())

const encryptTo = (publicKey: Parameters<CompactEncrypt['encrypt']>[0], header: object, text: string) =>
  new CompactEncrypt(Buffer.from(text))
    .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', ...header })
    .encrypt(publicKey)

describe('RFC 8725: JSON Web Tokens', () => {
  it.each([
    'none',
    'noNE',
    'hs256',
    'HS256',
    'es256',
    'RS1',
    'ES256K',
    'RSA-OAEP',
    'dir',
    '',
    ' ES256',
    256,
    null,
    ['ES256'],
    { a: 1 },
    true,
  ])('R8725-01 are refused if their alg is %j', async (alg) => {
    const token = api.as.mintJwt({ header: { alg } })
    expect(answerOf(await api.get(token))).toEqual(INVALID_TOKEN)
    expect(api.reason()).toBe('algorithm_not_allowed')
    expect(api.as.count()).toBe(0)
  })

  it('R8725-01 are accepted by a list of algorithms, an issuer its own; the list cannot be turned into its opposite', async () => {
    const other = await createTestIssuer({ algorithms: ['ES256', 'RS256'] })
    const issuers = [
      { issuer: api.as.issuer, jwt: { algorithms: ['RS256'] } },
      { issuer: other.issuer, jwt: { algorithms: ['ES256'] } },
    ]
    const both = await start({ as: api.as, options: { issuers } })
    expect((await both.get(api.as.mintJwt({ alg: 'RS256' }))).status).toBe(200)
    expect((await both.get(api.as.mintJwt({ alg: 'ES256' }))).status).toBe(401)
    expect((await both.get(other.mintJwt({ alg: 'ES256' }))).status).toBe(200)
    expect((await both.get(other.mintJwt({ alg: 'RS256' }))).status).toBe(401)
    await other.close()
    for (const jwt of [{ algorithms: ['none'] }, { algorithms: [] }, { forbiddenAlgorithms: ['none'] }]) {
      await expect(startApi({ as: api.as, options: { jwt } })).rejects.toThrow(ConfigurationError)
    }
  })

  it('R8725-02 signed in another algorithm than their key names are refused', async () => {
    const { RS256: key } = api.as.keys
    expect(answerOf(await api.get(api.as.mintJwt({ key, alg: 'PS256' })))).toEqual(INVALID_TOKEN)
    expect(answerOf(await api.get(api.as.mintJwt({ key, alg: 'RS512' })))).toEqual(INVALID_TOKEN)
    expect((await api.get(api.as.mintJwt({ key }))).status).toBe(200)
  })

  it('R8725-02 signed with a public key as if it were a secret are refused', async () => {
    const pem = api.as.keys.RS256.publicKey.export({ format: 'pem', type: 'spki' })
    const key = createSecretKey(Buffer.from(pem))
    const { kid } = api.as.keys.RS256
    for (const alg of ['HS256', 'RS256']) {
      const token = api.as.mintJwt({ key, alg: 'HS256', header: { alg, kid } })
      expect(answerOf(await api.get(token))).toEqual(INVALID_TOKEN)
    }
  })

  it.each(SIGNING_ALGORITHMS)('R8725-03 in %s are accepted without any option', async (algorithm) => {
    const as = await createTestIssuer({ algorithms: [algorithm] })
    const plain = await start({ as })
    expect((await plain.get(as.mintJwt())).status).toBe(200)
    await as.close()
  })

  it.each([
    ['EdDSA', 'Ed25519'],
    ['Ed25519', 'EdDSA'],
    [undefined, 'EdDSA'],
    [undefined, 'Ed25519'],
  ])('R8725-03 with a key that says %s and a token that says %s are accepted', async (published, alg) => {
    const key = createSigningKey('Ed25519')
    const as = await createTestIssuer()
    as.publishJwks({ keys: [{ ...key.publicJwk, alg: published }] })
    const plain = await start({ as })
    expect((await plain.get(as.mintJwt({ key, header: { alg } }))).status).toBe(200)
    await as.close()
  })

  describe('R8725-04', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

    it('R8725-04 encrypted are refused where signed ones are expected, even if they could be opened', async () => {
      const token = await encryptTo(publicKey, {}, api.as.mintJwt())
      expect(answerOf(await api.get(token))).toEqual(INVALID_TOKEN)
      expect(api.reason()).toBe('encrypted_token')
      // to the very key that signs
      const own = await encryptTo(api.as.keys.RS256.publicKey, {}, api.as.mintJwt())
      expect(answerOf(await api.get(own))).toEqual(INVALID_TOKEN)
    })

    it.each<[string, () => string]>([
      ['nothing', () => ''],
      ['claims without a signature', () => JSON.stringify({ iss: api.as.issuer })],
      ['an unsigned token', () => api.as.mintJwt({ header: { alg: 'none' }, signature: '' })],
      ['a forged token', () => api.as.mintJwt({ key: createSigningKey('ES256', api.as.keys.ES256.kid) })],
      ['an expired token', () => api.as.mintJwt({ expiresInSeconds: -100 })],
      ['a token for another API', () => api.as.mintJwt({ audience: 'https://other.example' })],
      ['a token of a stranger', () => api.as.mintJwt({ claims: { iss: 'https://evil.example' } })],
    ])('R8725-04 encrypted with %s inside are refused', async (_what, inner) => {
      const opening = await start({ as: api.as, options: { jwt: { decryptionKeys: [privateKey] } } })
      expect(answerOf(await opening.get(await encryptTo(publicKey, {}, inner())))).toEqual(INVALID_TOKEN)
    })

    it('R8725-04 encrypted twice are refused', async () => {
      const opening = await start({ as: api.as, options: { jwt: { decryptionKeys: [privateKey] } } })
      const once = await encryptTo(publicKey, {}, api.as.mintJwt())
      expect((await opening.get(once)).status).toBe(200)
      expect(answerOf(await opening.get(await encryptTo(publicKey, {}, once)))).toEqual(INVALID_TOKEN)
    })
  })

  it('R8725-05 by a key whose point is not on its curve are refused', async () => {
    const key = createSigningKey('ES256', 'off')
    const as = await createTestIssuer()
    as.addJwk({ ...key.publicJwk, y: String(key.publicJwk.x) })
    const strict = await start({ as })
    expect((await strict.get(as.mintJwt())).status).toBe(200)
    expect(strict.server.health().issuers[0]?.keys).toMatchObject({ keys: 1, skippedKeys: 1 })
    expect(answerOf(await strict.get(as.mintJwt({ key })))).toEqual(INVALID_TOKEN)
    await as.close()
  })

  it('R8725-05 encrypted by an ephemeral key whose point is not on its curve are refused', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const opening = await start({ as: api.as, options: { jwt: { decryptionKeys: [privateKey] } } })
    const epk = publicKey.export({ format: 'jwk' })
    const odd = [{ ...epk, y: epk.x }, { ...epk, x: '' }, { ...epk, crv: 'P-384' }, {}, 'epk', null, [epk]]
    for (const point of odd) {
      const header = encode({ alg: 'ECDH-ES', enc: 'A128GCM', epk: point })
      const token = `${header}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA`
      expect(answerOf(await opening.get(token))).toEqual(INVALID_TOKEN)
    }
  })

  it('R8725-06 are verified with the keys of their own issuer, whatever others publish under the same kid', async () => {
    const [a, b] = [await createTestIssuer(), await createTestIssuer()]
    const [keyA, keyB] = [createSigningKey('ES256', 'k'), createSigningKey('ES256', 'k')]
    a.publishJwks({ keys: [keyA.publicJwk] })
    b.publishJwks({ keys: [keyB.publicJwk] })
    const both = await start({ as: a, options: { issuers: [a.issuer, b.issuer] } })
    expect((await both.get(a.mintJwt({ key: keyA }))).status).toBe(200)
    expect((await both.get(b.mintJwt({ key: keyB }))).status).toBe(200)
    expect(answerOf(await both.get(a.mintJwt({ key: keyB })))).toEqual(INVALID_TOKEN)
    expect(answerOf(await both.get(b.mintJwt({ key: keyA })))).toEqual(INVALID_TOKEN)
    await Promise.all([a.close(), b.close()])
  })

  it('R8725-07 of two issuers with one subject are told apart by the issuer beside it', async () => {
    const [a, b] = [await createTestIssuer(), await createTestIssuer()]
    const both = await start({ as: a, options: { issuers: [a.issuer, b.issuer] } })
    const identities = [await both.get(a.mintJwt()), await both.get(b.mintJwt())].map(
      ({ body }) => body as unknown,
    )
    expect(identities).toMatchObject([
      { issuer: a.issuer, subject: 'alice' },
      { issuer: b.issuer, subject: 'alice' },
    ])
    await Promise.all([a.close(), b.close()])
  })

  it.each([
    ['a path', '../../etc/passwd'],
    ['an address', 'http://127.0.0.1:1/jwks'],
    ['a query', "' OR 1=1 --"],
    ['ten kilobytes', 'k'.repeat(10_000)],
    ['control characters', 'a\u0000b\r\nSet-Cookie: x=y\u001b[31m'],
    ['a name of prototypes', '__proto__'],
    ['nothing', ''],
  ])('R8725-08 whose kid is %s are looked up like any other, in vain', async (_what, kid) => {
    const warnings: string[] = []
    jest.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)))
    const fresh = await start({ as: api.as, env: 'development' })
    const answer = await fresh.get(api.as.mintJwt({ header: { kid } }))
    expect(answerOf(answer)).toEqual(INVALID_TOKEN)
    expect(fresh.reason()).toBe('unknown_key')
    expect(String(fresh.events[0]?.found).length).toBeLessThanOrEqual(256)
    expect(api.as.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /.well-known/oauth-authorization-server',
      'GET /jwks',
    ])
    const stranger = api.as.mintJwt({ claims: { iss: kid } })
    expect(answerOf(await fresh.get(stranger))).toEqual(INVALID_TOKEN)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/^\P{Cc}+$/u)
  })

  it.each([1, null, ['k'], { a: 1 }, true])('R8725-08 whose kid is %j are malformed', async (kid) => {
    expect(answerOf(await api.get(api.as.mintJwt({ header: { kid } })))).toEqual(INVALID_TOKEN)
    expect(api.reason()).toBe('malformed_token')
    expect(api.as.count()).toBe(0)
  })

  it('R8725-09 have their keys fetched without cookies and credentials', async () => {
    const fresh = await start({
      as: api.as,
      options: { introspection: { clientId: 'rs', clientSecret: 'rs-secret' } },
    })
    expect((await fresh.get(api.as.mintJwt())).status).toBe(200)
    expect(api.as.requests.map(({ path }) => path)).toEqual(['metadata', 'jwks'])
    for (const { headers, body } of api.as.requests) {
      expect(Object.keys(headers).sort()).toEqual(['accept', 'accept-encoding', 'connection', 'host'])
      expect(body).toBe('')
    }
  })

  it('R8725-09 have no keys at an address with credentials in it', async () => {
    const as = await createTestIssuer()
    as.metadata['jwks_uri'] = as.jwksUri.replace('//', '//user:password@')
    const fresh = await start({ as })
    expect(answerOf(await fresh.get(as.mintJwt()))).toEqual(OUTAGE)
    expect(as.count('jwks')).toBe(0)
    await as.close()
  })

  it('R8725-09 do not lead elsewhere by a redirect of keys or metadata', async () => {
    const trap = await createTestIssuer()
    for (const endpoint of ['jwks', 'metadata'] as const) {
      const as = await createTestIssuer()
      as.fail(endpoint, { kind: 'redirect', location: trap.jwksUri })
      const fresh = await start({ as })
      expect(answerOf(await fresh.get(as.mintJwt()))).toEqual(OUTAGE)
      await as.close()
    }
    expect(trap.count()).toBe(0)
    await trap.close()
  })

  const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
  const KINDS: readonly (readonly [string, MintOptions])[] = [
    ['an ID token', { header: { typ: 'JWT' }, claims: { nonce: 'n', auth_time: 1 } }],
    ['an ID token in its own type', { header: { typ: 'id_token+jwt' } }],
    ['a logout token', { header: { typ: 'logout+jwt' }, claims: { events: { [EVENT]: {} }, sid: 's' } }],
    ['a security event', { header: { typ: 'secevent+jwt' }, claims: { events: { 'urn:x': {} } } }],
    [
      'an introspection response',
      { header: { typ: 'token-introspection+jwt' }, claims: { token_introspection: { active: true } } },
    ],
    [
      'a DPoP proof',
      { header: { typ: 'dpop+jwt' }, claims: { htm: 'GET', htu: 'https://api.example.com/' } },
    ],
    ['a status list', { header: { typ: 'statuslist+jwt' }, claims: { status_list: { bits: 1, lst: '' } } }],
    ['a client assertion', { header: { typ: 'client-authentication+jwt' } }],
    ['a request object', { header: { typ: 'oauth-authz-req+jwt' } }],
  ]

  it.each(KINDS)(
    'R8725-10 that are %s are no access tokens, good as they are otherwise',
    async (_kind, mint) => {
      expect(answerOf(await api.get(api.as.mintJwt(mint)))).toEqual(INVALID_TOKEN)
      expect(api.reason()).toBe('token_type_mismatch')
      // written in full, the type is the same type
      const typ = `application/${String(mint.header?.['typ'])}`
      expect(answerOf(await api.get(api.as.mintJwt({ ...mint, header: { typ } })))).toEqual(INVALID_TOKEN)
    },
  )

  it.each(KINDS.slice(1))('R8725-10 that are %s are none under a lax profile either', async (_kind, mint) => {
    for (const profile of ['keycloak', 'auth0', 'okta', 'entra', 'cognito', 'wso2'] as const) {
      const lax = await start({ as: api.as, options: { profile } })
      expect(answerOf(await lax.get(api.as.mintJwt(mint)))).toEqual(INVALID_TOKEN)
    }
  })

  it.each([
    ['at+jwt', 200],
    ['application/at+jwt', 200],
    ['text/at+jwt', 401],
    ['application/x/at+jwt', 401],
    ['application/application/at+jwt', 401],
    ['application/AT+JWT; x', 401],
    ['application/at+jwt; a=b/c', 401],
    ['/at+jwt', 401],
    ['application/', 401],
  ])('R8725-10 of the type %s are answered %d', async (typ, status) => {
    expect((await api.get(api.as.mintJwt({ header: { typ } }))).status).toBe(status)
  })

  it.each([1, null, ['at+jwt'], { at: 'jwt' }, true])('R8725-10 of the type %j are refused', async (typ) => {
    expect(answerOf(await api.get(api.as.mintJwt({ header: { typ } })))).toEqual(INVALID_TOKEN)
  })

  it.each([
    ['by a password', { alg: 'PBES2-HS256+A128KW', p2c: 1_200_001, p2s: 'AAAAAAAAAAA' }],
    ['by a password with a usual count', { alg: 'PBES2-HS512+A256KW', p2c: 1000, p2s: 'AAAAAAAAAAA' }],
    ['by RSA as of PKCS #1 v1.5', { alg: 'RSA1_5' }],
    ['directly', { alg: 'dir' }],
    ['by a symmetric key', { alg: 'A256KW' }],
  ])('R8725-11 encrypted %s are refused', async (_how, header) => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const opening = await start({ as: api.as, options: { jwt: { decryptionKeys: [privateKey] } } })
    const token = `${encode({ enc: 'A256GCM', ...header })}.${'A'.repeat(342)}.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA`
    expect(answerOf(await opening.get(token))).toEqual(INVALID_TOKEN)
    expect(opening.reason()).toBe('decryption_failed')
  })

  it('R8725-11 encrypted and compressed are opened up to 250 kB, and refused beyond', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const opening = await start({ as: api.as, options: { jwt: { decryptionKeys: [privateKey] } } })
    const compressed = (padding: number) =>
      encryptTo(publicKey, { zip: 'DEF' }, api.as.mintJwt({ claims: { padding: 'x'.repeat(padding) } }))
    expect((await opening.get(await compressed(1000))).status).toBe(200)
    const bomb = await compressed(1_000_000)
    expect(bomb.length).toBeLessThan(16_384)
    expect(answerOf(await opening.get(bomb))).toEqual(INVALID_TOKEN)
    expect(opening.reason()).toBe('decryption_failed')
  })

  it.each(['+', '/', '~', '.'])('R8725-11 with %s among their claims are no JWTs', async (character) => {
    const token = api.as.mintJwt()
    const at = token.indexOf('.') + 20
    const answer = await api.get(`${token.slice(0, at)}${character}${token.slice(at + 1)}`)
    expect(answerOf(answer)).toEqual(INVALID_TOKEN)
    expect(['malformed_token', 'opaque_not_accepted']).toContain(api.reason())
    expect(api.as.count()).toBe(0)
  })
})
