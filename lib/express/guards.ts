/**
 * Guards: does the accepted token permit this request? Ordinary handlers, a line each on a route.
 *
 * @see RFC 6750 §3.1: 403 `insufficient_scope` with the scopes that would do
 */
import { validateClaim, type ClaimExpectation } from '../core/authorization/claims.js'
import { scopesIn, validateScopes, type ScopeExpression } from '../core/authorization/scopes.js'
import { isScopeToken } from '../core/challenge.js'
import { ConfigurationError } from '../core/errors.js'
import { createGuard, type Guard } from './guard.js'

/**
 * Lets requests pass whose token has *all* of these scopes.
 *
 * @param scopes at least one; each a scope-token of RFC 6749 §3.3, compared whole and case-sensitively, or
 * an expression made by {@link anyOf} and {@link allOf}
 * @throws ConfigurationError while building, if there is none or one cannot be a scope
 * @example app.get('/orders', requireScopes('orders:read'), listOrders)
 * @example app.get('/reports', requireScopes(anyOf('admin', allOf('reports', 'orders:read'))), listReports)
 */
export function requireScopes(...scopes: ScopeExpression[]): Guard {
  return createScopeGuard('requireScopes', scopes, { allOf: scopes })
}

/**
 * Lets requests pass whose token has *at least one* of these scopes. The challenge names all of them.
 *
 * @param scopes at least one; as in {@link requireScopes}
 * @throws ConfigurationError while building, if there is none or one cannot be a scope
 */
export function requireAnyScope(...scopes: ScopeExpression[]): Guard {
  return createScopeGuard('requireAnyScope', scopes, { anyOf: scopes })
}

/** An expression for {@link requireScopes}: at least one of these. */
export function anyOf(...scopes: ScopeExpression[]): ScopeExpression {
  assertScopes('anyOf', scopes)
  return { anyOf: scopes }
}

/** An expression for {@link requireScopes}: all of these. */
export function allOf(...scopes: ScopeExpression[]): ScopeExpression {
  assertScopes('allOf', scopes)
  return { allOf: scopes }
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

function createScopeGuard(
  name: string,
  scopes: readonly ScopeExpression[],
  expression: ScopeExpression,
): Guard {
  assertScopes(name, scopes)
  const requirement = { name, summary: `scope ${describe(expression)}`, scopes: scopesIn(expression) }
  return createGuard([requirement], ({ accessToken, context }) =>
    validateScopes(accessToken, expression, context.hasScope),
  )
}

function describe(expression: ScopeExpression, isInner = false): string {
  if (typeof expression === 'string') return expression
  const [members, word] = 'allOf' in expression ? [expression.allOf, ' and '] : [expression.anyOf, ' or ']
  const [only] = members
  if (only !== undefined && members.length === 1) return describe(only, isInner)
  const text = members.map((member) => describe(member, true)).join(word)
  return isInner ? `(${text})` : text
}

function assertScopes(name: string, scopes: readonly unknown[]): void {
  const misfits = scopes.filter((scope) => !isExpression(scope))
  if (scopes.length > 0 && misfits.length === 0) return
  const received = scopes.length === 0 ? 'none' : JSON.stringify(misfits)
  throw new ConfigurationError(
    name,
    `${name}: needs at least one scope, each a string without spaces, quotes and backslashes, received ${received}. ` +
      `Write ${name}('orders:read', 'orders:write')`,
  )
}

/** Checked to the last member, for it may have been written by hand: an empty `allOf` would let everybody pass. */
function isExpression(value: unknown): boolean {
  if (typeof value === 'string') return isScopeToken(value)
  if (typeof value !== 'object' || value === null) return false
  const [[kind, members] = [], ...others] = Object.entries(value) as [string, unknown][]
  if ((kind !== 'allOf' && kind !== 'anyOf') || others.length > 0) return false
  return Array.isArray(members) && members.length > 0 && members.every(isExpression)
}
