/** The example of revocation, and the logout that oidc-provider really sends to it. */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../examples/demo/authorization-server.mjs'
import { followRedirects } from '../support/browser.js'
import { startProgram, stopAllPrograms, type Program } from '../support/processes.js'

const REDIRECT_URI = 'http://127.0.0.1/callback'

describe('examples/08-revocation.mjs', () => {
  let as: AuthorizationServer
  let program: Program
  let origin: string

  beforeAll(async () => {
    as = await startAuthorizationServer()
    program = startProgram(process.execPath, ['examples/08-revocation.mjs'], { PORT: '0', ISSUER: as.issuer })
    origin = (await program.printed(/^listening on (\S+)$/m))[1] ?? ''
    as.registerBackchannelLogout(`${origin}/backchannel-logout`)
  }, 30_000)
  afterAll(async () => {
    stopAllPrograms()
    await as.stop()
  })

  /** An access token of a session in which alice has just signed in. */
  async function signIn(format: 'jwt' | 'opaque' = 'jwt'): Promise<string> {
    const verifier = randomBytes(32).toString('base64url')
    const resource = `https://api.example.com${format === 'opaque' ? '?format=opaque' : ''}`
    const common = { client_id: 'spa', redirect_uri: REDIRECT_URI, resource }
    const url = new URL(`${as.issuer}/auth`)
    url.search = new URLSearchParams({
      ...common,
      response_type: 'code',
      scope: 'openid orders:read',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    }).toString()
    const { searchParams } = await followRedirects(url, REDIRECT_URI)
    const code = searchParams.get('code') ?? ''
    const grant = { ...common, grant_type: 'authorization_code', code, code_verifier: verifier }
    const response = await fetch(`${as.issuer}/token`, { method: 'POST', body: new URLSearchParams(grant) })
    return ((await response.json()) as { access_token: string }).access_token
  }

  const orders = async (token: string) => {
    const response = await fetch(`${origin}/orders`, { headers: { authorization: `Bearer ${token}` } })
    return response.status
  }
  const claimsOf = (jwt: string) =>
    JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as { sid: string; sub: string }

  it('refuses the tokens of a session that oidc-provider says is over, and not those of another', async () => {
    const [ended, other] = [await signIn(), await signIn()]
    expect(await orders(ended)).toBe(200)
    expect(await orders(other)).toBe(200)
    await as.logOut(claimsOf(ended))
    expect(await orders(ended)).toBe(401)
    expect(await orders(other)).toBe(200)
    expect(program.output()).toContain('revocation listed {"kind":"session"')
  }, 30_000)

  it('refuses what was revoked by hand, and asks the authorization server before a payment', async () => {
    const opaque = await signIn('opaque')
    const pay = async () => {
      const headers = { authorization: `Bearer ${opaque}` }
      return (await fetch(`${origin}/payments`, { method: 'POST', headers })).status
    }
    expect(await pay()).toBe(201)
    const response = await fetch(`${origin}/admin/revoke`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ subject: 'alice' }),
    })
    expect(await response.json()).toContainEqual(
      expect.objectContaining({ target: { kind: 'subject', subject: 'alice' }, verdict: 'revoked' }),
    )
    expect(await pay()).toBe(401)
    expect(await orders(opaque)).toBe(401)
  }, 30_000)
})
