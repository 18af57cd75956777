/** RFC 9068: self-contained access tokens, as a resource server must take them. */
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { CompactEncrypt } from 'jose'
import { ConfigurationError, resourceServer } from '../../lib/index.js'
import { createTestIssuer, type MintOptions } from '../../lib/testing/test-issuer.js'
import { answerOf, INVALID_TOKEN, RESOURCE, startApi, type Api } from '../support/jwt-api.js'

let api: Api

beforeAll(async () => {
  api = await startApi({ options: { introspection: { clientId: 'rs', clientSecret: 'rs-secret' } } })
})
beforeEach(() => api.as.resetRequests())
afterAll(() => api.close())

const get = (mint: MintOptions = {}, path?: string) => api.get(api.as.mintJwt(mint), path)

async function expectRefused(mint: MintOptions, reason: string): Promise<void> {
  expect(answerOf(await get(mint))).toEqual(INVALID_TOKEN)
  expect(api.reason()).toBe(reason)
}

describe('RFC 9068 §4: a self-contained access token', () => {
  it.each(['at+jwt', 'at+JWT', 'AT+JWT', 'application/at+jwt', 'Application/At+Jwt'])(
    'R9068-01 may be of the type %s',
    async (typ) => {
      expect((await get({ header: { typ } })).status).toBe(200)
    },
  )

  it.each([
    'JWT',
    undefined,
    'id_token+jwt',
    'logout+jwt',
    'secevent+jwt',
    'dpop+jwt',
    '',
    'at+jwt ',
    'at+jwt; x',
  ])('R9068-01 is refused if its type is %p', (typ) =>
    expectRefused({ header: { typ } }, 'token_type_mismatch'),
  )

  it('R9068-01 may be of another type where a profile that says so is named', async () => {
    const relaxed = await startApi({ as: api.as, options: { profile: { types: ['', 'JWT'] } } })
    for (const typ of ['JWT', undefined]) {
      expect((await relaxed.get(api.as.mintJwt({ header: { typ } }))).status).toBe(200)
    }
    expect((await relaxed.get(api.as.mintJwt())).status).toBe(401)
    await relaxed.close()
  })

  it.each([
    ['a trailing slash', (iss: string) => `${iss}/`],
    ['another case', (iss: string) => iss.replace('http', 'HTTP')],
    ['a percent-encoded character', (iss: string) => iss.replace('127', '%3127')],
    ['white space', (iss: string) => `${iss} `],
    ['a decomposed character', () => 'https://login.exa\u0301mple.com'],
    ['another host', () => 'https://evil.example'],
  ])('R9068-02 is refused if its issuer has %s, and nobody is asked', async (_what, change) => {
    await expectRefused({ claims: { iss: change(api.as.issuer) } }, 'untrusted_issuer')
    expect(api.as.count()).toBe(0)
  })

  it('R9068-02 has an issuer whose default port is written or not, exactly as configured', async () => {
    const issuer = 'https://login.example.com'
    const other = await startApi({
      as: api.as,
      options: { issuers: [{ issuer, jwks: { uri: api.as.jwksUri } }] },
    })
    expect((await other.get(api.as.mintJwt({ claims: { iss: issuer } }))).status).toBe(200)
    expect((await other.get(api.as.mintJwt({ claims: { iss: `${issuer}:443` } }))).status).toBe(401)
    await other.close()
  })

  it.each([[RESOURCE], [['https://other.example', RESOURCE]]])(
    'R9068-03 may be meant for %j',
    async (aud) => {
      expect((await get({ claims: { aud } })).status).toBe(200)
    },
  )

  it.each([
    ['absent', undefined, 'missing_claim'],
    ['an empty list', [], 'audience_mismatch'],
    ['another', 'https://other.example', 'audience_mismatch'],
    ['a part of ours', RESOURCE.slice(0, -1), 'audience_mismatch'],
    ['longer than ours', `${RESOURCE}/`, 'audience_mismatch'],
    ['in other letters', RESOURCE.toUpperCase(), 'audience_mismatch'],
    ['no string', { [RESOURCE]: RESOURCE }, 'malformed_claim'],
  ])('R9068-03 is refused if its audience is %s', (_what, aud, reason) =>
    expectRefused({ claims: { aud } }, reason),
  )

  it('R9068-03 cannot be accepted without an audience: there is no starting without one', () => {
    const { issuer } = api.as
    for (const audience of [[], '', null]) {
      expect(() => resourceServer({ resource: RESOURCE, issuer, audience: audience as string })).toThrow(
        ConfigurationError,
      )
    }
    expect(() => resourceServer({ issuer } as never)).toThrow(ConfigurationError)
  })

  it.each(['none', 'None', 'NONE', 'nOnE'])(
    'R9068-04 is refused if its algorithm is %s, signed or not, and no key is fetched',
    async (alg) => {
      const fresh = await startApi({ as: api.as })
      for (const signature of ['', 'AAAA', undefined]) {
        const signing = signature === undefined ? {} : { signature }
        const token = api.as.mintJwt({ header: { alg }, ...signing })
        expect(answerOf(await fresh.get(token))).toEqual(INVALID_TOKEN)
        expect(fresh.reason()).toBe('algorithm_not_allowed')
      }
      expect(api.as.count()).toBe(0)
      await fresh.close()
    },
  )

  it('R9068-05 is refused if another trusted issuer has signed it, even under a name that both use', async () => {
    const other = await createTestIssuer()
    const both = await startApi({ as: api.as, options: { issuers: [api.as.issuer, other.issuer] } })
    const { ES256: key } = other.keys
    expect((await both.get(other.mintJwt())).status).toBe(200)
    for (const kid of [key.kid, api.as.keys.ES256.kid, undefined]) {
      const token = api.as.mintJwt({ key, header: { kid } })
      expect(answerOf(await both.get(token))).toEqual(INVALID_TOKEN)
    }
    await both.close()
    await other.close()
  })

  it.each([
    [30, -29, 200],
    [30, -31, 401],
    [0, -1, 401],
    [300, -290, 200],
    [300, -301, 401],
  ])(
    'R9068-06 with %d s of tolerance and %d s to live is answered %d',
    async (tolerance, seconds, status) => {
      const tolerant = await startApi({ as: api.as, options: { jwt: { clockToleranceSeconds: tolerance } } })
      expect((await tolerant.get(api.as.mintJwt({ expiresInSeconds: seconds }))).status).toBe(status)
      if (status === 401) expect(tolerant.reason()).toBe('expired')
      await tolerant.close()
    },
  )

  it('R9068-06 knows no tolerance above 300 s', () => {
    const options = { resource: RESOURCE, issuer: api.as.issuer, jwt: { clockToleranceSeconds: 301 } }
    expect(() => resourceServer(options)).toThrow(/clockToleranceSeconds.*0 to 300/)
  })

  describe.each(['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'])('whose %s', (name) => {
    it('R9068-07 is missing is refused', () =>
      expectRefused({ claims: { [name]: undefined } }, name === 'iss' ? 'untrusted_issuer' : 'missing_claim'))

    it.each([[null], [true], [{}], [''], [['x', 1]]])('R9068-07 is %j is refused', async (value) => {
      expect(answerOf(await get({ claims: { [name]: value } }))).toEqual(INVALID_TOKEN)
    })
  })

  it('R9068-07 may lack what a profile waives, but never iss and exp', async () => {
    const waived = await startApi({ as: api.as, options: { profile: { requiredClaims: [] } } })
    const without = (...names: string[]) =>
      api.as.mintJwt({ claims: Object.fromEntries(names.map((name) => [name, undefined])) })
    expect((await waived.get(without('sub', 'client_id', 'iat', 'jti'))).status).toBe(200)
    for (const name of ['iss', 'exp', 'aud']) {
      expect(answerOf(await waived.get(without(name)))).toEqual(INVALID_TOKEN)
    }
    await waived.close()
  })

  it.each([
    ['its form', (token: string) => `${token.slice(0, 40)}!`.replace('!', '.e30.AA')],
    [
      'its signature',
      (token: string) => token.replace(/[^.]+$/, (signature) => 'A'.repeat(signature.length)),
    ],
    ['its claims', (token: string) => token.replace(/\.[^.]+\./, '.e30.')],
  ])('R9068-08 that fails by %s is answered 401 invalid_token', async (_what, spoil) => {
    expect(answerOf(await api.get(spoil(api.as.mintJwt())))).toEqual(INVALID_TOKEN)
  })

  it('R9068-09 must come encrypted where that is agreed, and is verified inside', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const encrypted = await startApi({ as: api.as, options: { jwt: { decryptionKeys: [privateKey] } } })
    const encrypt = (token: string) =>
      new CompactEncrypt(Buffer.from(token))
        .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', cty: 'JWT' })
        .encrypt(publicKey)

    expect((await encrypted.get(await encrypt(api.as.mintJwt()))).status).toBe(200)
    expect(answerOf(await encrypted.get(api.as.mintJwt()))).toEqual(INVALID_TOKEN)
    expect(encrypted.reason()).toBe('not_encrypted')
    const forged = api.as.mintJwt({ signature: 'A'.repeat(86) })
    expect(answerOf(await encrypted.get(await encrypt(forged)))).toEqual(INVALID_TOKEN)
    expect(encrypted.reason()).toBe('invalid_signature')
    await encrypted.close()
  })

  it('R9068-10 shows scope, groups, roles and entitlements to guards as given', async () => {
    const claims = { groups: ['a', { value: 'b' }], roles: ['admin'], entitlements: { x: 1 } }
    const token = api.as.mintJwt({ scope: 'read write', claims })
    const { body } = await api.get(token)
    expect(body).toMatchObject({ scopes: ['read', 'write'], claims })
    expect((await api.get(token, '/write')).status).toBe(200)
    expect((await api.get(token, '/admin')).status).toBe(200)
  })

  it('R9068-10 that is valid and lacks what a guard wants is answered 403', async () => {
    expect((await get({ claims: { roles: ['user'] } }, '/admin')).status).toBe(403)
    const answer = await get({ scope: 'read' }, '/write')
    expect(answerOf(answer)).toEqual({
      status: 403,
      challenge: 'insufficient_scope',
      body: 'insufficient_scope',
    })
  })

  it.each([
    ['by its own type', { typ: 'JWT' }, 'rfc9068'],
    ['even in the type of access tokens', { typ: 'at+jwt' }, 'rfc9068'],
    ['where the type says nothing', { typ: 'JWT' }, 'auth0'],
  ] as const)('R9068-11 is not an ID token of the same issuer, %s', async (_what, header, profile) => {
    const lax = await startApi({ as: api.as, options: { profile } })
    const token = api.as.mintJwt({ header, audience: 'app', claims: { nonce: 'n', at_hash: 'h' } })
    expect(answerOf(await lax.get(token))).toEqual(INVALID_TOKEN)
    // not even where the API is its own client
    const own = api.as.mintJwt({ header: { typ: 'JWT' }, claims: { nonce: 'n' } })
    expect(answerOf(await lax.get(own))).toEqual(INVALID_TOKEN)
    await lax.close()
  })

  it.each<[string, MintOptions]>([
    ['expired', { expiresInSeconds: -100 }],
    ['of another issuer', { claims: { iss: 'https://evil.example' } }],
    ['for another audience', { audience: 'https://other.example' }],
    ['of another type', { header: { typ: 'JWT' } }],
    ['of another algorithm', { header: { alg: 'HS256' } }],
    ['not yet valid', { claims: { nbf: 4e9 } }],
    ['short of a claim', { claims: { sub: undefined } }],
    ['with a critical extension', { header: { crit: ['x'], x: 1 } }],
  ])('R9068-12 that is %s is refused before anything is fetched', async (_what, mint) => {
    const fresh = await startApi({
      as: api.as,
      options: { introspection: { clientId: 'rs', clientSecret: 'rs-secret' } },
    })
    expect(answerOf(await fresh.get(api.as.mintJwt(mint)))).toEqual(INVALID_TOKEN)
    expect(api.as.count()).toBe(0)
    await fresh.close()
  })
})
