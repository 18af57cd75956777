/** Demonstrating proof of possession, by the rows of the checklist (RFC 9449). */
import { createSecretKey, randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Express } from 'express'
import express from 'express'
import request from 'supertest'
import type { ResourceServerEvent } from '../../lib/core/events.js'
import { requireScopes, type ResourceServerOptions } from '../../lib/index.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { createApi, EXPRESS_VERSIONS, RESOURCE, type Api } from '../support/apps.js'
import { parseChallenges } from '../support/challenges.js'
import { createDpopClient, type ProofOptions } from '../support/dpop.js'
import { listenRaw } from '../support/raw-http.js'

const client = createDpopClient()
const stranger = createDpopClient()
let issuer: TestIssuer
const open: Api[] = []
const events: ResourceServerEvent[] = []

beforeAll(async () => {
  issuer = await createTestIssuer()
})
afterEach(async () => {
  jest.restoreAllMocks()
  events.length = 0
  issuer.resetRequests()
  await Promise.all(open.splice(0).map(({ server }) => server.close()))
})
afterAll(() => issuer.close())

function start(options: Partial<ResourceServerOptions> = {}, routes?: (app: Express) => void): Api {
  const api = createApi(
    express,
    {
      resource: RESOURCE,
      issuer: issuer.issuer,
      introspection: { clientId: 'rs', clientSecret: 'rs-secret', cacheTtlSeconds: 3600 },
      onRefusal: (event) => events.push(event),
      ...options,
    },
    routes ? { routes } : {},
  )
  open.push(api)
  return api
}

const boundJwt = (cnf: unknown = client.cnf) => issuer.mintJwt({ claims: { cnf } })
const boundOpaque = (response: Record<string, unknown> = {}) =>
  issuer.issueOpaque({ response: { token_type: 'DPoP', cnf: client.cnf, ...response } })

/** A request with a proof that is good but for what is said. */
function send(api: Api, token: string, proof: Partial<ProofOptions> = {}, path = '/') {
  return request(api.app)
    .get(path)
    .set('Authorization', `DPoP ${token}`)
    .set('DPoP', client.proof({ token, url: `${RESOURCE}${path}`, ...proof }))
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
}

function errorsOf({ headers }: Answer) {
  const challenges = parseChallenges(headers['www-authenticate'])
  return Object.fromEntries(challenges.map(({ scheme, params }) => [scheme, params['error']]))
}

function expectRefusal(answer: Answer, error: string, reason?: string): void {
  expect({ status: answer.status, ...errorsOf(answer) }).toEqual({
    status: 401,
    bearer: undefined,
    dpop: error,
  })
  expect(answer.headers['cache-control']).toBe('no-store')
  if (reason !== undefined) expect(events.at(-1)?.reason).toBe(reason)
}

const expectBadProof = (answer: Answer, reason?: string) =>
  expectRefusal(answer, 'invalid_dpop_proof', reason)

describe('a proof that is as it should be', () => {
  it.each(['DPoP', 'dpop', 'DPOP'])(
    'R9449-01 %s, a bound token and one proof reach the handler',
    async (scheme) => {
      const api = start({}, (app) =>
        app.get('/', (req, res) =>
          res.json({ scheme: req.auth.scheme, confirmation: req.auth.confirmation }),
        ),
      )
      const token = boundJwt()
      const answer = await request(api.app)
        .get('/')
        .set('Authorization', `${scheme}  ${token}`)
        .set('DPoP', client.proof({ token }))
      expect(answer.status).toBe(200)
      expect(answer.body).toEqual({ scheme: 'DPoP', confirmation: client.cnf })
    },
  )

  it('R9449-01 a token outside token68 is malformed, and nobody is asked', async () => {
    const api = start()
    for (const token of ['a,b', '=a', 'a%20b', '']) {
      const answer = await request(api.app).get('/').set('Authorization', `DPoP ${token}`)
      expect(answer.status).toBe(400)
      expect(errorsOf(answer)).toEqual({ bearer: undefined, dpop: 'invalid_request' })
    }
    expect(issuer.count()).toBe(0)
  })

  it('R9449-01 the example of the specification is accepted at its time', async () => {
    const file = new URL('../vectors/dpop.json', import.meta.url)
    const vector = JSON.parse(readFileSync(file, 'utf8')) as {
      jkt: string
      request: { url: string; now: number; access_token: string; dpop: string }
    }
    const { now, access_token: token, dpop } = vector.request
    issuer.issueOpaque({ token, response: { token_type: 'DPoP', cnf: { jkt: vector.jkt }, exp: now + 60 } })
    jest.spyOn(Date, 'now').mockReturnValue(now * 1000)
    const api = start({ dpop: { origin: 'https://resource.example.org' } })
    const ask = () =>
      request(api.app).get('/protectedresource').set('Authorization', `DPoP ${token}`).set('DPoP', dpop)
    expect((await ask()).status).toBe(200)
    expectBadProof(await ask(), 'dpop_proof_replayed')
  })

  it.each(['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'] as const)(
    'R9449-07 %s is accepted without configuration',
    async (alg) => {
      const api = start()
      const other = createDpopClient(alg)
      const token = boundJwt(other.cnf)
      const answer = await send(api, token).set('DPoP', other.proof({ token }))
      expect(answer.status).toBe(200)
    },
  )
})

