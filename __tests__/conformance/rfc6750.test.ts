/** RFC 6750, Bearer Token Usage, and what RFC 6749 §7 says to resource servers: a test per requirement. */
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import express5 from 'express'
import request from 'supertest'
import type { ResourceServerOptions } from '../../lib/core/options/options.js'
import { requireAnyScope, requireClaim, requireScopes } from '../../lib/express/guards.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { expectNoCredentials, expectRefusal } from '../support/answers.js'
import { createApi, EXPRESS_VERSIONS, RESOURCE, type Api, type ApiOptions } from '../support/apps.js'
import { challengeOf, parseChallenges } from '../support/challenges.js'

let as: TestIssuer

beforeAll(async () => {
  as = await createTestIssuer()
})
afterAll(() => as.close())
beforeEach(() => as.resetRequests())
afterEach(() => void jest.restoreAllMocks())

const INTROSPECTION = { clientId: 'rs', clientSecret: 'rs-secret' }

describe.each(EXPRESS_VERSIONS)('RFC 6750 on %s', (_version, express) => {
  const open: Api[] = []

  function api(options: Partial<ResourceServerOptions> = {}, more: ApiOptions = {}): Api {
    const made = createApi(express, { resource: RESOURCE, issuer: as.issuer, ...options }, more)
    open.push(made)
    return made
  }

  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ server }) => server.close()))
  })

  const forms: ApiOptions = {
    before: (app) => app.use(express.urlencoded({ extended: true }), express.json()),
  }
  const form = (fields: string) => ({
    to: (app: Api['app']) =>
      request(app).post('/').set('content-type', 'application/x-www-form-urlencoded').send(fields),
  })

  describe('where a token may stand', () => {
    it.each<[string, Partial<ResourceServerOptions>]>([
      ['alone', {}],
      ['beside the form', { tokenFrom: 'form' }],
      ['beside the query', { tokenFrom: 'query' }],
      ['beside a place of the user’s own', { tokenFrom: () => undefined }],
    ])('R6750-01 the Authorization header is read, %s', async (_case, options) => {
      const { app, handled } = api(options)
      const answer = await request(app).get('/').auth(as.mintJwt(), { type: 'bearer' })
      expect(answer.status).toBe(200)
      expect(answer.body).toMatchObject({ subject: 'alice' })
      expect(handled()).toBe(1)
    })

    it.each(['a,b', '=a', 'a=b', 'a%20b', 'tok\u00e9n', 'a"b', 'a\\b', 'a;b', '==', 'a=b='])(
      'R6750-02 what is no b64token is a malformed request, and nobody is asked about it: %s',
      async (token) => {
        const { app, handled } = api({ introspection: INTROSPECTION })
        const answer = await request(app).get('/').set('authorization', `Bearer ${token}`)
        expectRefusal(answer, 400, 'invalid_request')
        expect(as.count()).toBe(0)
        expect(handled()).toBe(0)
      },
    )

    it.each(['a', 'a=', 'a==', '-._~+/', 'AZaz09'])(
      'R6750-02 what is a b64token goes to the authorization server as it is: %s',
      async (token) => {
        const { app } = api({ introspection: INTROSPECTION })
        const answer = await request(app).get('/').set('authorization', `Bearer ${token}`)
        expectRefusal(answer, 401, 'invalid_token')
        const asked = as.requests.find(({ method }) => method === 'POST')
        expect(new URLSearchParams(asked?.body).get('token')).toBe(token)
      },
    )

    it.each([
      ['header and query', true, true, false],
      ['header and body', true, false, true],
      ['query and body', false, true, true],
      ['all three', true, true, true],
    ])('R6750-03 two locations: %s is a malformed request, equal tokens or not', async (...row) => {
      const [, inHeader, inQuery, inBody] = row
      const { app, handled } = api({ tokenFrom: ['form', 'query'] }, forms)
      for (const next of [as.mintJwt.bind(as), fixed(as.mintJwt())]) {
        const call = form(inBody ? `access_token=${next()}` : 'a=1').to(app)
        if (inQuery) call.query({ access_token: next() })
        if (inHeader) call.auth(next(), { type: 'bearer' })
        expectRefusal(await call, 400, 'invalid_request')
      }
      expect(handled()).toBe(0)
      expect(as.count()).toBe(0)
    })

    it.each([
      ['in the query', '/?access_token=a&access_token=b', undefined],
      ['in the query, spelt in two ways', '/?access_token=a&access%5Ftoken=a', undefined],
      ['in the query, as a list', '/?access_token[]=a', undefined],
      ['in the query, as a list of two', '/?access_token[]=a&access_token[]=b', undefined],
      ['in the query, as an object', '/?access_token[a]=b', undefined],
      ['in the body', '/', 'access_token=a&access_token=b'],
      ['in the body, as a list', '/', 'access_token[]=a'],
      ['in the body, as an object', '/', 'access_token[a]=b'],
    ])('R6750-04 a parameter that comes twice is a malformed request: %s', async (_case, url, body) => {
      const { app, handled } = api({ tokenFrom: ['form', 'query'] }, forms)
      const call = body === undefined ? request(app).get(url) : form(body).to(app)
      expectRefusal(await call, 400, 'invalid_request')
      expect(handled()).toBe(0)
    })

    it.each([
      'application/x-www-form-urlencoded',
      'application/x-www-form-urlencoded; charset=UTF-8',
      'Application/X-WWW-Form-Urlencoded;charset=utf-8',
      'application/x-www-form-urlencoded ; charset=utf-8',
    ])('R6750-05 a form-encoded body may hold it, if the user says so: %s', async (type) => {
      const { app } = api({ tokenFrom: 'form' }, forms)
      const send = (method: 'post' | 'put' | 'patch') =>
        request(app)[method]('/').set('content-type', type).send(`a=1&access_token=${as.mintJwt()}`)
      expect((await send('post')).status).toBe(200)
      expect((await send('put')).status).toBe(200)
      expect((await send('patch')).status).toBe(200)
    })

    it('R6750-05 a form-encoded body is no place for a token unless the user says so', async () => {
      const { app } = api({}, forms)
      expectNoCredentials(await form(`access_token=${as.mintJwt()}`).to(app))
    })

    it.each([
      ['GET', 'application/x-www-form-urlencoded', (token: string) => `access_token=${token}`],
      ['DELETE', 'application/x-www-form-urlencoded', (token: string) => `access_token=${token}`],
      ['POST', 'application/json', (token: string) => JSON.stringify({ access_token: token })],
      ['POST', 'application/x-www-form-urlencoded-not', (token: string) => `access_token=${token}`],
      ['POST', 'text/plain', (token: string) => `access_token=${token}`],
    ] as const)('R6750-06 the member is no credential in a %s of %s', async (method, type, bodyOf) => {
      const { app, handled } = api({ tokenFrom: 'form' }, forms)
      const call = {
        GET: request(app).get('/'),
        DELETE: request(app).delete('/'),
        POST: request(app).post('/'),
      }
      expectNoCredentials(await call[method].set('content-type', type).send(bodyOf(as.mintJwt())))
      expect(handled()).toBe(0)
    })

    it('R6750-06 the member is no credential in multipart/form-data', async () => {
      const { app } = api({ tokenFrom: 'form' }, forms)
      expectNoCredentials(await request(app).post('/').field('access_token', as.mintJwt()))
    })

    it('R6750-06 a JSON member of that name is left to the handler', async () => {
      const { app } = api(
        { tokenFrom: 'form' },
        { ...forms, routes: (routed) => routed.use((req, res) => void res.json(req.body)) },
      )
      const body = { access_token: 'a value of the application' }
      const answer = await request(app).post('/').auth(as.mintJwt(), { type: 'bearer' }).send(body)
      expect(answer.body).toEqual(body)
    })

    it('R6750-07 the query is no place for a token by default', async () => {
      const { app, handled } = api()
      expectNoCredentials(await request(app).get('/').query({ access_token: as.mintJwt() }))
      expect(handled()).toBe(0)
    })

    it('R6750-07 a query token that is not asked for does not disturb the header', async () => {
      const { app } = api()
      const good = await request(app).get('/?access_token=x').auth(as.mintJwt(), { type: 'bearer' })
      expect(good.status).toBe(200)
      const expired = as.mintJwt({ expiresInSeconds: -100 })
      const bad = await request(app)
        .get('/')
        .query({ access_token: as.mintJwt() })
        .auth(expired, { type: 'bearer' })
      expectRefusal(bad, 401, 'invalid_token')
    })
  })

  describe('a token in the query, where the user allows it', () => {
    const caching = (value: string | undefined): ApiOptions => ({
      routes: (app) =>
        app.use((_req, res) => {
          if (value !== undefined) res.set('Cache-Control', value)
          res.json({})
        }),
    })

    it.each([
      [undefined, 'private'],
      ['public, max-age=60', 'private, max-age=60'],
      ['max-age=60, s-maxage=600', 'private, max-age=60'],
      ['no-store', 'no-store'],
      ['private, max-age=5', 'private, max-age=5'],
      ['no-cache', 'private, no-cache'],
    ])(
      'R6750-08 keeps shared caches away: the handler wishes %j, the answer says %j',
      async (wished, sent) => {
        const { app } = api({ tokenFrom: 'query' }, caching(wished))
        const answer = await request(app).get('/').query({ access_token: as.mintJwt() })
        expect(answer.status).toBe(200)
        expect(answer.headers['cache-control']).toBe(sent)
      },
    )

    it.each([
      ['an object', { 'Cache-Control': 'public', 'X-Other': 'kept' }],
      ['a list', ['cache-control', 'public', 'X-Other', 'kept']],
    ])(
      'R6750-08 keeps shared caches away also if writeHead brings the fields as %s',
      async (_case, fields) => {
        const { app } = api(
          { tokenFrom: 'query' },
          { routes: (routed) => routed.use((_req, res) => void res.writeHead(200, fields).end()) },
        )
        const answer = await request(app).get('/').query({ access_token: as.mintJwt() })
        expect(answer.headers).toMatchObject({ 'cache-control': 'private', 'x-other': 'kept' })
      },
    )

    it('R6750-08 leaves caching to the handler where the token came by the header', async () => {
      const { app } = api({ tokenFrom: 'query' }, caching('public, max-age=60'))
      const answer = await request(app).get('/').auth(as.mintJwt(), { type: 'bearer' })
      expect(answer.headers['cache-control']).toBe('public, max-age=60')
    })

    it.each(['access_token', 'access%5Ftoken', '%61ccess_token'])(
      'R6750-08 is taken out of the address and the parsed query: %s',
      async (name) => {
        const { app } = api({ tokenFrom: 'query' })
        const token = as.mintJwt()
        const answer = await request(app).get(`/orders?a=1&${name}=${token}&b=%20x`)
        expect(answer.body).toMatchObject({
          url: '/orders?a=1&b=%20x',
          originalUrl: '/orders?a=1&b=%20x',
          query: { a: '1', b: ' x' },
        })
        expect(answer.text).not.toContain(token)
      },
    )

    it('R6750-08 is out of reach of error reports also when it is refused', async () => {
      const seen: unknown[] = []
      const { app } = api(
        { tokenFrom: 'query', errors: 'next' },
        {
          routes: (routed) =>
            routed.use(
              (error: Error, req: express5.Request, res: express5.Response, next: express5.NextFunction) => {
                if (res.headersSent) next(error)
                seen.push(req.url, req.originalUrl, req.query, error.message, error.stack)
                res.sendStatus(401)
              },
            ),
        },
      )
      const token = as.mintJwt({ expiresInSeconds: -100 })
      await request(app).get('/').query({ access_token: token })
      expect(seen).toHaveLength(5)
      expect(JSON.stringify(seen)).not.toContain(token)
    })
  })

  describe('challenges', () => {
    it('R6750-09 there is at least one parameter without credentials', async () => {
      const { app } = api()
      const answer = await request(app).get('/')
      expect(expectNoCredentials(answer).params).toEqual({ realm: RESOURCE })
    })

    it.each([
      ['nothing', undefined],
      ['Basic', 'Basic YWxpY2U6c2VjcmV0'],
      ['Basic without credentials', 'Basic'],
      ['an unknown scheme', 'Nonsense a=b, c="d"'],
      ['an empty field', ''],
      ['Bearer as a prefix only', 'Bearertoken'],
    ])('R6750-10 %s is no error, in the challenge nor in the body', async (_case, credentials) => {
      const { app, handled } = api()
      const call = request(app).get('/')
      expectNoCredentials(await (credentials === undefined ? call : call.set('authorization', credentials)))
      expect(handled()).toBe(0)
    })

    it('R6750-10 a guard behind allowAnonymous names its scopes to who came without a token', async () => {
      const { app } = api(
        { allowAnonymous: true },
        { routes: (routed) => routed.get('/', requireScopes('orders:read', 'orders:write')) },
      )
      const { params } = expectNoCredentials(await request(app).get('/'))
      expect(params).toEqual({ realm: RESOURCE, scope: 'orders:read orders:write' })
    })

    it.each(['Bearer', 'Bearer ', 'bearer', 'Bearer a b', 'Bearer a, Bearer b', 'Bearer a,b', 'Bearer "a"'])(
      'R6750-11 incomplete or overfull credentials are a malformed request: %j',
      async (credentials) => {
        const { app, handled } = api({ introspection: INTROSPECTION })
        const answer = await request(app).get('/').set('authorization', credentials)
        expectRefusal(answer, 400, 'invalid_request')
        expect(as.count()).toBe(0)
        expect(handled()).toBe(0)
      },
    )

    it.each<[string, () => string]>([
      ['an expired JWT', () => as.mintJwt({ expiresInSeconds: -100 })],
      ['a malformed JWT', () => `${as.mintJwt().split('.').slice(0, 2).join('.')}.A`],
      ['a JWT of another issuer', () => as.mintJwt({ claims: { iss: 'https://other.example' } })],
      ['a JWT for another audience', () => as.mintJwt({ audience: 'https://other.example' })],
      ['an unknown opaque token', () => 'a-token-nobody-knows'],
      ['a revoked opaque token', revokedToken],
      [
        'an opaque token of another issuer',
        () => as.issueOpaque({ response: { iss: 'https://other.example' } }),
      ],
      ['an opaque token for another audience', () => as.issueOpaque({ audience: 'https://other.example' })],
      ['an expired opaque token', () => as.issueOpaque({ expiresInSeconds: -100 })],
    ])('R6750-12 %s is an invalid token', async (_case, makeToken) => {
      const { app, handled } = api({ introspection: INTROSPECTION })
      const token = makeToken()
      const answer = await request(app).get('/').auth(token, { type: 'bearer' })
      expectRefusal(answer, 401, 'invalid_token')
      expect(handled()).toBe(0)
      expect(JSON.stringify([answer.headers, answer.text])).not.toContain(token)
    })

    it('R6750-13 a good token without the scopes is told all that the request needs', async () => {
      const { app } = api({}, guarded(requireScopes('orders:read', 'orders:write')))
      const answer = await request(app)
        .get('/')
        .auth(as.mintJwt({ scope: 'orders:read' }), { type: 'bearer' })
      const { params } = expectRefusal(answer, 403, 'insufficient_scope')
      expect(params['scope']).toBe('orders:read orders:write')
    })

    it('R6750-13 a good token with none of several sufficient scopes is told all of them', async () => {
      const { app } = api({}, guarded(requireAnyScope('reports', 'admin')))
      const answer = await request(app).get('/').auth(as.mintJwt(), { type: 'bearer' })
      expect(expectRefusal(answer, 403, 'insufficient_scope').params['scope']).toBe('reports admin')
    })

    it.each<[string, (app: Api['app']) => request.Test]>([
      ['400', (app) => request(app).get('/').set('authorization', 'Bearer')],
      ['401 without credentials', (app) => request(app).get('/')],
      ['401', (app) => request(app).get('/').auth('a.b.c', { type: 'bearer' })],
      ['403', (app) => request(app).get('/').auth(as.mintJwt(), { type: 'bearer' })],
    ])('R6750-14 each parameter stands once in a challenge: %s', async (_case, call) => {
      const { app } = api({}, guarded(requireScopes('orders:read')))
      const answer = await call(app)
      // the parser refuses a challenge that names a parameter twice
      const schemes = parseChallenges(answer.headers['www-authenticate']).map(({ scheme }) => scheme)
      expect(schemes).toEqual(answer.status === 403 ? ['bearer'] : ['bearer', 'dpop'])
    })

    it.each([
      'https://api.example.com/"quoted"',
      'https://api.example.com/\\',
      'https://api.example.com/é/日本',
    ])('R6750-15 an identifier with unusual characters still makes an answer: %s', async (resource) => {
      const { app } = api({ resource })
      expectNoCredentials(await request(app).get('/'))
      const answer = await request(app).get('/').auth(as.mintJwt(), { type: 'bearer' })
      expectRefusal(answer, 401, 'invalid_token')
    })

    it.each(['orders read', 'orders"read', 'orders\\read', 'ordérs', '', 'a\r\nb', 'a\tb', 'a\u0000b'])(
      'R6750-16 a scope that no challenge can name is a mistake at the start: %j',
      (scope) => {
        const misuse = { code: 'ERR_RESOURCE_SERVER_CONFIGURATION' }
        expect(() => requireScopes('fine', scope)).toThrow(expect.objectContaining(misuse))
        expect(() => requireAnyScope(scope)).toThrow(expect.objectContaining(misuse))
      },
    )

    it.each(['orders:read_x', 'orders', 'Orders:read', 'orders:read:all', 'xorders:read', 'orders:rea'])(
      'R6750-17 scopes are compared whole and by case: %s is not orders:read',
      async (scope) => {
        const { app } = api({}, guarded(requireScopes('orders:read')))
        const answer = await request(app).get('/').auth(as.mintJwt({ scope }), { type: 'bearer' })
        expectRefusal(answer, 403, 'insufficient_scope')
      },
    )

    it('R6750-17 scopes are compared in any order', async () => {
      const { app } = api({}, guarded(requireScopes('b', 'a')))
      const token = as.mintJwt({ scope: 'c a b' })
      expect((await request(app).get('/').auth(token, { type: 'bearer' })).status).toBe(200)
    })
  })

  describe('cookies', () => {
    it('R6750-18 a token in a cookie is not read', async () => {
      const { app } = api()
      expectNoCredentials(await request(app).get('/').set('cookie', `access_token=${as.mintJwt()}`))
    })

    it('R6750-18 a token in a cookie is read by a function of the user’s', async () => {
      const tokenFrom: ResourceServerOptions['tokenFrom'] = ({ headers }) =>
        /(?:^|; )token=([^;]*)/.exec(String(headers['cookie'] ?? ''))?.[1]
      const { app } = api({ tokenFrom })
      const good = await request(app).get('/').set('cookie', `a=b; token=${as.mintJwt()}`)
      expect(good.status).toBe(200)
      expectNoCredentials(await request(app).get('/').set('cookie', 'token='))
      const twice = request(app).get('/').set('cookie', `token=${as.mintJwt()}`)
      expectRefusal(await twice.auth(as.mintJwt(), { type: 'bearer' }), 400, 'invalid_request')
    })
  })

  describe('RFC 6749 §7', () => {
    it('R6749-01 expiry is checked on every request, also of a token that was accepted before', async () => {
      const { app, handled } = api()
      const token = as.mintJwt({ expiresInSeconds: 60 })
      const call = () => request(app).get('/').auth(token, { type: 'bearer' })
      expect((await call()).body).toMatchObject({ source: 'verification' })
      expect((await call()).body).toMatchObject({ source: 'cache' })
      const later = Date.now() + 120_000
      jest.spyOn(Date, 'now').mockImplementation(() => later)
      expectRefusal(await call(), 401, 'invalid_token')
      expect(handled()).toBe(2)
    })

    it('R6749-01 a guard without scopes cannot be made by accident', () => {
      const misuse = { code: 'ERR_RESOURCE_SERVER_CONFIGURATION' }
      expect(() => requireScopes()).toThrow(expect.objectContaining(misuse))
      expect(() => requireAnyScope(...[])).toThrow(expect.objectContaining(misuse))
      expect(() => requireClaim('', 'x')).toThrow(expect.objectContaining(misuse))
    })

    it.each<[string, () => string]>([
      ['an opaque refresh token', () => as.issueOpaque({ response: { token_type: 'Refresh' } })],
      ['an ID token', () => as.mintJwt({ header: { typ: 'JWT' } })],
      ['a refresh token that is a JWT', () => as.mintJwt({ header: { typ: 'rt+jwt' } })],
    ])('R6749-02 %s is no access token', async (_case, makeToken) => {
      const { app, handled } = api({ introspection: INTROSPECTION })
      const answer = await request(app).get('/').auth(makeToken(), { type: 'bearer' })
      expectRefusal(answer, 401, 'invalid_token')
      expect(handled()).toBe(0)
    })
  })

  function guarded(guard: ReturnType<typeof requireScopes>): ApiOptions {
    return { routes: (app) => app.get('/', guard, (_req, res) => void res.json({})) }
  }
})

it('R6750-18 the documentation demands a defence against forged requests where cookies are read', () => {
  expect(readFileSync('README.md', 'utf8')).toMatch(/cookies need a CSRF defence/)
})

it('R6750-14 the parser of these tests refuses a parameter that stands twice', () => {
  expect(() => parseChallenges('Bearer realm="a", error="b", Error="c"')).toThrow('error stands twice')
  expect(challengeOf('Basic realm="x", Bearer realm="a, b", error=c, Negotiate abc==').params).toEqual({
    realm: 'a, b',
    error: 'c',
  })
})

function revokedToken(): string {
  const token = as.issueOpaque()
  as.revoke(token)
  return token
}

function fixed<T>(value: T): () => T {
  return () => value
}
