/** The FAPI 2.0 Security Profile for resource servers, as one option, by the rows of the checklist. */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as httpsRequest, type Server } from 'node:https'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import type { ResourceServerEvent } from '../../lib/core/events.js'
import { requireScopes, resourceServer, type ResourceServerOptions } from '../../lib/index.js'
import { createTestAuthority, createTestCertificate } from '../../lib/testing/certificates.js'
import {
  createSigningKey,
  createTestIssuer,
  SIGNING_ALGORITHMS,
  type MintOptions,
  type SigningAlgorithm,
  type TestIssuer,
} from '../../lib/testing/test-issuer.js'
import { createApi, RESOURCE, type Api } from '../support/apps.js'
import { parseChallenges } from '../support/challenges.js'
import { createDpopClient, type DpopClient, type ProofOptions } from '../support/dpop.js'
import { createClock } from '../support/opaque-api.js'
import { misuseOf } from '../support/misuse.js'
import { askTrusting } from '../support/trusting-process.js'

const ACCEPTED: readonly SigningAlgorithm[] = ['PS256', 'ES256', 'EdDSA', 'Ed25519']
const client = createDpopClient()
let as: TestIssuer
let api: Api
const events: ResourceServerEvent[] = []

/** A feed that has nothing to tell. */
const silence = (_emit: unknown, { signal }: { signal: AbortSignal }) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))

const optionsOf = (own: Partial<ResourceServerOptions> = {}): ResourceServerOptions => ({
  resource: RESOURCE,
  issuer: as.issuer,
  securityProfile: 'fapi2',
  introspection: { clientId: 'rs', clientSecret: 'rs-secret' },
  revocation: { feeds: [silence] },
  onRefusal: (event) => events.push(event),
  ...own,
})

beforeAll(async () => {
  as = await createTestIssuer({ algorithms: ['ES256', ...SIGNING_ALGORITHMS] })
  api = createApi(express, optionsOf(), {
    routes(app) {
      app.get('/', (_req, res) => res.json({}))
      app.get('/write', requireScopes('write'), (_req, res) => res.json({}))
    },
  })
})
afterEach(() => {
  events.length = 0
  as.answerIntrospection(null)
  as.publishJwks(undefined)
})
afterAll(async () => {
  await api.server.close()
  await as.close()
})

const mintBound = ({ claims, ...options }: MintOptions = {}) =>
  as.mintJwt({ ...options, claims: { cnf: client.cnf, ...claims } })

interface Sent extends Partial<ProofOptions> {
  readonly path?: string
  readonly by?: DpopClient
  readonly to?: Api
}

function sendBound(token: string, { path = '/', by = client, to = api, ...proof }: Sent = {}) {
  return request(to.app)
    .get(path)
    .set('Authorization', `DPoP ${token}`)
    .set('DPoP', by.proof({ token, url: `${RESOURCE}${path}`, ...proof }))
}

/** Another API for the length of a test. */
async function withApi<T>(own: Partial<ResourceServerOptions>, use: (other: Api) => Promise<T>): Promise<T> {
  const other = createApi(express, optionsOf(own))
  try {
    return await use(other)
  } finally {
    await other.server.close()
  }
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
}

function expectInvalidToken({ status, headers }: Answer, reason?: string): void {
  const errors = parseChallenges(headers['www-authenticate']).flatMap(({ params }) => params['error'] ?? [])
  expect({ status, errors }).toEqual({ status: 401, errors: ['invalid_token'] })
  if (reason !== undefined) expect(events.at(-1)?.reason).toBe(reason)
}

const misuse = (own: Partial<ResourceServerOptions>) => misuseOf(() => resourceServer(optionsOf(own)))

