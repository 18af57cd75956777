import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { ErrorRequestHandler, RequestHandler } from 'express'
import request from 'supertest'
import type { ClaimExpectation } from '../../lib/core/authorization/claims.js'
import { ConfigurationError } from '../../lib/core/errors.js'
import { requireAnyScope, requireClaim, requireScopes } from '../../lib/express/guards.js'
import { createTestIssuer, type MintOptions, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { expectNoCredentials, expectRefusal } from '../support/answers.js'
import { createApi, EXPRESS_VERSIONS, RESOURCE, type Api } from '../support/apps.js'
import { misuseOf } from '../support/misuse.js'

let as: TestIssuer

beforeAll(async () => {
  as = await createTestIssuer()
})
afterAll(() => as.close())

describe.each(EXPRESS_VERSIONS)('guards on %s', (_version, express) => {
  const open: Api[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ server }) => server.close()))
  })

  /** The answer of a route behind a guard, and the error that reached the app's handler, if any. */
  async function call(guard: RequestHandler, token: MintOptions | undefined, options: object = {}) {
    let fault: unknown
    const keepFault: ErrorRequestHandler = (error: Error, _req, res, next) => {
      if (res.headersSent) next(error)
      fault = error
      res.status(500).json({})
    }
    const api = createApi(
      express,
      { resource: RESOURCE, issuer: as.issuer, ...options },
      { routes: (app) => app.use(guard, (_req, res) => void res.json({ ok: true })).use(keepFault) },
    )
    open.push(api)
    const test = request(api.app).get('/')
    const answer = await (token ? test.auth(as.mintJwt(token), { type: 'bearer' }) : test)
    return { answer, fault }
  }

  it.each<[string, RequestHandler, MintOptions]>([
    ['all scopes', requireScopes('a', 'b'), { scope: 'b c a' }],
    ['one of the scopes', requireAnyScope('a', 'b'), { scope: 'c b' }],
    ['the claim', requireClaim('tenant', 'acme'), { claims: { tenant: 'acme' } }],
    ['the claim in a list', requireClaim('groups', 'admins'), { claims: { groups: ['users', 'admins'] } }],
    ['the predicate’s yes', requireClaim('age', (age) => Number(age) > 17), { claims: { age: 18 } }],
  ])('let pass who has %s', async (_case, guard, token) => {
    const { answer } = await call(guard, token)
    expect(answer.body).toEqual({ ok: true })
  })

  it.each<[string, RequestHandler, MintOptions, string | undefined]>([
    ['one scope of two', requireScopes('a', 'b'), { scope: 'a' }, 'a b'],
    ['none of the scopes', requireAnyScope('a', 'b'), { scope: 'c' }, 'a b'],
    ['no scopes at all', requireScopes('a'), { claims: { scope: undefined } }, 'a'],
    ['another value', requireClaim('tenant', 'acme'), { claims: { tenant: 'other' } }, undefined],
    ['no such claim', requireClaim('tenant', 'acme'), {}, undefined],
    ['the predicate’s no', requireClaim('tenant', () => false), {}, undefined],
  ])('refuse who has %s', async (_case, guard, token, scope) => {
    const { answer } = await call(guard, token)
    const { params } = expectRefusal(answer, 403, 'insufficient_scope')
    expect(params['scope']).toBe(scope)
    expect(answer.text).not.toMatch(/tenant|acme|other/)
  })

  it('ask for credentials where anonymous requests pass', async () => {
    const { answer } = await call(requireScopes('a'), undefined, { allowAnonymous: true })
    expect(expectNoCredentials(answer).params['scope']).toBe('a')
    const claim = await call(requireClaim('a', 'b'), undefined, { allowAnonymous: true })
    expect(expectNoCredentials(claim.answer).params).toEqual({ realm: RESOURCE })
  })

  it('hand what a predicate throws to the app', async () => {
    const thrown = new RangeError('of the application')
    const { answer, fault } = await call(
      requireClaim('a', () => {
        throw thrown
      }),
      {},
    )
    expect(answer.status).toBe(500)
    expect(fault).toBe(thrown)
  })

  it('do not take a promise for a yes, and say so', async () => {
    const asynchronous = (() => Promise.resolve(true)) as unknown as ClaimExpectation
    const { fault } = await call(requireClaim('a', asynchronous), {})
    expect(fault).toBeInstanceOf(ConfigurationError)
    expect(fault).toHaveProperty('message', expect.stringMatching(/requireClaim: .*promise/))
  })

  it('pass the refusal on where the resource server was told to', async () => {
    const { fault } = await call(requireScopes('a'), {}, { errors: 'next' })
    expect(fault).toMatchObject({ status: 403, statusCode: 403, code: 'insufficient_scope', scope: ['a'] })
  })

  it.each<[string, RequestHandler]>([
    ['requireScopes', requireScopes('a')],
    ['requireAnyScope', requireAnyScope('a')],
    ['requireClaim', requireClaim('a', 'b')],
  ])('%s without a resource server before it is an error that says so', async (name, guard) => {
    let fault: unknown
    const app = express()
    app.use((req, _res, next) => {
      // what another middleware put there is no reason to pass
      req.auth = { scopes: ['a'], claims: { a: 'b' } } as unknown as typeof req.auth
      next()
    })
    app.get('/', guard, (_req, res) => void res.json({}))
    const keepFault: ErrorRequestHandler = (error: Error, _req, res, next) => {
      if (res.headersSent) next(error)
      fault = error
      res.sendStatus(500)
    }
    app.use(keepFault)
    expect((await request(app).get('/').auth(as.mintJwt(), { type: 'bearer' })).status).toBe(500)
    expect(fault).toBeInstanceOf(ConfigurationError)
    expect(fault).toHaveProperty(
      'message',
      expect.stringContaining(`${name}: no resourceServer() ran before`),
    )
  })
})

describe('making a guard', () => {
  it.each<[string, () => unknown, string]>([
    ['requireScopes()', () => requireScopes(), 'received none'],
    ['requireAnyScope()', () => requireAnyScope(), 'received none'],
    ['a scope with a space', () => requireScopes('a b'), 'received ["a b"]'],
    [
      'a list instead of arguments',
      () => requireScopes(['a', 'b'] as unknown as string),
      'received [["a","b"]]',
    ],
    ['undefined', () => requireAnyScope(undefined as unknown as string), 'received [null]'],
    ['an empty expression', () => requireScopes({ allOf: [] }), 'received [{"allOf":[]}]'],
    [
      'an expression with an empty one in it',
      () => requireScopes({ anyOf: ['a', { allOf: [] }] }),
      'received [{',
    ],
    ['an expression with a space in it', () => requireAnyScope({ anyOf: ['a b'] }), 'received [{'],
    ['two expressions in one', () => requireScopes({ allOf: ['a'], anyOf: ['b'] }), 'received [{'],
    ['an expression that is none', () => requireScopes({ oneOf: ['a'] } as never), 'received [{'],
    ['a claim without a name', () => requireClaim('', 'a'), "needs a claim's name"],
    [
      'a claim without a value',
      () => requireClaim('a', undefined as unknown as string),
      "needs a claim's name",
    ],
    ['a list as value', () => requireClaim('a', ['b'] as unknown as string), "needs a claim's name"],
    ['a number as name', () => requireClaim(1 as unknown as string, 'a'), "needs a claim's name"],
  ])('%s is a mistake that explains itself', (_case, build, message) => {
    const error = misuseOf(build)
    expect(error.message).toContain(message)
    expect(error.message).toContain('Write ')
  })
})
