/** Several guards in one: everything missing stands in one challenge. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import request from 'supertest'
import { requireStepUp } from '../../lib/express/authorization-guards.js'
import { requireClaim, requireScopes } from '../../lib/express/guards.js'
import { createGuard } from '../../lib/express/guard.js'
import { requireAll } from '../../lib/express/require-all.js'
import { UnavailableError } from '../../lib/core/errors.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { createApi, EXPRESS_VERSIONS, RESOURCE } from '../support/apps.js'
import { challengeOf } from '../support/challenges.js'

const slow = (error?: Error) =>
  createGuard([{ name: 'slow', summary: 'slow', scopes: [] }], () =>
    error ? Promise.reject(error) : Promise.resolve(),
  )

describe.each(EXPRESS_VERSIONS)('requireAll on %s', (_version, express) => {
  let issuer: TestIssuer
  let api: ReturnType<typeof createApi>

  beforeAll(async () => {
    issuer = await createTestIssuer()
    const impliedScopes = { orders: ['orders:read', 'orders:write'] }
    api = createApi(
      express,
      { resource: RESOURCE, issuer: issuer.issuer, impliedScopes },
      {
        routes(app) {
          app.get('/two', requireAll(requireScopes('a', 'b'), requireScopes('b', 'c')), (_req, res) =>
            res.json({}),
          )
          app.get('/claim', requireAll(requireClaim('tenant', 'acme'), requireScopes('a')), (_req, res) =>
            res.json({}),
          )
          app.get('/step', requireAll(requireStepUp({ acrValues: ['x'] }), slow()), (_req, res) =>
            res.json({}),
          )
          app.get(
            '/down',
            requireAll(requireScopes('a'), slow(new UnavailableError('introspection_unavailable'))),
            (_req, res) => res.json({}),
          )
          app.get('/implied', requireScopes('orders:read', 'orders:write'), (_req, res) => res.json({}))
        },
      },
    )
  })
  afterAll(async () => {
    await api.server.close()
    await issuer.close()
  })

  const get = (path: string, scope: string, claims = {}) =>
    request(api.app)
      .get(path)
      .set('Authorization', `Bearer ${issuer.mintJwt({ scope, claims })}`)
  const paramsOf = (response: request.Response) => challengeOf(response.headers['www-authenticate']).params

  it('names the scopes of all guards that refuse', async () => {
    expect(paramsOf(await get('/two', 'x'))).toMatchObject({ error: 'insufficient_scope', scope: 'a b c' })
    expect(paramsOf(await get('/two', 'a b'))).toMatchObject({ scope: 'b c' })
    expect((await get('/two', 'a b c')).status).toBe(200)
  })

  it('names the scopes of all guards to a client without a token', async () => {
    const response = await request(api.app).get('/two')
    expect(response.status).toBe(401)
    expect(paramsOf(response)).not.toHaveProperty('error')
  })

  it('joins a claim and a scope in one 403', async () => {
    const response = await get('/claim', 'x')
    expect(response.status).toBe(403)
    expect(paramsOf(response)).toMatchObject({ error: 'insufficient_scope', scope: 'a' })
    expect((await get('/claim', 'a', { tenant: 'acme' })).status).toBe(200)
  })

  it('waits for guards that take their time', async () => {
    expect((await get('/step', 'x', { acr: 'x' })).status).toBe(200)
    expect(paramsOf(await get('/step', 'x'))).toMatchObject({ acr_values: 'x' })
  })

  it('answers an outage of a guard as one', async () => {
    const response = await get('/down', 'x')
    expect(response.status).toBe(503)
    expect(response.headers['retry-after']).toBe('1')
  })

  it('lets a scope stand for those that it implies by the option', async () => {
    expect((await get('/implied', 'orders')).status).toBe(200)
    expect((await get('/implied', 'orders:read')).status).toBe(403)
  })
})

describe('requireAll', () => {
  it.each([[[]], [[() => undefined]], [[undefined]]])('refuses %j while building', (guards) => {
    expect(() => requireAll(...(guards as never[]))).toThrow(/needs guards made by this package/)
  })
})