describe('where tokens may stand', () => {
  it.each(['query', 'form', ['query'], () => undefined] as const)(
    'FAPI-01 nothing but the header can be switched on: %p',
    (tokenFrom) => {
      const { path, message } = misuse({ tokenFrom })
      expect(path).toBe('tokenFrom')
      expect(message).toMatch(/securityProfile 'fapi2' takes tokens from the header only/)
    },
  )

  it('FAPI-01 a token in the query is no token', async () => {
    const answer = await request(api.app).get('/').query({ access_token: mintBound() })
    const [challenge] = parseChallenges(answer.headers['www-authenticate'])
    expect([answer.status, challenge?.params['error']]).toEqual([401, undefined])
  })

  it('FAPI-01 the scheme DPoP is accepted, and named beside Bearer, which is for certificates', async () => {
    expect((await sendBound(mintBound())).status).toBe(200)
    const { headers } = await request(api.app).get('/')
    expect(parseChallenges(headers['www-authenticate']).map(({ scheme }) => scheme)).toEqual([
      'bearer',
      'dpop',
    ])
  })
})

describe('what is verified of a token', () => {
  it.each<[string, () => string, string]>([
    ['expired', () => mintBound({ claims: { exp: Math.floor(Date.now() / 1000) - 70 } }), 'expired'],
    [
      'changed',
      () => mintBound().replace(/\.[^.]+$/, (part) => `.${'A'.repeat(part.length - 1)}`),
      'invalid_signature',
    ],
    [
      'of another audience',
      () => mintBound({ claims: { aud: 'https://other.example' } }),
      'audience_mismatch',
    ],
  ])('FAPI-02 a JWT that is %s is invalid_token', async (_what, mint, reason) => {
    expectInvalidToken(await sendBound(mint()), reason)
  })

  it('FAPI-02 a revoked token is invalid_token, JWT or opaque', async () => {
    const jwt = mintBound({ claims: { jti: 'to-be-revoked' } })
    expect((await sendBound(jwt)).status).toBe(200)
    await api.server.revocations.revoke({ issuer: as.issuer, jti: 'to-be-revoked' })
    expectInvalidToken(await sendBound(jwt), 'revoked')

    const opaque = as.issueOpaque({ response: { cnf: client.cnf } })
    as.revoke(opaque)
    expectInvalidToken(await sendBound(opaque), 'inactive')
  })

  it.each<[string, Partial<ResourceServerOptions>]>([
    ['nothing but JWTs', { introspection: false }],
    ['introspection that is asked about opaque tokens only', {}],
  ])('FAPI-02 with %s, nothing tells that a JWT is revoked: a mistake at the start', (_what, own) => {
    const { path, message } = misuse({ revocation: {}, ...own })
    expect(path).toBe('jwt')
    expect(message).toMatch(/revocation status of every token.*Write jwt: false/)
  })

  it('FAPI-02 the issuer at fault among several is named', () => {
    const options = { ...optionsOf({ revocation: {} }), issuer: undefined } as never as ResourceServerOptions
    const issuers = [{ issuer: as.issuer, jwt: false as const }, 'https://other.example']
    expect(misuseOf(() => resourceServer({ ...options, issuers })).path).toBe('issuers[1].jwt')
  })

  it('FAPI-02 an issuer named by a function is held to it when it is named', async () => {
    const options = { ...optionsOf(), issuer: undefined, introspection: undefined, revocation: undefined }
    const server = resourceServer({ ...options, issuers: (issuer: string) => ({ issuer }) } as never)
    const token = mintBound()
    const headers = { authorization: `DPoP ${token}`, dpop: client.proof({ token }) }
    const deciding = server.authenticate({ headers, method: 'GET', url: '/' })
    await expect(deciding).rejects.toMatchObject({
      reason: 'issuer_unusable',
      evidence: { name: 'issuers().jwt' },
    })
    await server.close()
  })

  it.each<[string, Partial<ResourceServerOptions>]>([
    ['introspection of every token', { jwt: false, revocation: {} }],
    ['introspection of what no feed vouches for', { revocation: { maxLagSeconds: 10 } }],
    ['a feed', { introspection: false, revocation: { feeds: [silence] } }],
    [
      'a shared log',
      {
        introspection: false,
        revocation: { log: { append: () => Promise.resolve(), follow: () => new Promise(() => undefined) } },
      },
    ],
    [
      'a status list that every token must name',
      { introspection: false, revocation: {}, profile: { requiredClaims: ['status'] } },
    ],
  ])('FAPI-02 %s tells it', async (_what, own) => {
    await resourceServer(optionsOf(own)).close()
  })

  it.each([
    ['revocation.whenStale', { whenStale: 'accept' }],
    ['revocation.whenUncheckable', { whenUncheckable: 'accept' }],
    ['revocation.statusList', { statusList: false }],
  ] as const)('FAPI-02 %s may not pass over what is known', (path, own) => {
    expect(misuse({ revocation: { feeds: [silence], ...own } }).path).toBe(path)
  })

  it('FAPI-02 a JWT that was verified here is introspected too where no feed vouches for it', async () => {
    const clock = createClock()
    const token = mintBound()
    let active = true
    as.answerIntrospection(() => ({ body: { active, aud: RESOURCE, iss: as.issuer, cnf: client.cnf } }))
    try {
      await withApi({ revocation: { maxLagSeconds: 10 } }, async (to) => {
        expect((await sendBound(token, { to })).status).toBe(200)
        active = false
        clock.advance(11)
        expectInvalidToken(await sendBound(token, { to }))
      })
    } finally {
      clock.restore()
    }
  })
})