describe('the form of a proof', () => {
  it('R9449-02 the DPoP scheme without a proof is 401, never taken as Bearer', async () => {
    const api = start()
    for (const token of [boundJwt(), issuer.mintJwt(), boundOpaque(), 'unknown']) {
      expectBadProof(
        await request(api.app).get('/').set('Authorization', `DPoP ${token}`),
        'dpop_proof_missing',
      )
    }
    expect(issuer.count('introspection')).toBe(0)
  })

  it('R9449-03 two fields, or one that holds two proofs, are 401', async () => {
    const api = start()
    const token = boundJwt()
    const [one, two] = [client.proof({ token }), client.proof({ token })]
    const server = await listenRaw(api.app)
    const head = ['GET / HTTP/1.1', 'Host: api.example.com', `Authorization: DPoP ${token}`]
    const twice = await server.send([...head, `DPoP: ${one}`, `dpop: ${two}`])
    expectBadProof(twice, 'dpop_proof_multiple')
    expectBadProof(await server.send([...head, `DPoP: ${one}`, `DPoP: ${one}`]), 'dpop_proof_multiple')
    await server.close()
    expectBadProof(await send(api, token).set('DPoP', `${one}, ${two}`), 'dpop_proof_malformed')
    expect(api.handled()).toBe(0)
  })

  const good = () => client.proof({ token: 'any' })
  it.each([
    ['JSON serialization', () => JSON.stringify({ payload: 'e30', signatures: [] })],
    ['a JWE', () => 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0.a.b.c.d'],
    ['four parts', () => `${good()}.e30`],
    ['two parts', () => good().split('.').slice(0, 2).join('.')],
    ['no signature', () => `${good().split('.').slice(0, 2).join('.')}.`],
    ['padding', () => `${good()}=`],
    ['standard base64', () => good().replace('.', '+.')],
    ['a second spelling of the header', () => good().replace('.', 'A.')],
    ['claims that are no object', () => `${good().split('.')[0] ?? ''}.W10.${good().split('.')[2] ?? ''}`],
    ['a header that is not JSON', () => `bm9wZQ.${good().split('.').slice(1).join('.')}`],
    ['8193 characters', () => client.proof({ token: 'any', claims: { more: 'x'.repeat(8192) } })],
    ['nothing', () => ''],
  ])('R9449-04 %s is 401', async (_what, proof) => {
    const api = start()
    expectBadProof(await send(api, boundJwt()).set('DPoP', proof()), 'dpop_proof_malformed')
  })

  it.each([
    [{ header: { typ: undefined } }],
    [{ header: { alg: undefined } }],
    [{ header: { jwk: undefined } }],
    [{ header: { jwk: 'a string' } }],
    [{ header: { jwk: [] } }],
    [{ claims: { jti: undefined } }],
    [{ claims: { jti: 7 } }],
    [{ claims: { jti: '' } }],
    [{ claims: { htm: undefined } }],
    [{ claims: { htm: ['GET'] } }],
    [{ claims: { htu: undefined } }],
    [{ claims: { htu: null } }],
    [{ claims: { iat: undefined } }],
    [{ claims: { iat: '1' } }],
    [{ claims: { ath: undefined } }],
    [{ claims: { ath: 1 } }],
    [{ claims: { nonce: 1 } }],
    [{ header: { crit: ['b64'], b64: false } }],
  ])('R9449-05 %j is 401', async (change) => {
    expectBadProof(await send(start(), boundJwt(), change))
  })

  it.each(['JWT', 'at+jwt', 'dpop', 'application/jwt', 'text/dpop+jwt', ''])(
    'R9449-06 typ %j is 401',
    async (typ) => {
      expectBadProof(await send(start(), boundJwt(), { header: { typ } }), 'dpop_type_mismatch')
    },
  )

  it.each(['application/dpop+jwt', 'DPoP+JWT'])('R9449-06 typ %j is the same type', async (typ) => {
    expect((await send(start(), boundJwt(), { header: { typ } })).status).toBe(200)
  })

  it.each(['none', 'HS256', 'ES256K', 'XX', 1, 'constructor'])(
    'R9449-07 alg %j is 401 and the accepted ones are told',
    async (alg) => {
      const api = start()
      const answer = await send(api, boundJwt(), { header: { alg } })
      expectBadProof(answer, 'dpop_algorithm_not_allowed')
      const dpop = parseChallenges(answer.headers['www-authenticate']).find(({ scheme }) => scheme === 'dpop')
      expect(dpop?.params['algs']?.split(' ')).toContain('ES256')
    },
  )

  it('R9449-07 an algorithm outside the configured list is 401', async () => {
    const api = start({ dpop: { algorithms: ['EdDSA', 'PS256'] } })
    const answer = await send(api, boundJwt())
    expectBadProof(answer, 'dpop_algorithm_not_allowed')
    const dpop = parseChallenges(answer.headers['www-authenticate']).find(({ scheme }) => scheme === 'dpop')
    expect(dpop?.params['algs']).toBe('EdDSA PS256')
  })

  it('R9449-07 a secret key that is the public one written out does not sign a proof', async () => {
    const secret = createSecretKey(Buffer.from(JSON.stringify(client.jwk)))
    expectBadProof(await send(start(), boundJwt(), { header: { alg: 'HS256' }, alg: 'HS256', key: secret }))
  })
})

describe('the key and the signature of a proof', () => {
  it.each([
    ['made with another key', { key: stranger.key }, 'dpop_signature_invalid'],
    ['of another algorithm than its key', { header: { alg: 'ES384' } }, 'dpop_signature_invalid'],
    ['changed', { signature: 'AAAA' }, 'dpop_signature_invalid'],
    [
      'with a point off the curve',
      { header: { jwk: { ...client.jwk, y: client.jwk['x'] } } },
      'dpop_key_not_allowed',
    ],
    ['with an unknown curve', { header: { jwk: { ...client.jwk, crv: 'P-192' } } }, 'dpop_key_not_allowed'],
    [
      'with half a key',
      { header: { jwk: { kty: 'EC', crv: 'P-256', x: client.jwk['x'] } } },
      'dpop_key_not_allowed',
    ],
  ] as const)('R9449-08 a proof %s is 401', async (_what, change, reason) => {
    expectBadProof(await send(start(), boundJwt(), change), reason)
  })

  it('R9449-08 an RSA key of less than 2048 bits, or of more than 4096, is 401', async () => {
    const api = start()
    for (const bits of [1024, 6144]) {
      const n = randomBytes(bits / 8)
      n[0] = 0xff
      n[n.length - 1] = 0xff
      const jwk = { kty: 'RSA', e: 'AQAB', n: n.toString('base64url') }
      const answer = await send(api, boundJwt(), { header: { alg: 'RS256', jwk } })
      expectBadProof(answer, 'dpop_key_not_allowed')
    }
  })

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'])('R9449-09 a key with %s is 401', async (name) => {
    const jwk = { ...client.jwk, [name]: 'AQAB' }
    expectBadProof(await send(start(), boundJwt(), { header: { jwk } }), 'dpop_key_not_allowed')
  })

  it('R9449-09 a shared key is 401', async () => {
    const jwk = { kty: 'oct', k: 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75' }
    expectBadProof(await send(start(), boundJwt(), { header: { jwk } }), 'dpop_key_not_allowed')
  })
})

