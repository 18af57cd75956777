// What a client asks of the authorization server: a token, and its revocation.

const BASIC = `Basic ${Buffer.from('svc:svc-secret').toString('base64')}`

/** An access token by client credentials (RFC 6749 §4.4), for the API that `resource` names (RFC 8707), if any. */
export async function requestToken(issuer, { resource, scope = 'orders:read' }) {
  const grant = new URLSearchParams({
    grant_type: 'client_credentials',
    scope,
    ...(resource && { resource }),
  })
  const response = await send(`${issuer}/token`, grant)
  const { access_token: token } = await response.json()
  return token
}

/** RFC 7009. */
export async function revokeToken(issuer, token) {
  await send(`${issuer}/token/revocation`, new URLSearchParams({ token }))
}

async function send(url, body) {
  const response = await fetch(url, { method: 'POST', headers: { authorization: BASIC }, body })
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return response
}