describe('what a token permits', () => {
  it('FAPI-03 too little scope is insufficient_scope', async () => {
    const answer = await sendBound(mintBound({ scope: 'read' }), { path: '/write' })
    const [challenge, ...others] = parseChallenges(answer.headers['www-authenticate'])
    expect([answer.status, others]).toEqual([403, []])
    expect(challenge).toMatchObject({
      scheme: 'dpop',
      params: { error: 'insufficient_scope', scope: 'write' },
    })
  })
})

describe('whose a token is', () => {
  it.each([
    ['JWT', () => as.mintJwt()],
    ['opaque', () => as.issueOpaque()],
  ])('FAPI-04 a token that is bound to nothing is invalid_token: %s', async (_format, mint) => {
    const answer = await request(api.app).get('/').auth(mint(), { type: 'bearer' })
    expectInvalidToken(answer, 'sender_constraint_missing')
  })

  it('FAPI-04 nor does a proof bind it', async () => {
    expectInvalidToken(await sendBound(as.mintJwt()), 'dpop_not_bound')
  })

  it('FAPI-04 a stolen token without its key is invalid_token', async () => {
    const answer = await request(api.app).get('/').auth(mintBound(), { type: 'bearer' })
    expectInvalidToken(answer, 'dpop_required')
    expectInvalidToken(await sendBound(mintBound(), { by: createDpopClient() }), 'dpop_key_mismatch')
  })

  it('FAPI-04 FAPI-01 a certificate over TLS will do as well, with the scheme Bearer', async () => {
    const mine = createTestCertificate({ commonName: 'client' })
    const others = createTestCertificate({ commonName: 'another client' })
    const { server, call } = await overTls(api.app)
    try {
      const token = as.mintJwt({ claims: { cnf: { 'x5t#S256': mine.thumbprint } } })
      expect((await call(token, mine)).status).toBe(200)
      expectInvalidToken(await call(token, others), 'certificate_mismatch')
      expectInvalidToken(await call(token), 'certificate_missing')
      expectInvalidToken(await call(as.mintJwt(), mine), 'sender_constraint_missing')
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })
})

describe('who may sign how', () => {
  it.each(SIGNING_ALGORITHMS)(
    'FAPI-05 a token signed with %s is accepted only if it is on the list',
    async (alg) => {
      const answer = await sendBound(mintBound({ alg }))
      if (ACCEPTED.includes(alg)) expect(answer.status).toBe(200)
      else expectInvalidToken(answer, 'algorithm_not_allowed')
    },
  )

  it('FAPI-05 none is no signature', async () => {
    const [, claims] = mintBound().split('.')
    const header = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')
    expectInvalidToken(await sendBound(`${header}.${claims}.AA`), 'algorithm_not_allowed')
  })

  it.each(SIGNING_ALGORITHMS)('FAPI-05 nor is a proof signed with another than those: %s', async (alg) => {
    const signer = createDpopClient(alg)
    const answer = await sendBound(mintBound({ claims: { cnf: signer.cnf } }), { by: signer })
    expect(answer.status).toBe(ACCEPTED.includes(alg) ? 200 : 401)
    if (answer.status === 401) expect(events.at(-1)?.reason).toBe('dpop_algorithm_not_allowed')
  })

  it('FAPI-05 the challenge names the algorithms of proofs', async () => {
    const { headers } = await request(api.app).get('/')
    const [, dpop] = parseChallenges(headers['www-authenticate'])
    expect(dpop?.params['algs']).toBe('PS256 ES256 EdDSA Ed25519')
  })

  it.each(['RS256', 'PS256'] as const)(
    'FAPI-05 signed introspection answers are held to it: %s',
    async (alg) => {
      const introspection = { clientId: 'rs', clientSecret: 'rs-secret', signedResponse: true }
      const answer = { active: true, aud: RESOURCE, iss: as.issuer, client_id: 'c', cnf: client.cnf }
      as.answerIntrospection(() => ({
        body: as.signAnswer(answer, 'rs', { alg }),
        headers: { 'content-type': 'application/token-introspection+jwt' },
      }))
      await withApi({ introspection }, async (to) => {
        expect((await sendBound('opaque', { to })).status).toBe(alg === 'PS256' ? 200 : 503)
      })
    },
  )

  it.each<[string, Partial<ResourceServerOptions>]>([
    ['jwt.algorithms', { jwt: { algorithms: ['ES256', 'RS256'] } }],
    ['jwt.secret', { jwt: { secret: 'x'.repeat(32) } }],
    ['dpop.algorithms', { dpop: { algorithms: ['ES384'] } }],
    [
      'introspection.signedResponse.algorithms',
      { introspection: { clientId: 'rs', clientSecret: 's', signedResponse: { algorithms: ['RS256'] } } },
    ],
    ['revocation.statusList.algorithms', { revocation: { statusList: { algorithms: ['ES512'] } } }],
  ])('FAPI-05 %s that allows another is a mistake at the start', (path, own) => {
    const found = misuse(own)
    expect(found.path).toBe(path)
    expect(found.message).not.toContain('xxxx')
  })

  it('FAPI-05 an RSA key of less than 2048 bits verifies nothing', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2040 })
    as.addJwk({ ...publicKey.export({ format: 'jwk' }), kid: 'small', alg: 'PS256', use: 'sig' })
    const key = { ...createSigningKey('PS256', 'small'), privateKey }
    await withApi({}, async (to) => {
      expectInvalidToken(await sendBound(mintBound({ alg: 'PS256', key }), { to }), 'unknown_key')
    })
  })
})