describe('what a proof is for', () => {
  it.each(['POST', 'get', 'HEAD', ''])('R9449-10 htm %j is 401 for GET', async (htm) => {
    expectBadProof(await send(start(), boundJwt(), { claims: { htm } }))
  })

  it('R9449-10 HEAD needs a proof for HEAD, and no field overrides the method', async () => {
    const api = start()
    const token = boundJwt()
    const head = (method: string) =>
      request(api.app)
        .head('/')
        .set('Authorization', `DPoP ${token}`)
        .set('DPoP', client.proof({ token, method }))
    expectBadProof(await head('GET'), 'dpop_method_mismatch')
    expect((await head('HEAD')).status).toBe(200)
    const overridden = await send(api, token, { method: 'DELETE' }).set('X-HTTP-Method-Override', 'DELETE')
    expectBadProof(overridden, 'dpop_method_mismatch')
  })

  it.each([
    ['/r?x=1', `${RESOURCE}/r`],
    ['/r', `${RESOURCE}/r?y=2#f`],
    ['/r?x=1', `${RESOURCE}/r?x=2`],
    ['/', `${RESOURCE}?x#y`],
  ])('R9449-11 %s is named by %s: query and fragment do not count', async (path, url) => {
    expect((await send(start(), boundJwt(), { url }, path)).status).toBe(200)
  })

  it.each([
    ['/r', 'HTTPS://API.example.COM/r'],
    ['/r', 'https://api.example.com:443/r'],
    ['/~a', 'https://api.example.com/%7ea'],
    ['/%7ea', 'https://api.example.com/~a'],
    ['/a%c3%a4', 'https://api.example.com/a%C3%A4'],
    ['/c', 'https://api.example.com/a/../b/.././c'],
    ['/c', 'https://api.example.com/a/%2E%2e/c'],
    ['/', 'https://api.example.com'],
  ])('R9449-12 %s is named by %s', async (path, url) => {
    expect((await send(start(), boundJwt(), { url }, path)).status).toBe(200)
  })

  it.each([
    ['/a/b', 'https://api.example.com/a%2Fb'],
    ['/a%2Fb', 'https://api.example.com/a/b'],
    ['/R', 'https://api.example.com/r'],
    ['/r/', 'https://api.example.com/r'],
    ['//r', 'https://api.example.com/r'],
    ['/r', 'https://evil.example.com/r'],
    ['/r', 'https://api.example.com:8443/r'],
    ['/r', 'http://api.example.com/r'],
    ['/r', 'https://user@api.example.com/r'],
    ['/r', 'https://api.example.com.evil.example/r'],
    ['/r', 'https://api.example.com\\r'],
    ['/r', ' https://api.example.com/r'],
    ['/r', 'https://api.example.com/r\t'],
    ['/r', '/r'],
    ['/r', 'api.example.com/r'],
    ['/r', 'wss://api.example.com/r'],
  ])('R9449-13 %s is not named by %s', async (path, url) => {
    expectBadProof(await send(start(), boundJwt(), { url }, path), 'dpop_uri_mismatch')
  })

  it.each([
    ['a forged Host', '/r', ['Host: evil.example']],
    ['a Host with a path', '/r', ['Host: evil.example/r']],
    [
      'forged forwarding fields',
      '/r',
      ['Host: h', 'X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: https'],
    ],
    ['the Forwarded field', '/r', ['Host: h', 'Forwarded: host=evil.example;proto=https']],
    ['a target in absolute-form', 'https://evil.example/r', ['Host: evil.example']],
    ['a target that looks like a host', '//evil.example/r', ['Host: evil.example']],
  ])('R9449-14 %s makes no proof for another origin pass', async (_what, target, fields) => {
    const api = start()
    api.app.set('trust proxy', true)
    const token = boundJwt()
    const server = await listenRaw(api.app)
    const ask = (url: string) =>
      server.send([
        `GET ${target} HTTP/1.1`,
        ...fields,
        `Authorization: DPoP ${token}`,
        `DPoP: ${client.proof({ token, url })}`,
      ])
    expectBadProof(await ask('https://evil.example/r'), 'dpop_uri_mismatch')
    const own = target.startsWith('//') ? `${RESOURCE}${target}` : `${RESOURCE}/r`
    expect((await ask(own)).status).toBe(200)
    await server.close()
  })

  it('R9449-14 a path with dot segments is what the app routes, not what its normal form names', async () => {
    const api = start()
    const token = boundJwt()
    const server = await listenRaw(api.app)
    for (const target of ['/a/../r', '/a/%2e%2E/r', '/r/.']) {
      const proof = client.proof({ token, url: `${RESOURCE}/r` })
      const fields = ['Host: h', `Authorization: DPoP ${token}`, `DPoP: ${proof}`]
      expectBadProof(await server.send([`GET ${target} HTTP/1.1`, ...fields]), 'dpop_uri_mismatch')
    }
    await server.close()
  })

  it.each(EXPRESS_VERSIONS)(
    'R9449-14 behind mounted routers the full path counts (%s)',
    async (_version, version) => {
      const inner = version.Router()
      const api = createApi(
        version,
        { resource: `${RESOURCE}/v1`, audience: RESOURCE, issuer: issuer.issuer },
        { routes: () => undefined },
      )
      open.push(api)
      const app = version()
      inner.use(api.server).get('/list', (_req, res) => res.json({}))
      app.use('/v1', version.Router().use('/orders', inner))
      const token = boundJwt()
      const ask = (url: string) =>
        request(app)
          .get('/v1/orders/list')
          .set('Authorization', `DPoP ${token}`)
          .set('DPoP', client.proof({ token, url }))
      expect((await ask(`${RESOURCE}/v1/orders/list`)).status).toBe(200)
      expect((await ask(`${RESOURCE}/list`)).status).toBe(401)
    },
  )

  it('R9449-14 dpop.origin and dpop.pathPrefix say where clients reach the API', async () => {
    const api = start({
      dpop: { origin: ['http://127.0.0.1:3000', 'https://eu.example.com'], pathPrefix: '/api' },
    })
    const status = async (url: string) => (await send(api, boundJwt(), { url }, '/r')).status
    expect(await status('http://127.0.0.1:3000/api/r')).toBe(200)
    expect(await status('https://eu.example.com/api/r')).toBe(200)
    expect(await status('https://eu.example.com/r')).toBe(401)
    expect(await status(`${RESOURCE}/api/r`)).toBe(401)
  })

  it('R9449-15 a proof is accepted for its time only', async () => {
    const api = start({ dpop: { maxProofAgeSeconds: 60, clockToleranceSeconds: 10 } })
    const token = boundJwt()
    await send(api, token)
    const now = 1_700_000_000
    jest.spyOn(Date, 'now').mockReturnValue(now * 1000)
    const long = issuer.mintJwt({ claims: { cnf: client.cnf, iat: now - 5, exp: now + 600 } })
    const at = (iat: unknown) => send(api, long, { claims: { iat } })
    expect((await at(now - 59)).status).toBe(200)
    expectBadProof(await at(now - 60), 'dpop_proof_expired')
    expect((await at(now + 10)).status).toBe(200)
    expect((await at(now + 0.5)).status).toBe(200)
    expectBadProof(await at(now + 11), 'dpop_proof_in_future')
    expectBadProof(await at(String(now)), 'dpop_proof_malformed')
  })

  it('R9449-16 a proof for another token is 401', async () => {
    const api = start()
    const token = boundJwt()
    expectBadProof(await send(api, token, { token: boundJwt() }), 'dpop_token_mismatch')
    expectBadProof(await send(api, token, { claims: { ath: `${'A'.repeat(43)}=` } }), 'dpop_token_mismatch')
  })
})

