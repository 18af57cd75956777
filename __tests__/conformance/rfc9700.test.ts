/** What the security best current practice asks of a resource server, by the rows of the checklist (RFC 9700). */
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import request from 'supertest'
import { requireClaim, requireScopes } from '../../lib/express/guards.js'
import { requireSenderConstrained } from '../../lib/express/require-sender-constrained.js'
import type { ResourceServerEvent } from '../../lib/core/events.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { createApi, EXPRESS_VERSIONS, RESOURCE } from '../support/apps.js'

describe.each(EXPRESS_VERSIONS)('best current practice on %s', (_version, express) => {
  const events: ResourceServerEvent[] = []
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
        onRefusal: (event) => events.push(event),
      },
      {
        routes(app) {
          app.get('/orders', requireScopes('orders:read'), (_req, res) => res.json({}))
          app.post('/orders', requireScopes('orders:write'), (_req, res) => res.json({}))
          app.get('/bound', requireSenderConstrained(), (_req, res) => res.json({}))
          const isUser = (sub: unknown, { clientId }: { clientId: string }) =>
            sub !== undefined && sub !== clientId
          app.get('/profile', requireClaim('sub', isUser), (req, res) => res.json({ ...req.auth }))
        },
      },
    )
  })
  afterAll(async () => {
    await api.server.close()
    await issuer.close()
  })

  const send = (method: 'get' | 'post', path: string, token: string) =>
    request(api.app)[method](path).set('Authorization', `Bearer ${token}`)

  it('R9700-01 the audience is verified on every request, and a token for another API is refused each time', async () => {
    const audience = 'https://other.example.com'
    for (const token of [issuer.mintJwt({ audience }), issuer.issueOpaque({ audience })]) {
      expect((await send('get', '/orders', token)).status).toBe(401)
      expect((await send('get', '/orders', token)).status).toBe(401)
    }
  })

  it('R9700-02 what is needed depends on the method and the path, not on having a token', async () => {
    const token = issuer.mintJwt({ scope: 'orders:read' })
    expect((await send('get', '/orders', token)).status).toBe(200)
    expect((await send('post', '/orders', token)).status).toBe(403)
  })

  it('R9700-03 no token is kept or shown: not in events, in health, in the server or in what handlers log', async () => {
    const good = issuer.mintJwt({ scope: 'orders:read' })
    const opaque = issuer.issueOpaque({ scope: 'orders:read' })
    const bad = issuer.mintJwt({ expiresInSeconds: -100 })
    for (const token of [good, opaque, bad]) await send('get', '/orders', token)
    const { body } = await send('get', '/profile', good)
    const shown = inspect([events, api.server.health(), api.server, body], { depth: 12, showHidden: true })
    for (const token of [good, opaque, bad]) expect(shown).not.toContain(token)
  })

  it('R9700-04 a route can demand a token that is bound to its sender', async () => {
    expect((await send('get', '/bound', issuer.mintJwt())).status).toBe(401)
  })

  it('R9700-05 a client certificate or host named by a stranger counts for nothing', async () => {
    const token = issuer.mintJwt({ claims: { cnf: { 'x5t#S256': 'A'.repeat(43) } } })
    const answer = await send('get', '/orders', token)
      .set('Client-Cert', ':AAAA:')
      .set('X-Forwarded-Host', 'evil.example')
    expect(answer.status).toBe(401)
  })

  it('R9700-06 a handler can tell an application from a user, also where its name is that of a user', async () => {
    const application = issuer.mintJwt({ subject: 'alice', clientId: 'alice' })
    expect((await send('get', '/profile', application)).status).toBe(403)
    const user = await send('get', '/profile', issuer.mintJwt({ subject: 'alice', clientId: 'app' }))
    expect(user.body).toMatchObject({ subject: 'alice', clientId: 'app' })
  })
})
