/**
 * Do the token's scopes cover what a request needs? Whole values, case-sensitive, in any order.
 *
 * @see RFC 6749 §3.3, RFC 6750 §3.1
 */
import type { AccessToken } from '../access-token.js'
import { InsufficientScopeError, refuse } from '../errors.js'

/** @throws InsufficientScopeError naming all of `scopes` unless the token has every one */
export function validateAllScopes(accessToken: AccessToken, scopes: readonly string[]): void {
  for (const scope of scopes) {
    if (!accessToken.scopes.includes(scope)) throw insufficient(accessToken, scopes)
  }
}

/** @throws InsufficientScopeError naming all of `scopes` unless the token has at least one */
export function validateAnyScope(accessToken: AccessToken, scopes: readonly string[]): void {
  if (!scopes.some((scope) => accessToken.scopes.includes(scope))) throw insufficient(accessToken, scopes)
}

function insufficient(
  { issuer, scopes: found }: AccessToken,
  expected: readonly string[],
): InsufficientScopeError {
  const evidence = { issuer, name: 'scope', expected, found }
  return refuse(() => new InsufficientScopeError('insufficient_scope', evidence, expected))
}