describe('the binding of a token', () => {
  it.each([
    ['a JWT', () => boundJwt()],
    ['an opaque token', () => boundOpaque()],
  ])('R9449-17 a good proof with another key than that of %s is invalid_token', async (_what, make) => {
    const api = start()
    const token = make()
    const answer = await send(api, token).set('DPoP', stranger.proof({ token }))
    expectRefusal(answer, 'invalid_token', 'dpop_key_mismatch')
    expect((await send(api, token)).status).toBe(200)
  })

  it('R9449-18 the binding in an introspection answer is checked on every request, remembered or not', async () => {
    const api = start()
    const token = boundOpaque()
    expect((await send(api, token)).body).toMatchObject({ source: 'introspection' })
    expect((await send(api, token)).body).toMatchObject({ source: 'cache' })
    expectRefusal(await send(api, token).set('DPoP', stranger.proof({ token })), 'invalid_token')
    expect(issuer.count('introspection')).toBe(1)
  })

  it.each([7, null, ['a'], {}])('R9449-18 a jkt that is %j is invalid_token', async (jkt) => {
    const api = start()
    expectRefusal(await send(api, boundJwt({ jkt })), 'invalid_token', 'sender_constraint_unsupported')
    expectRefusal(await send(api, boundOpaque({ cnf: { jkt } })), 'invalid_token')
  })

  it.each([
    ['DPoP', 200],
    ['dpop', 200],
    [undefined, 200],
    ['Bearer', 401],
    ['N_A', 401],
  ])('R9449-19 an introspection answer with jkt and token_type %j is %i', async (type, status) => {
    expect((await send(start(), boundOpaque({ token_type: type }))).status).toBe(status)
  })

  it('R9449-19 token_type DPoP without a binding is invalid_token', async () => {
    const answer = await send(start(), boundOpaque({ cnf: undefined }))
    expectRefusal(answer, 'invalid_token', 'opaque_token_type_mismatch')
  })

  it('R9449-20 an unbound token with the DPoP scheme is invalid_token, although the proof is good', async () => {
    const api = start()
    expectRefusal(await send(api, issuer.mintJwt()), 'invalid_token', 'dpop_not_bound')
    expectRefusal(await send(api, issuer.issueOpaque()), 'invalid_token', 'dpop_not_bound')
  })

  it.each([
    ['as it is', {}],
    ['where anonymous requests pass', { allowAnonymous: true }],
    ['where only Bearer could be accepted', { resource: 'urn:example:api', audience: RESOURCE }],
  ])(
    'R9449-21 a bound token sent as Bearer is invalid_token, with or without a proof (%s)',
    async (_what, options) => {
      const api = start(options)
      for (const token of [boundJwt(), boundOpaque()]) {
        const bearer = () => request(api.app).get('/').set('Authorization', `Bearer ${token}`)
        for (const answer of [await bearer(), await bearer().set('DPoP', client.proof({ token }))]) {
          expect(answer.status).toBe(401)
          expect(errorsOf(answer)).toMatchObject({ bearer: 'invalid_token' })
          expect(errorsOf(answer)['dpop']).toBeUndefined()
        }
      }
      expect(api.handled()).toBe(0)
    },
  )

  it('R9449-21 two requests at once with one token, one as DPoP and one as Bearer, are told apart', async () => {
    const api = start()
    const token = boundOpaque()
    const [dpop, bearer] = await Promise.all([
      send(api, token),
      request(api.app).get('/').set('Authorization', `Bearer ${token}`),
    ])
    expect([dpop.status, bearer.status]).toEqual([200, 401])
  })
})

