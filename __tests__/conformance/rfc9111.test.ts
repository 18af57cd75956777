/** RFC 9111, HTTP Caching: what a shared cache may do with our answers. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import request from 'supertest'
import { requireScopes } from '../../lib/express/guards.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { createApi, EXPRESS_VERSIONS, RESOURCE } from '../support/apps.js'

let as: TestIssuer

beforeAll(async () => {
  as = await createTestIssuer()
})
afterAll(() => as.close())
afterEach(() => as.heal())

describe.each(EXPRESS_VERSIONS)('RFC 9111 on %s', (_version, express) => {
  it.each<[string, string | undefined, string | undefined]>([
    ['nothing', undefined, undefined],
    ['no-cache', 'no-cache', 'no-cache'],
    ['public, for the handler knows', 'public, max-age=5', 'public, max-age=5'],
  ])('R9111-01 an accepted answer is cached as the handler says: %s', async (_case, wished, sent) => {
    const { app, server } = createApi(
      express,
      { resource: RESOURCE, issuer: as.issuer },
      {
        routes: (routed) =>
          routed.use((_req, res) => {
            if (wished !== undefined) res.set('Cache-Control', wished)
            res.json({})
          }),
      },
    )
    const answer = await request(app).get('/').auth(as.mintJwt(), { type: 'bearer' })
    expect(answer.status).toBe(200)
    expect(answer.headers['cache-control']).toBe(sent)
    await server.close()
  })

  it.each<[number, () => string]>([
    [400, () => 'a b'],
    [401, () => as.mintJwt({ expiresInSeconds: -100 })],
    [403, () => as.mintJwt()],
    [503, outage],
  ])('R9111-01 no cache stores a %i, whatever stood there before', async (status, makeToken) => {
    for (const errors of ['respond', 'next'] as const) {
      const { app, server } = createApi(
        express,
        { resource: RESOURCE, issuer: as.issuer, errors },
        {
          before: (routed) =>
            routed.use((_req, res, next) => next(void res.set('Cache-Control', 'public, max-age=60'))),
          routes: (routed) => routed.use(requireScopes('orders:write')),
        },
      )
      const answer = await request(app).get('/').set('authorization', `Bearer ${makeToken()}`)
      expect(answer.status).toBe(status)
      expect(answer.headers['cache-control']).toBe('no-store')
      await server.close()
    }
  })
})

function outage(): string {
  as.fail('jwks', { kind: 'reset' })
  return as.mintJwt()
}
