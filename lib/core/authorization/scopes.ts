/**
 * Do the token's scopes cover what a request needs? Whole values, case-sensitive, in any order.
 *
 * @see RFC 6749 §3.3, RFC 6750 §3.1
 */
import type { AccessToken } from '../access-token.js'
import { InsufficientScopeError, refuse } from '../errors.js'

/** One scope, or several of which all or any must be there; expressions may hold expressions. */
export type ScopeExpression =
  string | { readonly allOf: readonly ScopeExpression[] } | { readonly anyOf: readonly ScopeExpression[] }

/** Scopes by a scope that includes them: `{ orders: ['orders:read', 'orders:write'] }`. Nothing is implied by its name. */
export type ImpliedScopes = Readonly<Record<string, readonly string[]>>

/** Whether what was granted includes this scope. */
export type HasScope = (granted: readonly string[], scope: string) => boolean

/** @param implied what includes what, also over several steps; each scope includes itself */
export function createScopeHierarchy(implied: ImpliedScopes): HasScope {
  const names = Object.keys(implied)
  if (names.length === 0) return (granted, scope) => granted.includes(scope)
  const includers = new Map<string, string[]>()
  for (const name of names) {
    for (const included of closureOf(name, implied)) {
      includers.set(included, [...(includers.get(included) ?? []), name])
    }
  }

  return function hasScope(granted, scope) {
    return granted.includes(scope) || (includers.get(scope)?.some((name) => granted.includes(name)) ?? false)
  }
}

/** All that a scope includes; a circle ends where it began. */
function closureOf(scope: string, implied: ImpliedScopes): ReadonlySet<string> {
  const reached = new Set<string>()
  const waiting = [scope]
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (reached.has(name)) continue
    reached.add(name)
    if (Object.hasOwn(implied, name)) waiting.push(...(implied[name] ?? []))
  }
  return reached
}

/** Every scope an expression mentions, once: a token with all of them satisfies it. */
export function scopesIn(expression: ScopeExpression): readonly string[] {
  if (typeof expression === 'string') return [expression]
  return [...new Set(membersOf(expression).flatMap(scopesIn))]
}

/** @throws InsufficientScopeError naming every scope of the expression unless the token satisfies it */
export function validateScopes(
  { issuer, scopes: found }: AccessToken,
  expression: ScopeExpression,
  hasScope: HasScope,
): void {
  if (isSatisfied(expression, found, hasScope)) return
  const expected = scopesIn(expression)
  const evidence = { issuer, name: 'scope', expected, found }
  throw refuse(() => new InsufficientScopeError('insufficient_scope', evidence, expected))
}

function isSatisfied(expression: ScopeExpression, granted: readonly string[], hasScope: HasScope): boolean {
  if (typeof expression === 'string') return hasScope(granted, expression)
  const isMet = (member: ScopeExpression) => isSatisfied(member, granted, hasScope)
  return 'allOf' in expression ? expression.allOf.every(isMet) : expression.anyOf.some(isMet)
}

function membersOf(expression: Exclude<ScopeExpression, string>): readonly ScopeExpression[] {
  return 'allOf' in expression ? expression.allOf : expression.anyOf
}