describe('challenges', () => {
  const challengesOf = ({ headers }: Answer) => parseChallenges(headers['www-authenticate'])

  it('R9449-22 the DPoP challenge names realm and accepted algorithms', async () => {
    const answer = await request(start({ dpop: { algorithms: ['ES256', 'PS256'] } }).app).get('/')
    expect(challengesOf(answer)).toEqual([
      { scheme: 'bearer', params: { realm: RESOURCE } },
      { scheme: 'dpop', params: { realm: RESOURCE, algs: 'ES256 PS256' } },
    ])
  })

  it('R9449-22 with dpop.require it stands alone, and Bearer tokens are refused in it', async () => {
    const api = start({ dpop: { require: true } })
    expect(challengesOf(await request(api.app).get('/')).map(({ scheme }) => scheme)).toEqual(['dpop'])
    const answer = await request(api.app).get('/').set('Authorization', `Bearer ${issuer.mintJwt()}`)
    expect({ status: answer.status, ...errorsOf(answer) }).toEqual({ status: 401, dpop: 'invalid_token' })
    expect((await send(api, boundJwt())).status).toBe(200)
  })

  it('R9449-23 the error stands in the challenge of the scheme that was used', async () => {
    const api = start()
    const bearer = await request(api.app).get('/').set('Authorization', 'Bearer unknown')
    expect(errorsOf(bearer)).toEqual({ bearer: 'invalid_token', dpop: undefined })
    expect(errorsOf(await send(api, 'unknown'))).toEqual({ bearer: undefined, dpop: 'invalid_token' })
    expect(errorsOf(await request(api.app).get('/'))).toEqual({ bearer: undefined, dpop: undefined })
  })

  it('R9449-23 credentials of both schemes are invalid_request in both', async () => {
    const api = start({ tokenFrom: 'query' })
    const token = boundJwt()
    const server = await listenRaw(api.app)
    const both = await server.send([
      'GET / HTTP/1.1',
      'Host: h',
      `Authorization: Bearer ${token}`,
      `Authorization: DPoP ${token}`,
      `DPoP: ${client.proof({ token })}`,
    ])
    await server.close()
    const inQuery = await send(api, token, {}, `/?access_token=${token}`)
    for (const answer of [both, inQuery]) {
      expect(answer.status).toBe(400)
      expect(errorsOf(answer)).toEqual({ bearer: 'invalid_request', dpop: 'invalid_request' })
    }
  })

  it('R9449-23 a guard refuses in the challenge of the scheme that was used', async () => {
    const api = start({}, (app) => app.get('/', requireScopes('write'), (_req, res) => res.json({})))
    const dpop = await send(api, boundJwt())
    const bearer = await request(api.app).get('/').set('Authorization', `Bearer ${issuer.mintJwt()}`)
    expect([dpop.status, bearer.status]).toEqual([403, 403])
    expect(errorsOf(dpop)).toEqual({ dpop: 'insufficient_scope' })
    expect(errorsOf(bearer)).toEqual({ bearer: 'insufficient_scope' })
  })
})

