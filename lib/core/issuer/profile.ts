/** What a dialect of an authorization server consists of. The data is in `profiles/`, a file a server. */

/** A claim by its name, or the names on the way to it: `['realm_access', 'roles']`. */
export type ClaimPath = string | readonly string[]

/**
 * Stands in a path for each accepted audience, so that of Keycloak's `resource_access` only the roles of this
 * API count, and never those that the user has at another.
 */
export const EACH_AUDIENCE = '{audience}'

export interface Profile {
  /** Accepted JOSE `typ` values, in lower case and without `application/`; `''` stands for an absent one. */
  readonly types: readonly string[]
  /** Claims that must be there. `iss` and `exp` are required whatever stands here. */
  readonly requiredClaims: readonly string[]
  /** The claim that names the audience. */
  readonly audienceClaim: string
  /** Claims that may hold the scopes, as one string or a list; the first one present counts. */
  readonly scopeClaims: readonly string[]
  /** Claims that may name the client; the first one present counts. */
  readonly clientIdClaims: readonly string[]
  /** Claims that may name the subject; the first one present counts. */
  readonly subjectClaims: readonly string[]
  /** The claim by which this server marks access tokens, and what it writes there. */
  readonly tokenUse?: { readonly claim: string; readonly value: string | readonly string[] }
  /**
   * Where `typ` is absent or `JWT`: claims that access tokens of this server have and its ID tokens have not.
   * At least one must be there. Default: none is asked for.
   */
  readonly accessTokenClaims?: readonly string[]
  /**
   * With `''` or `jwt` among the types, and without `tokenUse`: claims that only ID tokens have; a token with one of
   * them is refused. Default `nonce`, `at_hash`, `c_hash`, `s_hash` (OpenID Connect Core §2, §3.3.2.11).
   */
  readonly idTokenClaims?: readonly string[]
  /** Where this server writes roles: all of these count. Default none. */
  readonly roleClaims?: readonly ClaimPath[]
  /** Where this server writes permissions: all of these count. Default none. */
  readonly permissionClaims?: readonly ClaimPath[]
  /**
   * What the introspection answer's `token_type` may say of an access token besides `Bearer` and `DPoP`; in any
   * case of letters. Default nothing.
   */
  readonly introspectionTokenTypes?: readonly string[]
}