describe('keys of one name', () => {
  it.each(['PS256', 'ES256', 'EdDSA'] as const)(
    'FAPI-06 the one that fits %s is taken, wherever it stands',
    async (alg) => {
      const keys = (['PS256', 'ES256', 'EdDSA'] as const).map((one) => createSigningKey(one, 'same'))
      const forEncryption = { ...createSigningKey(alg, 'same').publicJwk, alg: undefined, use: 'enc' }
      const ofItsName = keys.find((key) => key.alg === alg)
      as.publishJwks({ keys: [forEncryption, ...keys.map(({ publicJwk }) => publicJwk)] })
      const token = mintBound({ alg, ...(ofItsName && { key: ofItsName }) })
      await withApi({}, async (to) => {
        expect((await sendBound(token, { to })).status).toBe(200)
      })
    },
  )
})

describe('the wire and the clocks', () => {
  const authority = createTestAuthority()

  it.each([
    ['TLSv1.1', 503],
    ['TLSv1.2', 200],
  ] as const)('FAPI-07 an authorization server is called over %s: %i', async (maxVersion, status) => {
    const tls = { ...createTestCertificate({ issuedBy: authority }), requestCert: false }
    const server = createServer({ ...tls, minVersion: 'TLSv1.1', maxVersion, ciphers: 'DEFAULT@SECLEVEL=0' })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    let asked = 0
    server.on('request', (_req: IncomingMessage, res: import('node:http').ServerResponse) => {
      asked += 1
      res.setHeader('Content-Type', 'application/json')
      res.end(JSON.stringify({ active: false }))
    })
    const introspection = { endpoint: `${issuer}/introspect`, clientId: 'rs', clientSecret: 's' }
    const options = {
      resource: RESOURCE,
      issuer,
      securityProfile: 'fapi2',
      jwt: false,
      introspection,
    } as const
    try {
      const outcome = await askTrusting(authority.cert, options, 'token')
      expect([outcome.status, asked]).toEqual(status === 200 ? [401, 1] : [503, 0])
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })

  it('FAPI-07 plain HTTP cannot be allowed', () => {
    expect(misuse({ allowInsecureHttp: true }).path).toBe('allowInsecureHttp')
    const options = { ...optionsOf(), issuer: undefined } as never as ResourceServerOptions
    const issuers = [{ issuer: 'http://as.example', allowInsecureHttp: true }]
    expect(misuseOf(() => resourceServer({ ...options, issuers })).path).toBe('issuers[0].allowInsecureHttp')
  })

  const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds

  it.each([
    ['iat', 10, 200],
    ['nbf', 10, 200],
    ['iat', 70, 401],
    ['nbf', 70, 401],
  ] as const)(
    'FAPI-07 a token whose %s is %i seconds ahead is %i, with any tolerance there may be',
    async (name, seconds, status) => {
      const token = mintBound({ claims: { [name]: inSeconds(seconds) } })
      for (const jwt of [{}, { clockToleranceSeconds: 10 }, { clockToleranceSeconds: 60 }]) {
        await withApi({ jwt }, async (to) => {
          expect((await sendBound(token, { to })).status).toBe(status)
        })
      }
    },
  )

  it.each([
    [10, 200],
    [70, 401],
  ])('FAPI-07 a proof made %i seconds ahead is %i', async (seconds, status) => {
    const answer = await sendBound(mintBound(), { claims: { iat: inSeconds(seconds) } })
    expect(answer.status).toBe(status)
  })

  it.each<[string, Partial<ResourceServerOptions>]>([
    ['jwt.clockToleranceSeconds', { jwt: { clockToleranceSeconds: 9 } }],
    ['jwt.clockToleranceSeconds', { jwt: { clockToleranceSeconds: 61 } }],
    ['dpop.clockToleranceSeconds', { dpop: { clockToleranceSeconds: 0 } }],
  ])('FAPI-07 %s is between 10 and 60 seconds', (path, own) => {
    const found = misuse(own)
    expect(found.path).toBe(path)
    expect(found.message).toMatch(/from 10 to 60/)
  })
})

describe('the option', () => {
  it('FAPI-04 knows one profile, by its name', () => {
    const { path, message } = misuse({ securityProfile: 'fapi1' as 'fapi2' })
    expect([path, message]).toEqual(['securityProfile', expect.stringMatching(/"fapi2".*"fapi1"/)])
  })
})

type Call = (token: string, certificate?: { cert: string; key: string }) => Promise<Answer>

async function overTls(app: Api['app']): Promise<{ server: Server; call: Call }> {
  const own = createTestCertificate({ commonName: 'api' })
  const tls = { cert: own.cert, key: own.key, requestCert: true, rejectUnauthorized: false }
  const server = createServer(tls, (req, res) => void app(req, res))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo

  async function call(token: string, certificate?: { cert: string; key: string }): Promise<Answer> {
    const outgoing = httpsRequest({
      host: '127.0.0.1',
      port,
      ca: own.cert,
      ...(certificate && { cert: certificate.cert, key: certificate.key }),
      agent: false,
      headers: { authorization: `Bearer ${token}` },
    })
    outgoing.end()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    response.resume()
    return { status: response.statusCode ?? 0, headers: response.headers }
  }
  return { server, call }
}
