/** Alice signs in at the embedded authorization server: authorization code with PKCE, as a browser would. */
import { createHash, randomBytes } from 'node:crypto'

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
  const code = await follow(`${issuer}/auth?${query.toString()}`)
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: 'spa',
      code,
      redirect_uri: REDIRECT_URI,
      code_verifier: verifier,
      ...wished,
    }),
  })
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as UserTokens
}

/** Follows redirects with cookies until one leads back to the application. @returns the code */
async function follow(start: string): Promise<string> {
  const cookies = new Map<string, string>()
  let url = start
  for (let hops = 0; hops < 10; hops += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (location === null) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
    url = new URL(location, url).href
    if (url.startsWith(REDIRECT_URI)) break
  }
  const code = new URL(url).searchParams.get('code')
  if (code === null) throw new Error(`no code in ${url}`)
  return code
}
