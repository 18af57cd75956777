/**
 * The Model Context Protocol's rows for a server as resource server, that need no MCP server to be shown; the
 * others (MCP-01 to -04, -06, -10, -11) are in `examples/mcp-server.test.ts`, with the official client.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import request from 'supertest'
import { requireScopes } from '../../lib/express/guards.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { createApi, EXPRESS_VERSIONS } from '../support/apps.js'

const RESOURCE = 'https://api.example.com/mcp'

describe.each(EXPRESS_VERSIONS)('an MCP server on %s', (_version, express) => {
  let issuer: TestIssuer
  let api: ReturnType<typeof createApi>

  beforeAll(async () => {
    issuer = await createTestIssuer({ audience: RESOURCE })
    api = createApi(
      express,
      {
        resource: RESOURCE,
        issuer: issuer.issuer,
        introspection: { clientId: 'rs', clientSecret: 'rs-secret' },
        impliedScopes: { files: ['files:read'] },
      },
      {
        routes(app) {
          app.post('/mcp', requireScopes('files:read'), (_req, res) => res.json({}))
        },
      },
    )
  })
  afterAll(async () => {
    await api.server.close()
    await issuer.close()
  })

  const post = (token: string) => request(api.app).post('/mcp').set('Authorization', `Bearer ${token}`)

  it('MCP-05 a broader scope that implies the needed one is enough', async () => {
    expect((await post(issuer.mintJwt({ scope: 'files' }))).status).toBe(200)
    expect((await post(issuer.mintJwt({ scope: 'files:write' }))).status).toBe(403)
  })

  it.each([
    ['an expired token', () => issuer.mintJwt({ expiresInSeconds: -60 }), 401],
    ['a token nobody issued', () => 'unknown', 401],
    ['a JWT of garbage', () => `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.e30.AA`, 401],
    ['a malformed request', () => 'a b', 400],
  ])('MCP-07 %s is never a server error', async (_what, token, status) => {
    expect((await post(token())).status).toBe(status)
  })

  it.each(['https://api.example.com/mcp/', 'https://api.example.com', 'https://evil.example/mcp', 'mcp'])(
    'MCP-08 a token for %s is refused',
    async (audience) => {
      expect((await post(issuer.mintJwt({ audience, scope: 'files' }))).status).toBe(401)
      expect((await post(issuer.issueOpaque({ audience, scope: 'files' }))).status).toBe(401)
    },
  )

  it('MCP-09 nothing we send carries the credentials of the request', async () => {
    const token = issuer.mintJwt({ scope: 'files' })
    await post(token)
    await post(issuer.issueOpaque({ scope: 'files' }))
    expect(issuer.count('introspection')).toBeGreaterThan(0)
    for (const { headers } of issuer.requests) expect(headers.authorization ?? '').not.toMatch(/^bearer/i)
    expect(JSON.stringify(issuer.requests)).not.toContain(token)
  })
})