describe('replay', () => {
  it('R9449-24 a proof is good once', async () => {
    const api = start()
    const token = boundJwt()
    const dpop = client.proof({ token })
    expect((await send(api, token).set('DPoP', dpop)).status).toBe(200)
    expectBadProof(await send(api, token).set('DPoP', dpop), 'dpop_proof_replayed')
  })

  it('R9449-24 of 50 copies at once exactly one is accepted', async () => {
    const api = start()
    const token = boundOpaque()
    const dpop = client.proof({ token })
    const server = await listenRaw(api.app)
    const head = ['GET / HTTP/1.1', 'Host: h', `Authorization: DPoP ${token}`, `DPoP: ${dpop}`]
    const answers = await Promise.all(Array.from({ length: 50 }, () => server.send(head)))
    await server.close()
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([200, ...Array.from({ length: 49 }, () => 401)])
    expect(api.handled()).toBe(1)
  })

  it('R9449-24 a jti is of one key: another client may use the same', async () => {
    const api = start()
    const claims = { jti: randomUUID() }
    const token = boundJwt(stranger.cnf)
    expect((await send(api, boundJwt(), { claims })).status).toBe(200)
    expect((await send(api, token).set('DPoP', stranger.proof({ token, claims }))).status).toBe(200)
  })

  it('R9449-25 a proof that was refused was not used', async () => {
    const api = start()
    const token = boundJwt()
    const claims = { jti: randomUUID() }
    for (const change of [{ method: 'POST' }, { signature: 'AAAA' }, { url: 'https://evil.example/' }]) {
      expectBadProof(await send(api, token, { claims, ...change }))
    }
    const expired = issuer.mintJwt({ claims: { cnf: client.cnf }, expiresInSeconds: -100 })
    expectRefusal(await send(api, expired, { claims }), 'invalid_token')
    expect((await send(api, token, { claims })).status).toBe(200)
  })

  it('R9449-25 the memory ends with the time of the proof', async () => {
    const now = 1_700_000_000
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now * 1000)
    const api = start({ dpop: { maxProofAgeSeconds: 10, replayMaxEntries: 1000 } })
    const token = issuer.mintJwt({ claims: { cnf: client.cnf } })
    const ask = () =>
      api.server.authenticate({
        method: 'GET',
        url: '/',
        headers: { authorization: `DPoP ${token}`, dpop: client.proof({ token }) },
      })
    const flood = () => Promise.all(Array.from({ length: 1000 }, ask))
    expect(await flood()).toHaveLength(1000)
    const full = await send(api, token)
    expect(full.status).toBe(503)
    expect(full.headers['retry-after']).toMatch(/^\d+$/)
    expect(full.headers['www-authenticate']).toBeUndefined()
    expect(events.at(-1)?.reason).toBe('replay_memory_full')
    clock.mockReturnValue((now + 11) * 1000)
    expect(await flood()).toHaveLength(1000)
  })

  it('R9449-25 a jti over the limit is 401', async () => {
    const api = start()
    expect((await send(api, boundJwt(), { claims: { jti: 'j'.repeat(256) } })).status).toBe(200)
    expectBadProof(await send(api, boundJwt(), { claims: { jti: 'j'.repeat(257) } }), 'dpop_proof_malformed')
  })
})

