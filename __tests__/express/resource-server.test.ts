import diagnosticsChannel from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer } from 'node:http'
import http2 from 'node:http2'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { ErrorRequestHandler } from 'express'
import request from 'supertest'
import { ConfigurationError, InvalidTokenError, MissingTokenError } from '../../lib/core/errors.js'
import { REFUSAL_CHANNEL, type ResourceServerEvent } from '../../lib/core/events.js'
import type { ResourceServerOptions } from '../../lib/core/options/options.js'
import type { TokenRequest } from '../../lib/core/token/extraction.js'
import { requireScopes } from '../../lib/express/guards.js'
import { resourceServer, type ResourceServer } from '../../lib/express/resource-server.js'
import { createSigningKey, createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { expectNoCredentials, expectOutage, expectRefusal } from '../support/answers.js'
import { createApi, echo, EXPRESS_VERSIONS, RESOURCE, type Api, type ApiOptions } from '../support/apps.js'

let as: TestIssuer
const open: ResourceServer[] = []

beforeAll(async () => {
  as = await createTestIssuer()
})
afterAll(() => as.close())
beforeEach(() => {
  as.heal()
  as.resetRequests()
})
afterEach(async () => {
  jest.restoreAllMocks()
  await Promise.all(open.splice(0).map((server) => server.close()))
})

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

function build(options: Partial<ResourceServerOptions> = {}): ResourceServer {
  const server = resourceServer({ resource: RESOURCE, issuer: as.issuer, ...options })
  open.push(server)
  return server
}

describe.each(EXPRESS_VERSIONS)('resourceServer on %s', (_version, express) => {
  function api(options: Partial<ResourceServerOptions> = {}, more?: ApiOptions): Api {
    const made = createApi(express, { resource: RESOURCE, issuer: as.issuer, ...options }, more)
    open.push(made.server)
    return made
  }

  describe('in an app', () => {
    it('guards a router wherever it is mounted, and nothing else', async () => {
      const app = express()
      const router = express.Router()
      router.use(build({ tokenFrom: 'query' }))
      router.get('/orders', (req, res) => void res.json({ url: req.url, originalUrl: req.originalUrl }))
      app.use('/api/v1', router)
      app.get('/open', (_req, res) => void res.json({}))
      expect((await request(app).get('/open')).status).toBe(200)
      expectNoCredentials(await request(app).get('/api/v1/orders'))
      expectNoCredentials(await request(app).get('/api/v1/nowhere'))
      const answer = await request(app).get('/api/v1/orders').query({ access_token: as.mintJwt(), a: '1' })
      expect(answer.body).toEqual({ url: '/orders?a=1', originalUrl: '/api/v1/orders?a=1' })
    })

    it('guards a single route', async () => {
      const app = express()
      app.get('/orders', build(), requireScopes('read'), (req, res) => void res.json(req.auth.subject))
      expectNoCredentials(await request(app).get('/orders'))
      expect((await request(app).get('/orders').set(bearer(as.mintJwt()))).body).toBe('alice')
    })

    it('keeps several resource servers apart, each with its own audience and realm', async () => {
      const app = express()
      for (const name of ['orders', 'reports']) {
        app.use(`/${name}`, build({ resource: `https://${name}.example` }))
      }
      echo(app)
      const token = as.mintJwt({ audience: 'https://orders.example' })
      expect((await request(app).get('/orders').set(bearer(token))).status).toBe(200)
      const refused = await request(app).get('/reports').set(bearer(token))
      expect(expectRefusal(refused, 401, 'invalid_token').params['realm']).toBe('https://reports.example')
    })

    it('lets the inner of two resource servers decide', async () => {
      const app = express()
      app.use(build(), build({ resource: 'https://inner.example' }))
      echo(app)
      const outerOnly = await request(app).get('/').set(bearer(as.mintJwt()))
      expect(expectRefusal(outerOnly, 401, 'invalid_token').params['realm']).toBe('https://inner.example')
      const both = as.mintJwt({ audience: [RESOURCE, 'https://inner.example'] })
      expect((await request(app).get('/').set(bearer(both))).status).toBe(200)
    })

    it('does not take what others left in req.auth for accepted', async () => {
      const { app } = api(
        { allowAnonymous: true },
        {
          before: (before) =>
            before.use((req, _res, next) => {
              req.auth = { subject: 'mallory', scopes: ['read'] } as unknown as typeof req.auth
              next()
            }),
          routes: (routes) => {
            routes.get('/guarded', requireScopes('read'))
            echo(routes)
          },
        },
      )
      expect((await request(app).get('/')).body).not.toHaveProperty('subject')
      expectNoCredentials(await request(app).get('/guarded'))
    })

    it('leaves a preflight to a CORS handler before it', async () => {
      const { app, handled } = api(
        {},
        {
          before: (before) => before.options('/orders', (_req, res) => void res.sendStatus(204)),
        },
      )
      expect((await request(app).options('/orders').set('origin', 'https://a.example')).status).toBe(204)
      expect(handled()).toBe(0)
      expectNoCredentials(await request(app).options('/other'))
    })

    it('attaches nothing to a request that it refuses', async () => {
      let auth: unknown = 'not asked'
      const look: ErrorRequestHandler = (error: InvalidTokenError, req, res, next) => {
        if (res.headersSent) next(error)
        auth = req.auth
        res.sendStatus(error.status)
      }
      const { app } = api({ errors: 'next' }, { routes: (routes) => routes.use(look) })
      await request(app)
        .get('/')
        .set(bearer(as.mintJwt({ expiresInSeconds: -100 })))
      expect(auth).toBeUndefined()
    })
  })

  describe('allowAnonymous', () => {
    it.each<[string, Record<string, string>]>([
      ['no credentials', {}],
      ['another scheme', { authorization: 'Basic YTpi' }],
    ])('lets a request with %s pass', async (_case, headers) => {
      const { app } = api({ allowAnonymous: true })
      const answer = await request(app).get('/').set(headers)
      expect(answer.status).toBe(200)
      expect(answer.body).not.toHaveProperty('subject')
    })

    it('still refuses a bad token, malformed credentials and what cannot be checked', async () => {
      const { app, handled } = api({ allowAnonymous: true })
      expectRefusal(await request(app).get('/').set(bearer('a.b.c')), 401, 'invalid_token')
      expectRefusal(await request(app).get('/').set('authorization', 'Bearer'), 400, 'invalid_request')
      as.fail('jwks', { kind: 'reset' })
      expectOutage(await request(app).get('/').set(bearer(as.mintJwt())))
      expect(handled()).toBe(0)
    })
  })

  describe("errors: 'next'", () => {
    it('hands refusals and outages to the app, with what the answer needs', async () => {
      const seen: unknown[] = []
      const keep: ErrorRequestHandler = (error: InvalidTokenError, _req, res, next) => {
        if (res.headersSent) next(error)
        seen.push(error)
        res.status(error.statusCode).json({})
      }
      const { app } = api({ errors: 'next' }, { routes: (routes) => routes.use(keep) })
      expect((await request(app).get('/')).headers).toHaveProperty('www-authenticate')
      as.fail('jwks', { kind: 'reset' })
      expect((await request(app).get('/').set(bearer(as.mintJwt()))).headers).toHaveProperty('retry-after')
      expect(seen).toMatchObject([{ reason: 'missing_token' }, { reason: 'keys_unavailable' }])
    })
  })

  describe('a function for tokenFrom', () => {
    it.each<[string, () => unknown, number]>([
      ['throws', throwing, 500],
      ['promises', () => Promise.resolve('a'), 500],
      ['promises and fails', () => Promise.reject(new Error('later')), 500],
      ['answers a number', () => 7, 400],
      ['answers an object', () => ({ then: 'a' }), 400],
      ['answers the empty string', () => '', 401],
      ['answers null', () => null, 401],
    ])('that %s makes an answer', async (_case, locate, status) => {
      const { app, handled } = api({ tokenFrom: locate as () => string })
      expect((await request(app).get('/')).status).toBe(status)
      expect(handled()).toBe(0)
    })

    it('hands its own errors and mistakes to the app’s error handler', async () => {
      const seen: unknown[] = []
      const keep: ErrorRequestHandler = (error: Error, _req, res, next) => {
        if (res.headersSent) next(error)
        seen.push(error)
        res.sendStatus(500)
      }
      const routes = { routes: (app: Api['app']) => app.use(keep) }
      await request(api({ tokenFrom: throwing }, routes).app).get('/')
      await request(api({ tokenFrom: (() => Promise.resolve('a')) as never }, routes).app).get('/')
      expect(seen).toEqual([
        expect.objectContaining({ message: 'of the application' }),
        expect.any(ConfigurationError),
      ])
    })

    it('sees the request as Express has it', async () => {
      const { app } = api(
        { tokenFrom: ({ cookies }) => cookies?.['token'] },
        {
          before: (before) =>
            before.use((req, _res, next) =>
              next(void Object.assign(req, { cookies: { token: as.mintJwt() } })),
            ),
        },
      )
      expect((await request(app).get('/')).status).toBe(200)
    })
  })

  describe('onRefusal and the channels', () => {
    it('tell of every refusal, never with the token', async () => {
      const heard: ResourceServerEvent[] = []
      const published: unknown[] = []
      const listen = (event: unknown) => void published.push(event)
      diagnosticsChannel.subscribe(REFUSAL_CHANNEL, listen)
      const { app } = api(
        { onRefusal: (event) => heard.push(event) },
        { routes: (app) => app.get('/', requireScopes('x')) },
      )
      const tokens = ['a b', as.mintJwt({ expiresInSeconds: -100 }), as.mintJwt()]
      for (const token of tokens) await request(app).get('/').set('authorization', `Bearer ${token}`)
      diagnosticsChannel.unsubscribe(REFUSAL_CHANNEL, listen)
      expect(heard.map(({ reason }) => reason)).toEqual([
        'malformed_credentials',
        'expired',
        'insufficient_scope',
      ])
      expect(published).toEqual(heard)
      for (const token of tokens) expect(JSON.stringify(heard)).not.toContain(token)
    })

    it.each<[string, () => unknown]>([
      ['throws', throwing],
      ['rejects', () => Promise.reject(new Error('of the application'))],
    ])('a listener that %s does not change the answer', async (_case, onRefusal) => {
      const warning = new Promise((resolve) => jest.spyOn(process, 'emitWarning').mockImplementation(resolve))
      const { app } = api({ onRefusal })
      expectNoCredentials(await request(app).get('/'))
      expect(await warning).toMatchObject({ message: 'of the application' })
    })
  })

  describe('warnings', () => {
    const mistaken = () => bearer(as.mintJwt({ header: { typ: 'JWT' } }))

    it('tell each kind once, with code and type', async () => {
      const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
      const { app } = api()
      for (let times = 0; times < 3; times += 1) await request(app).get('/').set(mistaken())
      await request(app)
        .get('/')
        .set(bearer(as.mintJwt({ audience: 'https://other.example' })))
      await request(app).get('/')
      expect(warned.mock.calls).toEqual([
        [
          expect.stringContaining('profile'),
          { type: 'ResourceServerWarning', code: 'RESOURCE_SERVER_TOKEN_TYPE_MISMATCH' },
        ],
        [
          expect.stringContaining('audience'),
          { type: 'ResourceServerWarning', code: 'RESOURCE_SERVER_AUDIENCE_MISMATCH' },
        ],
      ])
    })

    it('are silent in production', async () => {
      const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
      const { app } = api()
      app.set('env', 'production')
      expectRefusal(await request(app).get('/').set(mistaken()), 401, 'invalid_token')
      expect(warned).not.toHaveBeenCalled()
    })
  })

  describe('answers that somebody else has given', () => {
    it('are not given twice: what was sent while the token was checked stays, and the app hears of the refusal', async () => {
      const gate = withResolvers<void>()
      const passed = withResolvers<unknown>()
      as.fail('jwks', { kind: 'delay', until: gate.promise })
      const keep: ErrorRequestHandler = (error, _req, res, next) => {
        if (!res.headersSent) next(error)
        passed.resolve(error)
      }
      const { app } = api(
        {},
        {
          before: (before) =>
            before.use((_req, res, next) => {
              next()
              res.status(504).end('too late', () => gate.resolve())
            }),
          routes: (routes) => routes.use(keep),
        },
      )
      // signed by a stranger under the issuer's name, so that the verdict needs the keys
      const forged = as.mintJwt({ key: createSigningKey('ES256'), header: { kid: as.keys.ES256.kid } })
      const answer = await request(app).get('/').set(bearer(forged))
      expect(answer).toMatchObject({ status: 504, text: 'too late' })
      expect(await passed.promise).toMatchObject({ reason: 'invalid_signature' })
    })
  })
})

describe('outside Express', () => {
  it('is a handler of Node’s own server', async () => {
    const middleware = build()
    const server = createServer((req, res) => middleware(req, res, () => res.end('in')))
    expectNoCredentials(await request(server).get('/'))
    expect((await request(server).get('/').set(bearer(as.mintJwt()))).text).toBe('in')
  })

  it('bears an `app` that is not Express’s', async () => {
    jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const middleware = build()
    const server = createServer((req, res) =>
      middleware(Object.assign(req, { app: {} as never }), res, () => res.end()),
    )
    expectRefusal(await request(server).get('/').set(bearer('opaque')), 401, 'invalid_token')
  })

  it('answers HTTP/2 requests, with pseudo fields and all', async () => {
    const middleware = build({ tokenFrom: 'query' })
    const server = http2.createServer((req, res) => {
      middleware(req as never, res as never, () => res.end(JSON.stringify({ url: req.url })))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)

    async function call(headers: http2.OutgoingHttpHeaders) {
      const stream = session.request(headers)
      const [fields] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & { ':status': number }]
      let text = ''
      for await (const chunk of stream.setEncoding('utf8')) text += String(chunk)
      return { status: fields[':status'], headers: fields as Record<string, string>, text }
    }

    const token = as.mintJwt()
    expect(await call({ authorization: `Bearer ${token}` })).toMatchObject({ status: 200 })
    expectNoCredentials(await call({}))
    expectRefusal(await call({ authorization: 'Bearer' }), 400, 'invalid_request')
    expectRefusal(await call({ authorization: 'Bearer a.b.c' }), 401, 'invalid_token')
    const byQuery = await call({ ':path': `/x?access_token=${token}&a=1` })
    expect(byQuery).toMatchObject({ status: 200, text: '{"url":"/x?a=1"}' })
    expect(byQuery.headers['cache-control']).toBe('private')
    session.close()
    server.close()
    await once(server, 'close')
  })
})

describe('authenticate', () => {
  it('gives the access token of a request from anywhere', async () => {
    const server = build()
    const token = as.mintJwt()
    const accessToken = await server.authenticate({ headers: { Authorization: `Bearer ${token}` } })
    expect(accessToken).toMatchObject({ subject: 'alice', scheme: 'Bearer', token, format: 'jwt' })
    expect(JSON.stringify(accessToken)).not.toContain(token)
  })

  it('decides about the upgrade to a WebSocket', async () => {
    const server = build({ tokenFrom: 'query' })
    const web = createServer()
    const outcomes: unknown[] = []
    web.on('upgrade', (req, socket) => {
      server
        .authenticate(req)
        .then(
          ({ subject }) => outcomes.push(subject),
          (error: unknown) => outcomes.push(error),
        )
        .finally(() => socket.end())
    })
    web.listen(0, '127.0.0.1')
    await once(web, 'listening')
    for (const target of [`/?access_token=${as.mintJwt()}`, '/', '/?access_token=a.b.c']) {
      const socket = connectTcp((web.address() as AddressInfo).port, '127.0.0.1')
      socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
      socket.resume()
      await once(socket, 'close')
    }
    web.close()
    expect(outcomes).toEqual(['alice', expect.any(MissingTokenError), expect.any(InvalidTokenError)])
  })

  it.each<[string, TokenRequest, string]>([
    ['no token', { headers: {} }, 'missing_token'],
    ['a malformed one', { headers: { authorization: 'Bearer' } }, 'malformed_credentials'],
    ['a bad one', { headers: bearer('a.b.c') }, 'opaque_not_accepted'],
  ])('rejects %s, whatever allowAnonymous says, and reports it', async (_case, given, reason) => {
    const heard: string[] = []
    const server = build({ allowAnonymous: true, onRefusal: (event) => heard.push(event.reason) })
    await expect(server.authenticate(given)).rejects.toMatchObject({ reason })
    expect(heard).toEqual([reason])
  })

  it('rejects with the outage, and reports it', async () => {
    const heard: string[] = []
    const server = build({ onRefusal: (event) => heard.push(event.kind) })
    as.fail('jwks', { kind: 'reset' })
    await expect(server.authenticate({ headers: bearer(as.mintJwt()) })).rejects.toMatchObject({
      status: 503,
    })
    expect(heard).toEqual(['outage'])
  })

  it('rejects with the application’s own error, and does not report it', async () => {
    const onRefusal = jest.fn()
    const server = build({ tokenFrom: throwing, onRefusal })
    await expect(server.authenticate({ headers: {} })).rejects.toThrow('of the application')
    expect(onRefusal).not.toHaveBeenCalled()
  })

  it('reads a form from the body', async () => {
    const server = build({ tokenFrom: 'form' })
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const accessToken = await server.authenticate({
      headers,
      method: 'POST',
      body: { access_token: as.mintJwt() },
    })
    expect(accessToken.subject).toBe('alice')
  })
})

describe('ready, health and close', () => {
  it('load ahead, tell of it, and stop', async () => {
    const server = build()
    await server.ready()
    expect(as.count('jwks')).toBe(1)
    expect(server.health()).toMatchObject({
      resource: RESOURCE,
      issuers: [{ issuer: as.issuer, cachedJwts: 0 }],
    })
    await server.authenticate({ headers: bearer(as.mintJwt()) })
    expect(as.count('jwks')).toBe(1)
    expect(server.health()).toMatchObject({ issuers: [{ cachedJwts: 1 }] })
    await server.close()
  })
})

function throwing(): never {
  throw new Error('of the application')
}

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => (resolve = settle))
  return { promise, resolve }
}
