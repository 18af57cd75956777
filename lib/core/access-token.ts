/** An accepted access token, as handlers see it, and the facts about one that may be kept between requests. */

/** `jwt`: verified here. `opaque`: judged by the authorization server's introspection endpoint. */
export type TokenFormat = 'jwt' | 'opaque'

/**
 * How the token was found good for this request: its signature was verified now, the authorization
 * server was asked now, or the facts were kept from an earlier request and still hold. `stale`: they no
 * longer do, but the server cannot be reached and `introspection.staleIfErrorSeconds` lets them serve.
 */
export type TokenSource = 'verification' | 'introspection' | 'cache' | 'stale'

/**
 * The authentication scheme by which a token is sent: `DPoP` exactly if it is bound to a key of the client's
 * (RFC 9449 §7.1), else `Bearer`, also where it is bound to a certificate.
 */
export type TokenScheme = 'Bearer' | 'DPoP'

/** What a token is bound to (RFC 7800 §3.1): whoever sends it must show that they have it. */
export interface Confirmation {
  /** The thumbprint of a key, shown by a DPoP proof (RFC 9449 §6). */
  readonly jkt?: string
  /** The thumbprint of a client certificate, shown by mutual TLS (RFC 8705 §3.1). */
  readonly 'x5t#S256'?: string
}

/** What is known about a token and may be cached. Holds no token; frozen to the last claim. */
export interface TokenFacts {
  readonly scheme: TokenScheme
  readonly format: TokenFormat
  readonly issuer: string
  readonly subject?: string
  readonly clientId: string
  readonly audience: readonly string[]
  readonly scopes: string[]
  readonly roles: readonly string[]
  readonly permissions: readonly string[]
  readonly expiresAt?: number
  readonly issuedAt?: number
  readonly claims: Readonly<Record<string, unknown>>
  readonly confirmation?: Confirmation
  readonly checkedAt: number
}

/**
 * The access token of an accepted request, frozen. Assignable to the `AuthInfo` of the Model Context
 * Protocol SDK. Whether it permits *this* request is not checked here: that is the guards' part.
 */
export interface AccessToken<Claims extends object = Readonly<Record<string, unknown>>> {
  /** The token itself. Not enumerable, so that logging or serialising the object does not leak it. */
  readonly token: string
  /** The authentication scheme it came with. */
  readonly scheme: TokenScheme
  readonly format: TokenFormat
  /** The configured issuer. A subject is unique only together with it (RFC 8725 §3.8). */
  readonly issuer: string
  /** Absent where the authorization server names none (introspection of client credentials). */
  readonly subject?: string
  /** The empty string where the authorization server names none. */
  readonly clientId: string
  /** Empty only with `introspection.allowMissingAudience`. */
  readonly audience: readonly string[]
  /** Frozen, although typed as an array that MCP's `AuthInfo` accepts. */
  readonly scopes: string[]
  /** From wherever the issuer's profile says roles are: `realm_access.roles`, `roles`, `groups` … */
  readonly roles: readonly string[]
  /** From wherever the issuer's profile says permissions are. */
  readonly permissions: readonly string[]
  /** Seconds since the epoch. Absent where introspection names no `exp`. */
  readonly expiresAt?: number
  /** Seconds since the epoch. */
  readonly issuedAt?: number
  /**
   * All claims as received: the JWT's payload, or the introspection answer. With the option `claims`, those that
   * its schema speaks of are as the schema puts them out.
   */
  readonly claims: Readonly<Claims>
  /** What the token is bound to; the sender of this request has shown that they have it. */
  readonly confirmation?: Confirmation
  /** Seconds since the epoch at which the authorization server or its key last vouched for the token. */
  readonly checkedAt: number
  readonly source: TokenSource
  /** What was known of revocations for this request. Undefined where no feed proves how fresh that is. */
  readonly revocation?: RevocationKnowledge
}

/** How fresh the knowledge was that the token was checked against. */
export interface RevocationKnowledge {
  /** Seconds since the epoch. */
  readonly checkedAt: number
  /** Seconds since a feed last proved to be complete; 0: the authorization server was asked. */
  readonly lagSeconds: number
}

class FrozenAccessToken implements AccessToken {
  readonly #token: string
  #revocation: RevocationKnowledge | undefined
  declare readonly scheme: TokenScheme
  declare readonly format: TokenFormat
  declare readonly issuer: string
  declare readonly clientId: string
  declare readonly audience: readonly string[]
  declare readonly scopes: string[]
  declare readonly roles: readonly string[]
  declare readonly permissions: readonly string[]
  declare readonly claims: Readonly<Record<string, unknown>>
  declare readonly checkedAt: number
  readonly source: TokenSource

  constructor(token: string, facts: TokenFacts, source: TokenSource) {
    this.#token = token
    this.source = source
    Object.assign(this, facts)
    Object.freeze(this)
  }

  get token(): string {
    return this.#token
  }

  // a getter, because what is found out about a token comes after it was frozen
  get revocation(): RevocationKnowledge {
    return this.#revocation as RevocationKnowledge
  }

  static note(accessToken: AccessToken, revocation: RevocationKnowledge): void {
    if (#revocation in accessToken) accessToken.#revocation = revocation
  }
}

/** Joins the facts about a token with the token of this request. */
export function toAccessToken(token: string, facts: TokenFacts, source: TokenSource): AccessToken {
  return new FrozenAccessToken(token, facts, source)
}

/** Notes on an access token how fresh the knowledge was that it was checked against. */
export function withRevocation(accessToken: AccessToken, lagSeconds = Infinity): AccessToken {
  FrozenAccessToken.note(accessToken, { checkedAt: Math.floor(Date.now() / 1000), lagSeconds })
  return accessToken
}

/**
 * Freezes a JSON value to its last member: what is handed out is what was received. Not by recursion,
 * which a value nested deep enough would turn into a stack overflow.
 */
export function deepFreeze<T>(value: T): T {
  const pending: unknown[] = [value]
  while (pending.length > 0) {
    const next = pending.pop()
    if (typeof next !== 'object' || next === null || Object.isFrozen(next)) continue
    Object.freeze(next)
    for (const member of Object.values(next)) {
      if (typeof member === 'object') pending.push(member)
    }
  }
  return value
}