describe('nonces of the server', () => {
  const nonceOf = ({ headers }: Answer) => headers['dpop-nonce'] as string
  const required = { nonce: 'required', nonceLifetimeSeconds: 100 } as const
  const now = 1_700_000_000

  function expectNonceWanted(answer: Answer): void {
    expectRefusal(answer, 'use_dpop_nonce')
    expect(answer.headers['dpop-nonce']).toMatch(/^[\x21\x23-\x5B\x5D-\x7E]{20,}$/)
  }

  it('R9449-26 a proof without one is 401 with exactly one nonce, not to be cached', async () => {
    const api = start({ dpop: required })
    const token = boundJwt()
    const server = await listenRaw(api.app)
    const answer = await server.send([
      'GET / HTTP/1.1',
      'Host: h',
      `Authorization: DPoP ${token}`,
      `DPoP: ${client.proof({ token })}`,
    ])
    await server.close()
    expect(typeof answer.headers['dpop-nonce']).toBe('string')
    expectNonceWanted(answer)
  })

  it('R9449-27 a nonce that is not ours is 401 with a fresh one, which is good', async () => {
    const api = start({ dpop: required })
    const token = boundJwt()
    const fresh = nonceOf(await send(api, token))
    const tampered = `${fresh.slice(0, -2)}${fresh.endsWith('AA') ? 'BB' : 'AA'}`
    for (const nonce of ['', 'of-the-authorization-server', tampered, `${fresh}=`, 'x'.repeat(2000)]) {
      const answer = await send(api, token, { claims: { nonce } })
      expectNonceWanted(answer)
      expect((await send(api, token, { claims: { nonce: nonceOf(answer) } })).status).toBe(200)
    }
  })

  it('R9449-28 a new nonce rides on a 200 before the old one ends, which stays good for a while', async () => {
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now * 1000)
    const api = start({ dpop: required })
    const token = issuer.mintJwt({ claims: { cnf: client.cnf } })
    const at = (seconds: number, nonce: string) => {
      clock.mockReturnValue((now + seconds) * 1000)
      return send(api, token, { claims: { nonce } })
    }
    const first = nonceOf(await send(api, token))
    const early = await at(49, first)
    expect({ status: early.status, nonce: nonceOf(early) }).toEqual({ status: 200, nonce: undefined })
    const late = await at(99, first)
    expect(late.status).toBe(200)
    expect(late.headers['cache-control']).toBe('no-store')
    expect(nonceOf(late)).not.toBe(first)
    expectNonceWanted(await at(101, first))
    expect((await at(101, nonceOf(late))).status).toBe(200)
  })

  it('R9449-28 processes with the same secret accept the nonces of each other, others do not', async () => {
    const nonceSecret = 'a secret that several processes share'
    const [one, two, other] = [nonceSecret, nonceSecret, 'another secret, of another resource server'].map(
      (secret) => start({ dpop: { ...required, nonceSecret: secret } }),
    ) as [Api, Api, Api]
    const token = boundJwt()
    const nonce = nonceOf(await send(one, token))
    expect((await send(two, token, { claims: { nonce } })).status).toBe(200)
    expectNonceWanted(await send(other, token, { claims: { nonce } }))
  })

  it('R9449-28 while the secret is changed, nonces made with the former one are still good', async () => {
    const [former, later] = ['f'.repeat(32), 'l'.repeat(32)]
    const token = boundJwt()
    const nonce = nonceOf(await send(start({ dpop: { ...required, nonceSecret: former } }), token))
    const answer = await send(start({ dpop: { ...required, nonceSecret: [later, former] } }), token, {
      claims: { nonce },
    })
    expect(answer.status).toBe(200)
    expect(nonceOf(answer)).not.toBe(nonce)
  })

  it('R9449-29 where nonces are required no proof passes without one, whatever its iat', async () => {
    const api = start({ dpop: required })
    const seconds = Math.floor(Date.now() / 1000)
    for (const iat of [seconds, seconds - 10, seconds + 10]) {
      expectNonceWanted(await send(api, boundJwt(), { claims: { iat } }))
    }
  })

  it('R9449-30 where pages of other origins are let in, they may read challenge and nonce', async () => {
    const api = createApi(
      express,
      { resource: RESOURCE, issuer: issuer.issuer, dpop: required },
      {
        before(app) {
          app.use((req, res, next) => {
            res
              .set('Access-Control-Allow-Origin', 'https://app.example')
              .set('Access-Control-Expose-Headers', 'ETag')
            if (req.method !== 'OPTIONS') {
              next()
              return
            }
            res.set('Access-Control-Allow-Headers', 'Authorization, DPoP').sendStatus(204)
          })
        },
      },
    )
    open.push(api)
    const exposed = ({ headers }: Answer) =>
      String(headers['access-control-expose-headers']).split(', ').sort()
    expect((await request(api.app).options('/').set('Access-Control-Request-Method', 'GET')).status).toBe(204)
    expect(exposed(await send(api, boundJwt()))).toEqual(['DPoP-Nonce', 'ETag', 'WWW-Authenticate'])
    const plain = await send(start({ dpop: required }), boundJwt())
    expect(plain.headers['access-control-expose-headers']).toBeUndefined()
  })
})

describe('the order of the checks', () => {
  it.each([
    ['malformed', { header: { typ: 'JWT' } }],
    ['for another method', { method: 'POST' }],
    ['for another URI', { url: 'https://evil.example/' }],
    ['too old', { claims: { iat: 1 } }],
    ['for another token', { token: 'another' }],
    ['signed by another key', { key: stranger.key }],
  ])('R9449-31 a proof that is %s costs no call', async (_what, change) => {
    const api = start()
    expectBadProof(await send(api, boundOpaque(), change))
    expectBadProof(await send(api, boundJwt(), change))
    expect(issuer.count()).toBe(0)
  })
})
