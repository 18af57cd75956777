/**
 * Guards: does the accepted token permit this request? Ordinary handlers, a line each on a route.
 *
 * @see RFC 6750 §3.1: 403 `insufficient_scope` with the scopes that would do
 */
import { validateClaim, type ClaimExpectation } from '../core/authorization/claims.js'
import { validateAllScopes, validateAnyScope } from '../core/authorization/scopes.js'
import { isScopeToken } from '../core/challenge.js'
import { ConfigurationError } from '../core/errors.js'
import { createGuard, type Guard } from './guard.js'

/**
 * Lets requests pass whose token has *all* of these scopes.
 *
 * @param scopes at least one; each a scope-token of RFC 6749 §3.3, compared whole and case-sensitively
 * @throws ConfigurationError while building, if there is none or one cannot be a scope
 * @example app.get('/orders', requireScopes('orders:read'), listOrders)
 */
export function requireScopes(...scopes: string[]): Guard {
  assertScopes('requireScopes', scopes)
  const requirement = { name: 'requireScopes', summary: `all of: ${scopes.join(' ')}`, scopes }
  return createGuard([requirement], ({ accessToken }) => validateAllScopes(accessToken, scopes))
}

/**
 * Lets requests pass whose token has *at least one* of these scopes. The challenge names all of them.
 *
 * @param scopes at least one; each a scope-token of RFC 6749 §3.3
 * @throws ConfigurationError while building, if there is none or one cannot be a scope
 */
export function requireAnyScope(...scopes: string[]): Guard {
  assertScopes('requireAnyScope', scopes)
  const requirement = { name: 'requireAnyScope', summary: `any of: ${scopes.join(' ')}`, scopes }
  return createGuard([requirement], ({ accessToken }) => validateAnyScope(accessToken, scopes))
}

/**
 * Lets requests pass whose token has this claim with this value (or with a list that contains it), or whose
 * claim the predicate says `true` to. The refusal is 403 and names neither claim nor value to the client.
 *
 * @param expected a predicate must be synchronous; it is asked about an absent claim too, as undefined
 * @throws ConfigurationError while building, if the name is empty or nothing is expected
 */
export function requireClaim(name: string, expected: ClaimExpectation): Guard {
  const isExpectation = ['string', 'number', 'boolean', 'function'].includes(typeof expected)
  if (typeof name !== 'string' || name === '' || !isExpectation) {
    throw new ConfigurationError(
      'requireClaim',
      `requireClaim: needs a claim's name and a value (string, number, boolean) or a predicate. ` +
        `Write requireClaim('tenant', 'acme')`,
    )
  }
  const summary = `claim ${name}${typeof expected === 'function' ? '' : `: ${expected}`}`
  return createGuard([{ name: 'requireClaim', summary, scopes: [] }], ({ accessToken }) =>
    validateClaim(accessToken, name, expected),
  )
}

function assertScopes(name: string, scopes: readonly unknown[]): void {
  const wrong = scopes.find((scope) => typeof scope !== 'string' || !isScopeToken(scope))
  if (scopes.length > 0 && wrong === undefined) return
  const received = scopes.length === 0 ? 'none' : JSON.stringify(wrong)
  throw new ConfigurationError(
    name,
    `${name}: needs at least one scope, each a string without spaces, quotes and backslashes, received ${received}. ` +
      `Write ${name}('orders:read', 'orders:write')`,
  )
}
