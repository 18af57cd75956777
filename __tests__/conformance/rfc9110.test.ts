/** RFC 9110, HTTP Semantics: authentication, status codes and fields. A test per requirement. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import request from 'supertest'
import type { OAuthError } from '../../lib/core/errors.js'
import type { ResourceServerOptions } from '../../lib/core/options/options.js'
import { requireClaim, requireScopes } from '../../lib/express/guards.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { expectNoCredentials, expectOutage, expectRefusal, type Answer } from '../support/answers.js'
import { createApi, EXPRESS_VERSIONS, RESOURCE, type Api, type ApiOptions } from '../support/apps.js'
import { challengeOf, parseChallenges } from '../support/challenges.js'
import { listenRaw, type RawAnswer } from '../support/raw-http.js'

let as: TestIssuer

beforeAll(async () => {
  as = await createTestIssuer()
})
afterAll(() => as.close())
beforeEach(() => {
  as.heal()
  as.resetRequests()
})

const INTROSPECTION = { clientId: 'rs', clientSecret: 'rs-secret' }
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe.each(EXPRESS_VERSIONS)('RFC 9110 on %s', (_version, express) => {
  const open: Api[] = []

  function api(options: Partial<ResourceServerOptions> = {}, more: ApiOptions = {}): Api {
    const made = createApi(express, { resource: RESOURCE, issuer: as.issuer, ...options }, more)
    open.push(made)
    return made
  }

  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ server }) => server.close()))
  })

  /** One request, byte for byte, to an app of its own. */
  async function raw(lines: readonly string[], { app }: Api = api()): Promise<RawAnswer> {
    const server = await listenRaw(app)
    try {
      return await server.send(lines)
    } finally {
      await server.close()
    }
  }

  describe('credentials', () => {
    it.each(['bearer', 'BEARER', 'bEaReR', 'Bearer'])(
      'R9110-01 the scheme’s case does not count: %s',
      async (scheme) => {
        const { app } = api()
        const answer = await request(app).get('/').set('authorization', `${scheme} ${as.mintJwt()}`)
        expect(answer.status).toBe(200)
      },
    )

    it('R9110-01 the token’s case counts', async () => {
      const { app } = api({ introspection: INTROSPECTION })
      as.issueOpaque({ token: 'CaseCounts' })
      expect((await request(app).get('/').set(bearer('CaseCounts'))).status).toBe(200)
      expectRefusal(await request(app).get('/').set(bearer('casecounts')), 401, 'invalid_token')
    })

    it.each([1, 2, 7])('R9110-02 %i spaces stand between scheme and token', async (spaces) => {
      const line = `Authorization: Bearer${' '.repeat(spaces)}${as.mintJwt()}`
      expect((await raw(['GET / HTTP/1.1', 'Host: api', line])).status).toBe(200)
    })

    it.each(['\t', '', '\u00a0', '='])(
      'R9110-02 %j between scheme and token makes no Bearer credentials',
      async (gap) => {
        const line = `Authorization: Bearer${gap}${as.mintJwt()}`
        expectNoCredentials(await raw(['GET / HTTP/1.1', 'Host: api', line]))
      },
    )

    it.each([' ', '\t', '   ', ' \t '])(
      'R9110-02 whitespace %j after the field’s value is no part of it',
      async (space) => {
        const line = `Authorization: Bearer ${as.mintJwt()}${space}`
        expect((await raw(['GET / HTTP/1.1', 'Host: api', line])).status).toBe(200)
      },
    )

    it.each(['\u00a0', '\u0085'])('R9110-02 %j after the token is no whitespace', async (byte) => {
      const line = `Authorization: Bearer ${as.mintJwt()}${byte}`
      expectRefusal(await raw(['GET / HTTP/1.1', 'Host: api', line]), 400, 'invalid_request')
    })

    it.each<[string, (token: string) => string[]]>([
      ['the same twice', (token) => [`Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`]],
      ['two tokens', (token) => [`Authorization: Bearer ${token}`, 'authorization: Bearer x']],
      ['another scheme first', (token) => ['Authorization: Basic YTpi', `Authorization: Bearer ${token}`]],
      ['another scheme last', (token) => [`Authorization: Bearer ${token}`, 'AUTHORIZATION: Basic YTpi']],
      ['an empty one first', (token) => ['Authorization:', `Authorization: Bearer ${token}`]],
      ['no Bearer at all', () => ['Authorization: Basic YTpi', 'Authorization: Basic YTpj']],
    ])('R9110-03 two Authorization fields are a malformed request: %s', async (_case, linesOf) => {
      const used = api()
      const lines = ['GET / HTTP/1.1', 'Host: api', ...linesOf(as.mintJwt())]
      expectRefusal(await raw(lines, used), 400, 'invalid_request')
      expect(used.handled()).toBe(0)
    })
  })

  describe('every 401', () => {
    it.each(['get', 'head', 'options', 'post', 'put', 'patch', 'delete', 'trace'] as const)(
      'R9110-04 bears a challenge: %s',
      async (method) => {
        const { app, handled } = api()
        const none = await request(app)[method]('/')
        expectNoCredentials(withoutBody(none))
        const expired = await request(app)
          [method]('/')
          .set(bearer(as.mintJwt({ expiresInSeconds: -100 })))
        expectRefusal(withoutBody(expired), 401, 'invalid_token')
        expect(handled()).toBe(0)
      },
    )

    it('R9110-04 bears a challenge also from the app’s own error handler', async () => {
      const { app } = api(
        { errors: 'next' },
        {
          routes: (routed) => {
            routed.use(answerProblem)
          },
        },
      )
      const answer = await request(app)
        .get('/')
        .set(bearer(as.mintJwt({ expiresInSeconds: -100 })))
      expectRefusal(answer, 401, 'invalid_token')
      expect(answer.body).toHaveProperty('problem', 'The access token is expired')
    })

    it('R9110-04 bears a challenge also from Express’s own error handler', async () => {
      const { app } = api({ errors: 'next' })
      const answer = await request(app).get('/')
      expect(answer.status).toBe(401)
      expect(challengeOf(answer.headers['www-authenticate']).params).toEqual({ realm: RESOURCE })
    })

    it.each<[string, string | string[], number]>([
      ['one', 'Basic realm="legacy"', 1],
      ['several in one field', 'Basic realm="legacy", Negotiate', 2],
      ['several in several fields', ['Basic realm="legacy"', 'Digest realm="d", nonce="n", qop="auth"'], 2],
    ])('R9110-05 stands beside challenges set earlier: %s', async (_case, earlier, count) => {
      const { app } = api(
        {},
        {
          before: (routed) =>
            routed.use((_req, res, next) => next(void res.set('WWW-Authenticate', earlier))),
        },
      )
      const challenges = parseChallenges((await request(app).get('/')).headers['www-authenticate'])
      expect(challenges).toHaveLength(count + 2)
      expect(challenges[0]).toEqual({ scheme: 'basic', params: { realm: 'legacy' } })
      expect(challenges.at(-2)).toEqual({ scheme: 'bearer', params: { realm: RESOURCE } })
      expect(challenges.at(-1)).toMatchObject({ scheme: 'dpop', params: { realm: RESOURCE } })
    })

    it('R9110-05 comes as a list that a generic parser understands, a field line each', async () => {
      const used = api(
        {},
        {
          before: (routed) =>
            routed.use((_req, res, next) => next(void res.set('WWW-Authenticate', 'Basic realm="x"'))),
        },
      )
      const answer = await raw(['GET / HTTP/1.1', 'Host: api'], used)
      expect(parseChallenges(answer.headers['www-authenticate']).map(({ scheme }) => scheme)).toEqual([
        'basic',
        'bearer',
        'dpop',
      ])
    })

    it('R9110-06 quotes the values of its parameters, and escapes what must be', async () => {
      const resource = 'https://api.example.com/"a"\\b'
      const answer = await request(api({ resource }).app).get('/').set(bearer('a.b.c'))
      const { params } = challengeOf(answer.headers['www-authenticate'])
      expect(params['realm']).toBe(resource)
      expect(answer.headers['www-authenticate']).toMatch(
        /^Bearer realm="[^,]*", error="invalid_token", error_description="[^"]*", DPoP realm=/,
      )
    })
  })

  describe('status codes', () => {
    it.each<[string, RequestHandler]>([
      ['a scope', requireScopes('orders:write')],
      ['a claim', requireClaim('tenant', 'acme')],
      ['a predicate', requireClaim('sub', (sub) => sub === 'bob')],
    ])('R9110-07 good credentials that do not suffice are 403: %s', async (_case, guard) => {
      const { app } = api({}, { routes: (routed) => routed.get('/', guard) })
      expectRefusal(await request(app).get('/').set(bearer(as.mintJwt())), 403, 'insufficient_scope')
    })

    it.each<[string, () => void]>([
      ['fails', () => as.fail('jwks', { kind: 'status', status: 500 })],
      ['breaks the connection', () => as.fail('jwks', { kind: 'reset' })],
      ['answers garbage', () => as.fail('jwks', { kind: 'body', body: '<html>' })],
      ['answers half', () => as.fail('jwks', { kind: 'truncate' })],
      ['is silent', () => as.fail('jwks', { kind: 'hang' })],
      ['sends elsewhere', () => as.fail('jwks', { kind: 'redirect', location: 'https://other.example/' })],
    ])('R9110-08 a JWT is not decided upon while the key set %s', async (_case, fail) => {
      fail()
      const { app, handled } = api({ jwks: { timeoutMs: 50 } })
      expectOutage(await request(app).get('/').set(bearer(as.mintJwt())))
      expect(handled()).toBe(0)
    })

    it.each<[string, () => void]>([
      [
        'fails',
        () => as.fail('introspection', { kind: 'status', status: 503, headers: { 'retry-after': '7' } }),
      ],
      ['answers garbage', () => as.fail('introspection', { kind: 'body', body: '<html>' })],
      ['is silent', () => as.fail('introspection', { kind: 'hang' })],
      ['refuses our credentials', () => as.fail('introspection', { kind: 'status', status: 401 })],
    ])('R9110-08 an opaque token is not decided upon while introspection %s', async (_case, fail) => {
      fail()
      const { app, handled } = api({ introspection: { ...INTROSPECTION, timeoutMs: 50 } })
      expectOutage(await request(app).get('/').set(bearer(as.issueOpaque())))
      expect(handled()).toBe(0)
    })

    it('R9110-08 what is known still counts while the authorization server is down', async () => {
      const { app } = api({ introspection: INTROSPECTION })
      const tokens = [as.mintJwt(), as.issueOpaque()]
      for (const token of tokens) expect((await request(app).get('/').set(bearer(token))).status).toBe(200)
      as.fail('jwks', { kind: 'reset' })
      as.fail('introspection', { kind: 'reset' })
      for (const token of tokens) expect((await request(app).get('/').set(bearer(token))).status).toBe(200)
      expectOutage(await request(app).get('/').set(bearer(as.issueOpaque())))
    })

    it('R9110-08 sets Retry-After also where the app’s error handler answers', async () => {
      as.fail('jwks', { kind: 'reset' })
      const { app } = api({ errors: 'next' })
      const answer = await request(app).get('/').set(bearer(as.mintJwt()))
      expect(answer.status).toBe(503)
      expect(answer.headers['retry-after']).toMatch(/^\d+$/)
    })

    it.each<[string, () => Record<string, string>]>([
      ['without credentials', () => ({})],
      ['with malformed ones', () => ({ authorization: 'Bearer' })],
      ['with an expired token', () => bearer(as.mintJwt({ expiresInSeconds: -100 }))],
      ['with a good token of small scope', () => bearer(as.mintJwt())],
    ])('R9110-09 HEAD is answered as GET is, without a body: %s', async (_case, headersOf) => {
      const { app } = api({}, { routes: (routed) => routed.get('/', requireScopes('orders:write')) })
      const headers = headersOf()
      const get = await request(app).get('/').set(headers)
      const head = await request(app).head('/').set(headers)
      const comparable = ({ status, headers: fields }: Answer) => ({
        status,
        fields: { ...fields, date: '' },
      })
      expect(comparable(head)).toEqual(comparable(get))
      expect(head.text).toBeFalsy()
      expect(get.text).not.toBe('')
    })

    it('R9110-10 a token longer than allowed is refused before any work', async () => {
      const { app } = api({ maxTokenBytes: 256, introspection: INTROSPECTION })
      expectRefusal(
        await request(app)
          .get('/')
          .set(bearer('a'.repeat(257))),
        400,
        'invalid_request',
      )
      expect(as.count()).toBe(0)
      expectRefusal(
        await request(app)
          .get('/')
          .set(bearer('a'.repeat(256))),
        401,
        'invalid_token',
      )
      expect(as.count('introspection')).toBe(1)
    })

    it('R9110-10 a form may not bring a longer token than the header', async () => {
      const { app } = api(
        { tokenFrom: 'form', introspection: INTROSPECTION },
        { before: (routed) => routed.use(express.urlencoded({ extended: false })) },
      )
      const answer = await request(app)
        .post('/')
        .type('form')
        .send(`access_token=${'a'.repeat(16_385)}`)
      expectRefusal(answer, 400, 'invalid_request')
      expect(as.count()).toBe(0)
    })
  })

  it('R9110-02 a request to a proxy’s form of address is as any other', async () => {
    const lines = (token: string) => [
      'GET http://api.example.com/orders?a=1 HTTP/1.1',
      'Host: api',
      `Authorization: Bearer ${token}`,
    ]
    expect((await raw(lines(as.mintJwt()))).status).toBe(200)
    const query = ['GET http://api.example.com/orders?a=1&access_token=x HTTP/1.1', 'Host: api']
    expectNoCredentials(await raw(query))
    const used = api({ tokenFrom: 'query' })
    const token = as.mintJwt()
    const answer = await raw(
      [`GET http://api.example.com/orders?access_token=${token}&a=1 HTTP/1.1`, 'Host: api'],
      used,
    )
    expect(answer.status).toBe(200)
    expect(answer.text).not.toContain(token)
  })
})

const answerProblem: ErrorRequestHandler = (error: OAuthError, _request, response, next) => {
  if (response.headersSent) next(error)
  response.status(error.status).json({ error: error.code, problem: error.message })
}

function withoutBody({ status, headers }: Answer): Answer {
  return { status, headers }
}
