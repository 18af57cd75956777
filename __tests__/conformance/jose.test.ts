/** RFC 7515, 7517, 7518, 7519: the forms and keys of self-contained tokens, as an API meets them over HTTP. */
import { createPublicKey, createSecretKey, generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { Agent } from 'undici'
import { createSigningKey, createTestIssuer, type MintOptions } from '../../lib/testing/test-issuer.js'
import {
  answerOf,
  encode,
  INVALID_TOKEN,
  OUTAGE,
  RESOURCE,
  startApi,
  until,
  type Api,
  type ApiSettings,
} from '../support/jwt-api.js'
import { certificate, privateKey } from '../support/self-signed.js'

let api: Api
const open: Api[] = []

async function start(settings?: ApiSettings): Promise<Api> {
  const started = await startApi(settings)
  open.push(started)
  return started
}

beforeAll(async () => {
  api = await startApi()
})
beforeEach(() => api.as.resetRequests())
afterEach(async () => {
  jest.restoreAllMocks()
  await Promise.all(open.splice(0).map((one) => one.close()))
})
afterAll(() => api.close())

const get = (mint: MintOptions = {}) => api.get(api.as.mintJwt(mint))

async function expectRefused(token: string, reason: string): Promise<void> {
  expect(answerOf(await api.get(token))).toEqual(INVALID_TOKEN)
  expect(api.reason()).toBe(reason)
}

const HEADER = { typ: 'at+jwt', alg: 'ES256' }
const goodClaims = () => {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: api.as.issuer,
    aud: RESOURCE,
    sub: 'alice',
    client_id: 'app',
    iat: now,
    exp: now + 600,
    jti: 'j',
  }
}
const withMember = (json: object, member: string) => JSON.stringify(json).replace(/\}$/, `,${member}}`)

/** Moves the clock that the API reads; sockets and timers keep their own. */
function advance(seconds: number): void {
  const now = Date.now() + seconds * 1000
  jest.spyOn(Date, 'now').mockReturnValue(now)
}

