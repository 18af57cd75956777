/** Rich authorization requests, by the rows of the checklist (RFC 9396). */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import request from 'supertest'
import {
  authorizationDetailsOf,
  requireAuthorizationDetails,
} from '../../lib/express/authorization-guards.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { createApi, EXPRESS_VERSIONS, RESOURCE } from '../support/apps.js'
import { challengeOf } from '../support/challenges.js'

const FULL = { type: 'payment', actions: ['initiate', 'status'], locations: [RESOURCE], identifier: 'acc-1' }

describe.each(EXPRESS_VERSIONS)('authorization details on %s', (_version, express) => {
  let issuer: TestIssuer
  let api: ReturnType<typeof createApi>

  beforeAll(async () => {
    issuer = await createTestIssuer()
    api = createApi(
      express,
      {
        resource: RESOURCE,
        issuer: issuer.issuer,
        introspection: { clientId: 'rs', clientSecret: 'rs-secret' },
      },
      {
        routes(app) {
          app.get('/any', requireAuthorizationDetails({ type: 'payment' }), (req, res) =>
            res.json({
              matched: authorizationDetailsOf(req),
              claim: req.auth.claims['authorization_details'],
            }),
          )
          app.get(
            '/initiate',
            requireAuthorizationDetails({ type: 'payment', actions: ['initiate'], datatypes: ['iban'] }),
            (req, res) => res.json({ matched: authorizationDetailsOf(req) }),
          )
          app.get(
            '/elsewhere',
            requireAuthorizationDetails({ type: 'payment', locations: ['https://bank.example/accounts'] }),
            (_req, res) => res.json({}),
          )
          app.get(
            '/amount',
            requireAuthorizationDetails(
              (detail) => detail.type === 'payment' && Number(detail['amount']) >= 10,
            ),
            (req, res) => res.json({ matched: authorizationDetailsOf(req) }),
          )
        },
      },
    )
  })
  afterAll(async () => {
    await api.server.close()
    await issuer.close()
  })

  const get = (path: string, token: string) =>
    request(api.app).get(path).set('Authorization', `Bearer ${token}`)
  const jwt = (details: unknown) => issuer.mintJwt({ claims: { authorization_details: details } })
  const opaque = (details: unknown) => issuer.issueOpaque({ response: { authorization_details: details } })

  it('R9396-01 reach the handler unchanged, from the JWT and from introspection alike', async () => {
    const details = [{ type: 'other', x: [1, { y: null }] }, FULL]
    for (const token of [jwt(details), opaque(details)]) {
      const response = await get('/any', token)
      expect(response.body).toEqual({ matched: [FULL], claim: details })
    }
  })

  it.each([
    ['an object', { ...FULL }],
    ['a string', JSON.stringify([FULL])],
    ['null', null],
    ['a list of strings', ['payment']],
    ['a list of lists', [[FULL]]],
    ['without type', [{ actions: ['initiate'] }]],
    ['with a type that is no string', [{ type: ['payment'] }]],
    ['an empty list', []],
  ])('R9396-02 details that are %s permit nothing', async (_what, details) => {
    for (const token of [jwt(details), opaque(details)]) {
      const response = await get('/any', token)
      expect(response.status).toBe(403)
    }
  })

  it('R9396-03 the type is compared exactly, and one element must grant the whole', async () => {
    expect((await get('/any', jwt([{ type: 'Payment' }]))).status).toBe(403)
    expect((await get('/any', jwt([{ type: 'payment_x' }]))).status).toBe(403)
    const halves = [
      { type: 'payment', actions: ['initiate'] },
      { type: 'payment', datatypes: ['iban'] },
    ]
    expect((await get('/initiate', jwt(halves))).status).toBe(403)
    const whole = { type: 'payment', actions: ['initiate'], datatypes: ['bic', 'iban'] }
    const response = await get('/initiate', jwt([...halves, whole]))
    expect(response.body).toEqual({ matched: [whole] })
  })

  it('R9396-04 an element for another location is not usable', async () => {
    expect((await get('/any', jwt([{ type: 'payment', locations: ['https://bank.example'] }]))).status).toBe(
      403,
    )
    expect((await get('/any', jwt([{ type: 'payment', locations: RESOURCE }]))).status).toBe(403)
    expect(
      (await get('/any', jwt([{ type: 'payment', locations: ['https://x.example', RESOURCE] }]))).status,
    ).toBe(200)
    const named = [{ type: 'payment', locations: ['https://bank.example/accounts'] }]
    expect((await get('/elsewhere', jwt(named))).status).toBe(200)
    expect((await get('/elsewhere', jwt([FULL]))).status).toBe(403)
  })

  it('R9396-05 a missing detail is 403 insufficient_scope, and nothing of the details is told', async () => {
    const response = await get('/initiate', jwt([{ type: 'payment', secret: 'xyzzy' }]))
    expect(response.status).toBe(403)
    expect(challengeOf(response.headers['www-authenticate']).params).toMatchObject({
      error: 'insufficient_scope',
    })
    expect(`${response.text}${String(response.headers['www-authenticate'])}`).not.toMatch(
      /payment|xyzzy|initiate/,
    )
  })

  it('asks a predicate about each element that is for this API', async () => {
    const big = { type: 'payment', amount: 12 }
    const details = [{ type: 'payment', amount: 3 }, big, { ...big, locations: ['https://bank.example'] }]
    expect((await get('/amount', jwt(details))).body).toEqual({ matched: [big] })
  })
})

describe('requireAuthorizationDetails', () => {
  it.each([
    [{}],
    [{ type: '' }],
    [{ type: 'payment', actions: 'initiate' }],
    [{ type: 'payment', actions: [] }],
    [{ type: 'payment', locations: [1] }],
    [{ type: 'payment', amount: 1 }],
  ])('refuses the pattern %j while building', (pattern) => {
    expect(() => requireAuthorizationDetails(pattern as { type: string })).toThrow(
      /Write requireAuthorizationDetails/,
    )
  })
})
