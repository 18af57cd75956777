/** Alice signs in at the embedded authorization server: authorization code with PKCE, as a browser would. */
import { createHash, randomBytes } from 'node:crypto'
import { followRedirects } from '../support/browser.js'

const REDIRECT_URI = 'http://127.0.0.1/callback'

export interface UserTokens {
  readonly access_token: string
  readonly id_token: string
  readonly refresh_token: string
}

/** @param resource for which the access token is; without it the token is opaque */
export async function signIn(issuer: string, resource?: string): Promise<UserTokens> {
  const verifier = randomBytes(32).toString('base64url')
  const wished = resource === undefined ? {} : { resource }
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: 'spa',
    redirect_uri: REDIRECT_URI,
    scope: 'openid offline_access orders:read',
    prompt: 'consent',
    nonce: 'n-0S6',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...wished,
  })
  const back = await followRedirects(`${issuer}/auth?${query.toString()}`, REDIRECT_URI)
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'spa',
      code: back.searchParams.get('code') ?? '',
      redirect_uri: REDIRECT_URI,
      code_verifier: verifier,
      ...wished,
    }),
  })
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as UserTokens
}
