/** Scope expressions and hierarchies: what a token with some scopes satisfies. */
import { describe, expect, it } from '@jest/globals'
import type { AccessToken } from '../../../lib/core/access-token.js'
import {
  createScopeHierarchy,
  scopesIn,
  validateScopes,
  type ScopeExpression,
} from '../../../lib/core/authorization/scopes.js'
import { InsufficientScopeError } from '../../../lib/core/errors.js'

const tokenWith = (scopes: string[]) => ({ issuer: 'https://as.example', scopes }) as AccessToken
const none = createScopeHierarchy({})

function isSatisfied(expression: ScopeExpression, scopes: string[], hasScope = none): boolean {
  try {
    validateScopes(tokenWith(scopes), expression, hasScope)
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(InsufficientScopeError)
    return false
  }
}

describe('validateScopes', () => {
  const nested: ScopeExpression = { anyOf: ['admin', { allOf: ['reports', 'orders:read'] }] }

  it.each<[ScopeExpression, string[], boolean]>([
    ['a', ['a'], true],
    ['a', ['b', 'a'], true],
    ['a', [], false],
    ['a', ['A', 'ab', 'a:b', 'a '], false],
    [{ allOf: ['a', 'b'] }, ['b', 'c', 'a'], true],
    [{ allOf: ['a', 'b'] }, ['a'], false],
    [{ anyOf: ['a', 'b'] }, ['b'], true],
    [{ anyOf: ['a', 'b'] }, ['c'], false],
    [nested, ['admin'], true],
    [nested, ['reports', 'orders:read'], true],
    [nested, ['reports'], false],
  ])('%j with %j is %s', (expression, scopes, expected) => {
    expect(isSatisfied(expression, scopes)).toBe(expected)
  })

  it('names every scope of the expression once in the refusal', () => {
    const expression: ScopeExpression = { allOf: ['a', { anyOf: ['b', 'a'] }] }
    expect(scopesIn(expression)).toEqual(['a', 'b'])
    expect(() => validateScopes(tokenWith([]), expression, none)).toThrow(
      expect.objectContaining({ status: 403, scope: ['a', 'b'] }),
    )
  })
})

describe('createScopeHierarchy', () => {
  const hasScope = createScopeHierarchy({
    admin: ['orders', 'users'],
    orders: ['orders:read', 'orders:write'],
    round: ['trip'],
    trip: ['round'],
  })

  it.each([
    [['orders'], 'orders:read', true],
    [['admin'], 'orders:write', true],
    [['admin'], 'admin', true],
    [['orders:read'], 'orders', false],
    [['users'], 'orders:read', false],
    [['trip'], 'round', true],
    [['round'], 'trip', true],
    [['constructor'], 'orders', false],
    [['admin'], '__proto__', false],
  ])('%j has %s: %s', (granted, scope, expected) => {
    expect(hasScope(granted, scope)).toBe(expected)
  })

  it('implies nothing by names alone', () => {
    expect(createScopeHierarchy({})(['orders'], 'orders:read')).toBe(false)
    expect(isSatisfied('orders:read', ['orders'], hasScope)).toBe(true)
  })
})