describe('RFC 7519: a JSON Web Token', () => {
  it.each([
    ['an array for claims', JSON.stringify(HEADER), '[]'],
    ['null for claims', JSON.stringify(HEADER), 'null'],
    ['a number for claims', JSON.stringify(HEADER), '1'],
    ['a string for claims', JSON.stringify(HEADER), '"x"'],
    ['no JSON for claims', JSON.stringify(HEADER), '{'],
    ['nothing for claims', JSON.stringify(HEADER), ''],
    ['invalid UTF-8 in the claims', JSON.stringify(HEADER), Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
    ['a byte order mark before the claims', JSON.stringify(HEADER), '\uFEFF{}'],
    ['invalid UTF-8 in the header', Buffer.from('{"alg":"ES256","x":"\xff"}', 'latin1'), '{}'],
  ])('R7519-01 with %s is refused', (_what, header, payload) =>
    expectRefused(api.as.signParts(header, payload), 'malformed_token'),
  )

  it.each([
    ['an array for a header', '[]'],
    ['null for a header', 'null'],
    ['a header without alg', '{"typ":"at+jwt"}'],
    ['a byte order mark before the header', `\uFEFF${JSON.stringify(HEADER)}`],
  ])('R7519-01 with %s is no JWT at all, and is refused', (_what, header) =>
    expectRefused(api.as.signParts(header, JSON.stringify(goodClaims())), 'opaque_not_accepted'),
  )

  it.each(['a', 'a.b', 'a.b.c', 'a.b.c.d', 'a.b.c.d.e', 'a.b.c.d.e.f', '..', '.', '....', '.....'])(
    'R7519-01 of the parts %s is refused',
    async (token) => {
      expect(answerOf(await api.get(token))).toEqual(INVALID_TOKEN)
      expect(api.as.count()).toBe(0)
    },
  )

  it.each(['two', 'four', 'six'])(
    'R7519-01 of %s parts is refused, even if three of them are good',
    async (many) => {
      const [header, claims, signature] = api.as.mintJwt().split('.')
      const token = {
        two: `${header}.${claims}`,
        four: `${header}.${claims}.${signature}.${signature}`,
        six: `${header}.${claims}.${signature}.${header}.${claims}.${signature}`,
      }[many]
      await expectRefused(String(token), 'opaque_not_accepted')
    },
  )

  it.each([
    ['"4102444800"', 'malformed_claim'],
    ['"NaN"', 'malformed_claim'],
    ['-1', 'malformed_claim'],
    ['-1e308', 'malformed_claim'],
    ['1e400', 'malformed_claim'],
    ['true', 'malformed_claim'],
    ['[4102444800]', 'malformed_claim'],
    ['{}', 'malformed_claim'],
    ['null', 'malformed_claim'],
    ['1.5', 'expired'],
    ['0', 'expired'],
  ])('R7519-02 whose exp is %s is refused', (exp, reason) => {
    const claims = { ...goodClaims(), exp: undefined }
    return expectRefused(
      api.as.signParts(
        JSON.stringify({ ...HEADER, kid: api.as.keys.ES256.kid }),
        withMember(claims, `"exp":${exp}`),
      ),
      reason,
    )
  })

  it('R7519-02 without exp is refused, under every profile', async () => {
    for (const profile of ['rfc9068', 'keycloak', 'auth0', 'okta', 'entra', 'cognito', 'wso2'] as const) {
      const lax = await start({ as: api.as, options: { profile } })
      const claims = { exp: undefined, typ: 'Bearer', cid: 'app', token_use: 'access' }
      const token = api.as.mintJwt({ header: { typ: profile === 'cognito' ? undefined : 'at+jwt' }, claims })
      expect(answerOf(await lax.get(token))).toEqual(INVALID_TOKEN)
      expect(lax.reason()).toBe('missing_claim')
    }
  })

  it.each([1e308, 8.64e12, 9007199254740993])(
    'R7519-02 whose exp is as far away as %d is accepted',
    async (exp) => {
      expect((await get({ claims: { exp } })).status).toBe(200)
    },
  )

  const soon = () => Math.floor(Date.now() / 1000)
  it.each([
    ['nbf within the tolerance', () => ({ nbf: soon() + 25 }), undefined],
    ['nbf beyond the tolerance', () => ({ nbf: soon() + 40 }), 'not_yet_valid'],
    ['nbf of another type', () => ({ nbf: '0' }), 'malformed_claim'],
    ['negative nbf', () => ({ nbf: -1 }), 'malformed_claim'],
    ['iat within the tolerance', () => ({ iat: soon() + 25 }), undefined],
    ['iat beyond the tolerance', () => ({ iat: soon() + 40 }), 'issued_in_future'],
    ['iat of another type', () => ({ iat: 'today' }), 'malformed_claim'],
  ])('R7519-03 with %s is answered accordingly', async (_what, claims, reason) => {
    const token = api.as.mintJwt({ claims: claims() })
    if (reason !== undefined) return expectRefused(token, reason)
    expect((await api.get(token)).status).toBe(200)
  })

  it('R7519-03 older than maxLifetimeSeconds is refused, whatever its exp says, cached or not', async () => {
    const strict = await start({ as: api.as, options: { jwt: { maxLifetimeSeconds: 60 } } })
    const token = api.as.mintJwt({ expiresInSeconds: 86_400 })
    expect((await strict.get(token)).status).toBe(200)
    advance(60 + 31)
    expect(answerOf(await strict.get(token))).toEqual(INVALID_TOKEN)
    expect(strict.reason()).toBe('too_old')
  })

  it('R7519-04 with a member named twice counts the last one, for us as for the handler', async () => {
    const kid = api.as.keys.ES256.kid
    const header = withMember({ ...HEADER, alg: 'none', kid }, '"alg":"ES256"')
    const claims = withMember({ ...goodClaims(), sub: 'alice' }, '"sub":"bob"')
    const { status, body } = await api.get(api.as.signParts(header, claims))
    expect({ status, body }).toMatchObject({ status: 200, body: { subject: 'bob', claims: { sub: 'bob' } } })

    await expectRefused(
      api.as.signParts(withMember({ ...HEADER, kid }, '"alg":"none"'), claims),
      'algorithm_not_allowed',
    )
    const elsewhere = withMember(goodClaims(), '"aud":"https://other.example"')
    await expectRefused(api.as.signParts(JSON.stringify({ ...HEADER, kid }), elsewhere), 'audience_mismatch')
  })

  it('R7519-05 with claims nobody knows is accepted, and names of prototypes are only names', async () => {
    const members = '"__proto__":{"scope":"admin","sub":"root"},"constructor":"c","toString":"t","x":[1]'
    const header = JSON.stringify({ ...HEADER, kid: api.as.keys.ES256.kid })
    const { status, body, text } = await api.get(api.as.signParts(header, withMember(goodClaims(), members)))
    expect({ status, body }).toMatchObject({ status: 200, body: { subject: 'alice', scopes: [] } })
    expect(text).toContain('"__proto__":{"scope":"admin"')
    expect(Object.getPrototypeOf({})).not.toHaveProperty('scope')

    // a claim inherited from Object.prototype is no claim
    const claims = { ...goodClaims(), jti: undefined }
    const proto = withMember(claims, '"__proto__":{"jti":"x"}')
    await expectRefused(api.as.signParts(header, proto), 'missing_claim')
  })

  it('R7519-05 whose header names __proto__ takes nothing from it', async () => {
    const { kid } = api.as.keys.ES256
    const header = withMember({ typ: 'at+jwt', kid }, '"__proto__":{"alg":"ES256"}')
    await expectRefused(api.as.signParts(header, JSON.stringify(goodClaims())), 'opaque_not_accepted')
  })
})

describe('RFC 7515: a JSON Web Signature', () => {
  it.each([
    ['an unknown extension', { crit: ['x'], x: 1 }],
    ['nothing', { crit: [] }],
    ['no list', { crit: 'exp' }],
    ['null', { crit: null }],
    ['a registered parameter', { crit: ['alg'] }],
    ['a parameter that is not there', { crit: ['exp'] }],
    ['unencoded payloads', { crit: ['b64'], b64: false }],
  ])('R7515-01 that calls critical %s is refused', async (_what, header) => {
    await expectRefused(api.as.mintJwt({ header }), 'critical_header_unsupported')
  })

  it.each([{ b64: false }, { b64: true }])('R7515-01 with the header %j is refused', async (header) => {
    await expectRefused(api.as.mintJwt({ header }), 'critical_header_unsupported')
  })

  it('R7515-02 in a second spelling is not the token in the cache, and is refused', async () => {
    const token = api.as.mintJwt()
    expect((await api.get(token)).body).toMatchObject({ source: 'verification' })
    expect((await api.get(token)).body).toMatchObject({ source: 'cache' })
    const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const spare = last[last.indexOf(token.at(-1)!) + 1]
    await expectRefused(token.slice(0, -1) + String(spare), 'malformed_token')
    await expectRefused(`${token}==`, 'malformed_token')
    await expectRefused(`${token}AAA`, 'malformed_token')
  })

  it('R7515-02 in another alphabet is refused', async () => {
    const { kid } = api.as.keys.ES256
    // `>>>???` is written with `+` and `/` in base64, `-` and `_` in base64url
    const claims = { ...goodClaims(), x: '>>>???>>>???>>>???' }
    const token = api.as.signParts(JSON.stringify({ ...HEADER, kid }), JSON.stringify(claims))
    const misspelt = token.replaceAll('-', '+').replaceAll('_', '/')
    expect(misspelt).not.toBe(token)
    expect((await api.get(token)).status).toBe(200)
    await expectRefused(misspelt, 'malformed_token')
  })

  it.each([' ', '%20', '\t'])('R7515-02 with %j inside is refused', async (space) => {
    const token = api.as.mintJwt()
    const { status } = await api.get(`${token.slice(0, 50)}${space}${token.slice(50)}`)
    expect(status).toBe(400)
  })

  it('R7515-03 in JSON serialization is refused', async () => {
    const [header, payload, signature] = api.as.mintJwt().split('.')
    const { status } = await api.get(JSON.stringify({ protected: header, payload, signature }))
    expect(status).toBe(400)
  })

  it.each(['jku', 'jwk', 'x5u', 'x5c'])(
    'R7515-04 that brings its own key as %s is not believed',
    async (name) => {
      const key = createSigningKey('ES256')
      const trap = await createTestIssuer()
      const value = {
        jku: trap.jwksUri,
        jwk: key.publicJwk,
        x5u: trap.jwksUri,
        x5c: [key.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')],
      }[name]
      for (const kid of [api.as.keys.ES256.kid, undefined]) {
        const token = api.as.mintJwt({ key, header: { kid, [name]: value } })
        expect(answerOf(await api.get(token))).toEqual(INVALID_TOKEN)
      }
      expect(trap.count()).toBe(0)
      await trap.close()
    },
  )

  it('R7515-05 of an algorithm that is not listed is refused before any key is looked up', async () => {
    const strict = await start({ as: api.as, options: { jwt: { algorithms: ['ES384'] } } })
    expect(answerOf(await strict.get(api.as.mintJwt()))).toEqual(INVALID_TOKEN)
    expect(strict.reason()).toBe('algorithm_not_allowed')
    expect(api.as.count()).toBe(0)
  })
})

const ODD_MEMBERS: readonly (readonly [string, unknown])[] = [
  ['null', null],
  ['a string', 'key'],
  ['a list', []],
  ['an empty object', {}],
  ['of an unknown type', { kty: 'LMS', kid: 'x' }],
  ['of no known curve', { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA' }],
  ['without its members', { kty: 'RSA' }],
  ['with members of other types', { kty: 'RSA', n: 1, e: ['AQAB'], kid: {} }],
  ['for encryption', { ...createSigningKey('ES256').publicJwk, use: 'enc' }],
  ['not for verification', { ...createSigningKey('ES256').publicJwk, key_ops: ['sign'] }],
  ['with odd operations', { ...createSigningKey('ES256').publicJwk, key_ops: 'verify' }],
  ['symmetric', { kty: 'oct', k: encode('a secret of more than thirty-two bytes'), alg: 'HS256' }],
]

describe('RFC 7517: a published key set', () => {
  it.each(ODD_MEMBERS)('R7517-01 with a member %s works without that member', async (_what, member) => {
    const as = await createTestIssuer()
    as.publishJwks({ keys: [member, ...as.jwks().keys, member] })
    const odd = await start({ as })
    expect((await odd.get(as.mintJwt())).status).toBe(200)
    expect(odd.server.health().issuers[0]?.keys).toMatchObject({ keys: 1, skippedKeys: 2 })
    await as.close()
  })

  it.each([
    ['an encryption key', { use: 'enc' }],
    ['a key that may not verify', { key_ops: ['sign', 'encrypt'] }],
    ['a key for another algorithm', { alg: 'ES384' }],
  ])('R7517-01 does not let %s verify', async (_what, members) => {
    const key = createSigningKey('ES256')
    const as = await createTestIssuer()
    as.addJwk({ ...key.publicJwk, use: undefined, alg: undefined, ...members })
    const strict = await start({ as })
    expect(answerOf(await strict.get(as.mintJwt({ key })))).toEqual(INVALID_TOKEN)
    await as.close()
  })

  it('R7517-02 is searched by the exact kid', async () => {
    const exact = await start({ as: api.as })
    const { kid } = api.as.keys.ES256
    const inCase = (name: string) => exact.get(api.as.mintJwt({ header: { kid: name } }))
    expect(answerOf(await inCase(kid.toUpperCase()))).toEqual(INVALID_TOKEN)
    expect((await inCase(kid)).status).toBe(200)
  })

  it('R7517-02 in which two keys share a kid is searched by alg', async () => {
    const as = await createTestIssuer()
    const keys = [
      createSigningKey('ES256', 'same'),
      createSigningKey('RS256', 'same'),
      createSigningKey('PS256', 'same'),
    ]
    as.publishJwks({ keys: keys.map(({ publicJwk }) => publicJwk) })
    const shared = await start({ as })
    for (const key of keys) expect((await shared.get(as.mintJwt({ key }))).status).toBe(200)
    await as.close()
  })

  it('R7517-02 is searched by type for a token without kid, and the number of tries is bounded', async () => {
    const keys = Array.from({ length: 40 }, () => createSigningKey('ES256'))
    const as = await createTestIssuer({ algorithms: ['RS256'] })
    as.publishJwks({ keys: [...as.jwks().keys, ...keys.map(({ publicJwk }) => publicJwk)] })
    const many = await start({ as })
    const answers = await Promise.all(
      keys.map((key) => many.get(as.mintJwt({ key, header: { kid: undefined } }))),
    )
    const good = answers.filter(({ status }) => status === 200)
    expect(good.length).toBe(16)
    expect(answers.filter((answer) => answer.status === 401).length).toBe(24)
    await as.close()
  })

  it('R7517-03 is fetched once for an unknown kid, and the same request gets the new key', async () => {
    const as = await createTestIssuer()
    const rotating = await start({ as })
    const old = as.mintJwt()
    expect((await rotating.get(old)).status).toBe(200)
    as.rotateKeys({ keep: true })
    const answers = await Promise.all(Array.from({ length: 20 }, () => rotating.get(as.mintJwt())))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(as.count('jwks')).toBe(2)
    expect((await rotating.get(old)).body).toMatchObject({ source: 'cache' })
    await as.close()
  })

  it('R7517-03 is fetched at most once a cooldown for a hundred random kids; known kids are unaffected', async () => {
    const as = await createTestIssuer()
    const flooded = await start({ as })
    expect((await flooded.get(as.mintJwt())).status).toBe(200)
    const forge = (_: unknown, index: number) =>
      flooded.get(as.mintJwt({ header: { kid: `random-${index}` } }))
    const [flood, good] = await Promise.all([
      Promise.all(Array.from({ length: 100 }, forge)),
      Promise.all(Array.from({ length: 20 }, () => flooded.get(as.mintJwt()))),
    ])
    expect(as.count('jwks')).toBe(2)
    expect(new Set(good.map(({ status }) => status))).toEqual(new Set([200]))
    for (const answer of flood) expect([INVALID_TOKEN, OUTAGE]).toContainEqual(answerOf(answer))
    await as.close()
  })

  it('R7517-04 with new material under an old kid verifies by the new key and no longer by the old one', async () => {
    const as = await createTestIssuer()
    const [before, after] = [createSigningKey('ES256', 'k'), createSigningKey('ES256', 'k')]
    as.publishJwks({ keys: [before.publicJwk] })
    const replaced = await start({ as })
    const old = as.mintJwt({ key: before })
    expect((await replaced.get(old)).status).toBe(200)
    as.publishJwks({ keys: [after.publicJwk] })
    expect((await replaced.get(as.mintJwt({ key: after }))).status).toBe(200)
    expect(answerOf(await replaced.get(old))).toEqual(INVALID_TOKEN)
    expect(answerOf(await replaced.get(as.mintJwt({ key: before })))).toEqual(INVALID_TOKEN)
    await as.close()
  })

  it('R7517-04 from which a key is withdrawn ends its tokens with the next refresh, cached ones included', async () => {
    const as = await createTestIssuer()
    const withdrawn = await start({ as, options: { jwks: { refreshSeconds: 60 } } })
    const token = as.mintJwt()
    expect((await withdrawn.get(token)).status).toBe(200)
    as.withdrawKey(as.keys.ES256.kid)
    expect((await withdrawn.get(token)).body).toMatchObject({ source: 'cache' })
    advance(61)
    await withdrawn.get(token)
    await until(() => withdrawn.server.health().issuers[0]?.keys?.keys === 0)
    expect(answerOf(await withdrawn.get(token))).toEqual(INVALID_TOKEN)
    await as.close()
  })

  it('R7517-05 is not taken from a server whose certificate nobody vouches for', async () => {
    const as = await createTestIssuer()
    const server = createServer({ cert: certificate, key: privateKey }, (_request, response) =>
      response.end(JSON.stringify(as.jwks())),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const uri = `https://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
    const suspicious = await start({ as, options: { jwks: { uri } } })
    expect(answerOf(await suspicious.get(as.mintJwt()))).toEqual(OUTAGE)

    const dispatcher = new Agent({ connect: { ca: certificate } })
    const trusting = await start({ as, options: { jwks: { uri }, dispatcher } })
    expect((await trusting.get(as.mintJwt())).status).toBe(200)
    await dispatcher.destroy()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await as.close()
  })

  it.each(['https://evil.example/jwks', '/jwks', '/elsewhere'])(
    'R7517-05 is not fetched by a redirect to %s',
    async (location) => {
      const as = await createTestIssuer()
      as.fail('jwks', { kind: 'redirect', location }, { times: 1 })
      const redirected = await start({ as })
      expect(answerOf(await redirected.get(as.mintJwt()))).toEqual(OUTAGE)
      expect(as.count('jwks')).toBe(1)
      expect(as.count('other')).toBe(0)
      await as.close()
    },
  )

  it.each([
    ['too large', (): unknown => ({ keys: [], padding: 'x'.repeat(1024 * 1024) })],
    ['of too many keys', (): unknown => ({ keys: Array.from({ length: 1001 }, () => ({})) })],
  ])('R7517-05 is an outage if it is %s', async (_what, content) => {
    const as = await createTestIssuer()
    as.publishJwks(content())
    const large = await start({ as })
    expect(answerOf(await large.get(as.mintJwt()))).toEqual(OUTAGE)
    await as.close()
  })

  it('R7517-05 that does not come in time is an outage', async () => {
    const as = await createTestIssuer()
    as.fail('jwks', { kind: 'hang' })
    const slow = await start({ as, options: { jwks: { timeoutMs: 50 } } })
    expect(answerOf(await slow.get(as.mintJwt()))).toEqual(OUTAGE)
    await as.close()
  })
})

describe('RFC 7518: an algorithm', () => {
  it('R7518-01 of RSA is not used with a key below 2048 bits', async () => {
    const { privateKey: weak, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2040 })
    const as = await createTestIssuer()
    as.addJwk({ ...publicKey.export({ format: 'jwk' }), kid: 'weak' })
    const strict = await start({ as })
    const token = as.mintJwt({ key: weak, alg: 'RS256', header: { kid: 'weak' } })
    expect(answerOf(await strict.get(token))).toEqual(INVALID_TOKEN)
    await as.close()
  })

  const signatureOf = (form: string): string => {
    const [header, claims, signature = ''] = api.as.mintJwt().split('.')
    const raw = Buffer.from(signature, 'base64url')
    const data = Buffer.from(`${header}.${claims}`)
    const forms: Record<string, Buffer> = {
      'in DER form': sign('sha256', data, { key: api.as.keys.ES256.privateKey, dsaEncoding: 'der' }),
      'one byte short': raw.subarray(0, 63),
      'one byte long': Buffer.concat([raw, Buffer.alloc(1)]),
      'with R = 0': Buffer.concat([Buffer.alloc(32), raw.subarray(32)]),
      'with S = 0': Buffer.concat([raw.subarray(0, 32), Buffer.alloc(32)]),
      'with R = S = 0': Buffer.alloc(64),
      'of nothing': Buffer.alloc(0),
    }
    return `${header}.${claims}.${forms[form]?.toString('base64url')}`
  }

  it.each([
    'in DER form',
    'one byte short',
    'one byte long',
    'with R = 0',
    'with S = 0',
    'with R = S = 0',
    'of nothing',
  ])('R7518-02 of ECDSA with a signature %s is refused', (form) =>
    expectRefused(signatureOf(form), 'invalid_signature'),
  )

  it.each([
    ['ES256', 'P-384'],
    ['ES384', 'P-256'],
    ['ES512', 'P-256'],
    ['ES256', 'P-521'],
  ] as const)('R7518-02 %s is refused with a key of the curve %s', async (alg, namedCurve) => {
    const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve })
    const as = await createTestIssuer()
    as.addJwk({ ...publicKey.export({ format: 'jwk' }), kid: 'k' })
    const strict = await start({ as })
    expect(answerOf(await strict.get(as.mintJwt({ alg, key, header: { kid: 'k' } })))).toEqual(INVALID_TOKEN)
    await as.close()
  })

  it.each(['ES256', 'ES384', 'ES512'] as const)('R7518-02 %s in its exact form is accepted', async (alg) => {
    const as = await createTestIssuer({ algorithms: [alg] })
    const exact = await start({ as })
    expect((await exact.get(as.mintJwt())).status).toBe(200)
    await as.close()
  })

  it('R7518-03 of HMAC is accepted with a secret of the options only, and then nothing else is', async () => {
    const secret = 'a secret of more than thirty-two bytes'
    const key = createSecretKey(Buffer.from(secret))
    const shared = await start({ as: api.as, options: { jwt: { secret } } })
    const token = api.as.mintJwt({ key, alg: 'HS256' })
    expect((await shared.get(token)).status).toBe(200)
    expect(answerOf(await shared.get(api.as.mintJwt()))).toEqual(INVALID_TOKEN)
    await expectRefused(token, 'algorithm_not_allowed')
  })

  it('R7518-03 of HMAC takes nothing from a key set, neither a symmetric key nor the text of a public one', async () => {
    const as = await createTestIssuer({ algorithms: ['RS256'] })
    const k = encode('a secret of more than thirty-two bytes')
    as.addJwk({ kty: 'oct', k, kid: 'oct', alg: 'HS256' })
    const strict = await start({ as })
    const { publicJwk, publicKey } = as.keys.RS256
    const secrets = [
      Buffer.from(k, 'base64url'),
      Buffer.from(JSON.stringify(publicJwk)),
      Buffer.from(publicKey.export({ format: 'pem', type: 'spki' })),
      publicKey.export({ format: 'der', type: 'spki' }),
      createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })).export({
        format: 'der',
        type: 'pkcs1',
      }),
    ]
    for (const secret of secrets) {
      const token = as.mintJwt({ key: createSecretKey(secret), alg: 'HS256', header: { kid: 'oct' } })
      expect(answerOf(await strict.get(token))).toEqual(INVALID_TOKEN)
    }
    await as.close()
  })

  it.each([
    ['HS256', 31],
    ['HS384', 47],
    ['HS512', 63],
  ])('R7518-03 %s cannot be configured with %d bytes of secret', async (algorithm, bytes) => {
    const options = { jwt: { secret: 'x'.repeat(bytes), algorithms: [algorithm] } }
    await expect(startApi({ as: api.as, options })).rejects.toThrow(/secret must have at least/)
  })
})
