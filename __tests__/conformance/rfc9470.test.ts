/** Step-up authentication, by the rows of the checklist (RFC 9470). */
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import request from 'supertest'
import { requireAll } from '../../lib/express/require-all.js'
import { requireStepUp } from '../../lib/express/authorization-guards.js'
import { requireScopes } from '../../lib/express/guards.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { createApi, EXPRESS_VERSIONS, RESOURCE } from '../support/apps.js'
import { challengeOf } from '../support/challenges.js'

describe.each(EXPRESS_VERSIONS)('step-up on %s', (_version, express) => {
  let issuer: TestIssuer
  let api: ReturnType<typeof createApi>

  beforeAll(async () => {
    issuer = await createTestIssuer()
    api = createApi(
      express,
      {
        resource: RESOURCE,
        issuer: issuer.issuer,
        introspection: { clientId: 'rs', clientSecret: 'rs-secret', cacheTtlSeconds: 3600 },
      },
      {
        routes(app) {
          app.get('/mfa', requireStepUp({ acrValues: ['gold', 'silver'] }), (_req, res) => res.json({}))
          app.get('/recent', requireStepUp({ maxAgeSeconds: 60 }), (_req, res) => res.json({}))
          app.get('/now', requireStepUp({ maxAgeSeconds: 0 }), (_req, res) => res.json({}))
          app.get(
            '/transfer',
            requireAll(requireScopes('transfer'), requireStepUp({ acrValues: ['gold'], maxAgeSeconds: 60 })),
            (_req, res) => res.json({}),
          )
        },
      },
    )
    await api.server.ready()
  })
  afterEach(() => {
    jest.restoreAllMocks()
  })
  afterAll(async () => {
    await api.server.close()
    await issuer.close()
  })

  const now = () => Math.floor(Date.now() / 1000)
  const jwt = (claims: Record<string, unknown>, scope = 'read') => issuer.mintJwt({ claims, scope })
  const get = (path: string, token: string) =>
    request(api.app).get(path).set('Authorization', `Bearer ${token}`)
  const challengeIn = (response: request.Response) => challengeOf(response.headers['www-authenticate']).params

  it('R9470-01 another acr than required is 401 with the accepted ones in order', async () => {
    const response = await get('/mfa', jwt({ acr: 'bronze' }))
    expect(response.status).toBe(401)
    expect(challengeIn(response)).toMatchObject({
      error: 'insufficient_user_authentication',
      acr_values: 'gold silver',
    })
    expect(challengeIn(response)).not.toHaveProperty('max_age')
    expect((await get('/mfa', jwt({ acr: 'silver' }))).status).toBe(200)
  })

  it('R9470-02 an authentication too long ago is 401 with max_age', async () => {
    const response = await get('/recent', jwt({ auth_time: now() - 61 }))
    expect(response.status).toBe(401)
    expect(challengeIn(response)).toMatchObject({ error: 'insufficient_user_authentication', max_age: '60' })
    expect(challengeIn(response)).not.toHaveProperty('acr_values')
    expect((await get('/recent', jwt({ auth_time: now() - 50 }))).status).toBe(200)
  })

  it('R9470-03 everything unmet stands in one challenge, scope included', async () => {
    const response = await get('/transfer', jwt({ acr: 'bronze', auth_time: 1 }))
    expect(response.status).toBe(401)
    expect(challengeIn(response)).toMatchObject({
      error: 'insufficient_user_authentication',
      acr_values: 'gold',
      max_age: '60',
      scope: 'transfer',
    })
    const scopeOnly = await get('/transfer', jwt({ acr: 'gold', auth_time: now() }))
    expect(scopeOnly.status).toBe(403)
    expect(challengeIn(scopeOnly)).toMatchObject({ error: 'insufficient_scope', scope: 'transfer' })
    const authenticationOnly = await get('/transfer', jwt({ acr: 'gold', auth_time: 1 }, 'transfer'))
    expect(authenticationOnly.status).toBe(401)
    expect(challengeIn(authenticationOnly)).toMatchObject({ max_age: '60' })
    expect(challengeIn(authenticationOnly)).not.toHaveProperty('scope')
    expect((await get('/transfer', jwt({ acr: 'gold', auth_time: now() }, 'transfer'))).status).toBe(200)
  })

  it.each([
    ['absent', {}],
    ['of another type', { acr: ['gold'], auth_time: '2000000000' }],
    ['null', { acr: null, auth_time: null }],
  ])('R9470-04 acr and auth_time that are %s count as unmet', async (_what, claims) => {
    expect((await get('/mfa', jwt(claims))).status).toBe(401)
    expect((await get('/recent', jwt(claims))).status).toBe(401)
  })

  it('R9470-05 introspection says the same, and a cached answer is judged against now', async () => {
    const token = issuer.issueOpaque({
      response: { acr: 'gold', auth_time: now() - 30 },
      expiresInSeconds: 3000,
    })
    expect((await get('/recent', token)).status).toBe(200)
    expect((await get('/mfa', token)).status).toBe(200)
    const asked = issuer.count('introspection')
    const later = Date.now() + 40_000
    jest.spyOn(Date, 'now').mockImplementation(() => later)
    const response = await get('/recent', token)
    expect(response.status).toBe(401)
    expect(challengeIn(response)).toMatchObject({ max_age: '60' })
    expect(issuer.count('introspection')).toBe(asked)
  })

  it('R9470-06 a bad token is invalid_token, without a word about authentication', async () => {
    const response = await get(
      '/transfer',
      issuer.mintJwt({ expiresInSeconds: -100, claims: { acr: 'bronze' } }),
    )
    expect(response.status).toBe(401)
    expect(challengeIn(response)).toMatchObject({ error: 'invalid_token' })
    expect(challengeIn(response)).not.toHaveProperty('acr_values')
    expect(challengeIn(response)).not.toHaveProperty('max_age')
  })

  it('R9470-07 max_age 0 is unmet after any elapsed second, and a future auth_time is unmet', async () => {
    const fixed = Date.now()
    jest.spyOn(Date, 'now').mockImplementation(() => fixed)
    const second = Math.floor(fixed / 1000)
    const response = await get('/now', jwt({ auth_time: second - 1 }))
    expect(response.status).toBe(401)
    expect(challengeIn(response)).toMatchObject({ max_age: '0' })
    expect((await get('/now', jwt({ auth_time: second }))).status).toBe(200)
    expect((await get('/recent', jwt({ auth_time: second + 3600 }))).status).toBe(401)
  })
})

describe('requireStepUp', () => {
  it.each([
    [{}],
    [{ acrValues: [] }],
    [{ acrValues: ['a b'] }],
    [{ acrValues: ['a"b'] }],
    [{ maxAgeSeconds: -1 }],
    [{ maxAgeSeconds: 1.5 }],
    [{ maxAgeSeconds: Number.NaN }],
  ])('refuses %j while building', (required) => {
    expect(() => requireStepUp(required)).toThrow(/Write requireStepUp/)
  })
})
