/** The example MCP server, asked by the official client: discovery, token, call, and a further scope on 403. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { UnauthorizedError, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js'
import { followRedirects } from '../support/browser.js'
import { challengeOf } from '../support/challenges.js'
import { startProgram, stopAllPrograms } from '../support/processes.js'

const METADATA = '/.well-known/oauth-protected-resource/mcp'

const REDIRECT_URI = 'http://127.0.0.1/callback'

interface Seen {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly authorized: boolean
}

describe('an MCP server behind resourceServer', () => {
  let issuer: string
  let url: string
  let origin: string

  beforeAll(async () => {
    const authorizationServer = startProgram(process.execPath, ['examples/authorization-server.mjs', '0'])
    issuer = (await authorizationServer.printed(/^listening on (\S+)$/m))[1] ?? ''
    const mcp = startProgram(process.execPath, ['examples/09-mcp-server.mjs'], { PORT: '0', ISSUER: issuer })
    url = (await mcp.printed(/^listening on (\S+)$/m))[1] ?? ''
    origin = new URL(url).origin
  }, 30_000)
  afterAll(stopAllPrograms)

  /** An application in which alice signs in, as the client's author writes it; every request is on record. */
  function createApplication() {
    const seen: Seen[] = []
    let tokens: OAuthTokens | undefined
    let verifier = ''
    let signInAt: URL | undefined
    const authProvider: OAuthClientProvider = {
      redirectUrl: REDIRECT_URI,
      clientMetadata: { redirect_uris: [REDIRECT_URI] },
      clientInformation: () => ({ client_id: 'spa' }),
      tokens: () => tokens,
      saveTokens: (saved) => void (tokens = saved),
      redirectToAuthorization: (url) => void (signInAt = url),
      saveCodeVerifier: (saved) => void (verifier = saved),
      codeVerifier: () => verifier,
    }
    const watch = async (input: string | URL, init?: RequestInit) => {
      const response = await fetch(input, init)
      const { origin: to, pathname } = new URL(input)
      seen.push({
        method: init?.method ?? 'GET',
        path: to === origin ? pathname : `issuer${pathname}`,
        status: response.status,
        authorized: new Headers(init?.headers).has('authorization'),
      })
      return response
    }
    const createTransport = () =>
      new StreamableHTTPClientTransport(new URL(url), { authProvider, fetch: watch })

    return {
      seen,
      createTransport,
      scope: () => tokens?.scope,
      /** What the client asks of alice after a refusal; then it has another token. */
      async signIn() {
        if (!signInAt) throw new Error('nobody was sent to sign in')
        const { searchParams } = await followRedirects(signInAt, REDIRECT_URI)
        await createTransport().finishAuth(searchParams.get('code') ?? '')
      },
    }
  }

  it('MCP-01 MCP-02 MCP-04 leads the official client from the 401 to a token, and from a 403 to a further scope', async () => {
    const application = createApplication()
    const client = new Client({ name: 'test', version: '1.0.0' })
    await expect(client.connect(application.createTransport())).rejects.toThrow(UnauthorizedError)
    expect(application.seen.slice(0, 2)).toEqual([
      { method: 'POST', path: '/mcp', status: 401, authorized: false },
      { method: 'GET', path: METADATA, status: 200, authorized: false },
    ])
    await application.signIn()
    expect(application.scope()).toBe('orders:read')

    await client.connect(application.createTransport())
    const listed = await client.callTool({ name: 'list_orders' })
    expect(listed.content).toEqual([{ type: 'text', text: 'orders of spa: tea, biscuits' }])

    application.seen.length = 0
    await expect(client.callTool({ name: 'cancel_order' })).rejects.toThrow(UnauthorizedError)
    expect(application.seen[0]).toEqual({ method: 'POST', path: '/mcp', status: 403, authorized: true })
    await application.signIn()
    expect(application.scope()).toBe('orders:read orders:write')
    const cancelled = await client.callTool({ name: 'cancel_order' })
    expect(cancelled.content).toEqual([
      { type: 'text', text: 'cancelled for spa, who may orders:read and orders:write' },
    ])
    await client.close()
  })

  it('MCP-01 serves metadata with at least one authorization server', async () => {
    const response = await fetch(`${origin}${METADATA}`)
    expect(await response.json()).toMatchObject({
      resource: url,
      authorization_servers: [issuer],
      scopes_supported: ['orders:read'],
      bearer_methods_supported: ['header'],
    })
  })

  it('MCP-03 MCP-06 names the scope of a first token in the 401, and never offline_access', async () => {
    const response = await fetch(url, { method: 'POST' })
    expect(response.status).toBe(401)
    const { params } = challengeOf(response.headers.get('www-authenticate') ?? undefined)
    expect(params).toMatchObject({ scope: 'orders:read', resource_metadata: `${origin}${METADATA}` })
    expect(params).not.toHaveProperty('error')
  })

  it('MCP-10 takes no token from the address, and a session id is no authorization', async () => {
    for (const [address, headers] of [
      [`${url}?access_token=x`, {}],
      [url, { 'mcp-session-id': 'x' }],
    ] as const) {
      const response = await fetch(address, { method: 'POST', headers })
      expect(response.status).toBe(401)
    }
  })

  it('MCP-11 refuses other origins before any token work, and keeps the metadata reachable', async () => {
    const headers = { origin: 'https://evil.example', authorization: 'Bearer x' }
    expect((await fetch(url, { method: 'POST', headers })).status).toBe(403)
    expect((await fetch(`${origin}${METADATA}`, { headers })).status).toBe(200)
  })
})
