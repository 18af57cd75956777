/** What tokens of both formats are issued for: who may do what, where, and until when. */

export interface GrantOptions {
  /** Scopes as one string or several. Default: `'read'`. */
  readonly scope?: string | readonly string[]
  /** Written as given. Default: the `audience` of the issuer. */
  readonly audience?: string | readonly string[]
  /** Default: `'alice'`. */
  readonly subject?: string
  /** Default: `'app'`. */
  readonly clientId?: string
  /** Seconds from now; zero and less make a token that has expired. Default: 600. */
  readonly expiresInSeconds?: number
}

export interface Grant {
  readonly iss: string
  readonly aud: string | readonly string[]
  readonly sub: string
  readonly client_id: string
  readonly scope: string
  readonly iat: number
  readonly exp: number
}

const LIFETIME_SECONDS = 600

export function toGrant(options: GrantOptions, issuer: string, audience: string | readonly string[]): Grant {
  const now = Math.floor(Date.now() / 1000)
  const exp = now + (options.expiresInSeconds ?? LIFETIME_SECONDS)
  const { scope = 'read' } = options
  return {
    iss: issuer,
    aud: options.audience ?? audience,
    sub: options.subject ?? 'alice',
    client_id: options.clientId ?? 'app',
    scope: typeof scope === 'string' ? scope : scope.join(' '),
    // an expired token was once good: it was not issued after its end
    iat: exp > now ? now : exp - LIFETIME_SECONDS,
    exp,
  }
}
