import { describe, expect, it, jest } from '@jest/globals'
import { toAccessToken } from '../../../lib/core/access-token.js'
import { validateClaim, type ClaimExpectation } from '../../../lib/core/authorization/claims.js'
import { ConfigurationError } from '../../../lib/core/errors.js'

const tokenWith = (claims: Record<string, unknown>) =>
  toAccessToken(
    'SECRET',
    {
      scheme: 'Bearer',
      format: 'jwt',
      issuer: 'i',
      clientId: 'c',
      audience: ['a'],
      scopes: [],
      roles: [],
      permissions: [],
      claims,
      checkedAt: 0,
    },
    'verification',
  )

describe('validateClaim', () => {
  it.each<[unknown, ClaimExpectation]>([
    ['acme', 'acme'],
    [['other', 'acme'], 'acme'],
    [7, 7],
    [[7], 7],
    [true, true],
    [false, false],
    ['', ''],
    [{ id: 1 }, (claim) => (claim as { id: number }).id === 1],
  ])('%j meets %p', (value, expected) => {
    expect(() => validateClaim(tokenWith({ tenant: value }), 'tenant', expected)).not.toThrow()
  })

  it.each<[unknown, ClaimExpectation]>([
    ['acme2', 'acme'],
    ['Acme', 'acme'],
    [undefined, 'acme'],
    [null, 'acme'],
    [[['acme']], 'acme'],
    [{ acme: true }, 'acme'],
    ['7', 7],
    [1, true],
    ['true', true],
    ['acme other', 'acme'],
    ['x', () => false],
    ['x', () => 1 as unknown as boolean],
    ['x', () => 'yes' as unknown as boolean],
    ['x', () => undefined as unknown as boolean],
  ])('%j does not meet %p', (value, expected) => {
    expect(() => validateClaim(tokenWith({ tenant: value }), 'tenant', expected)).toThrow(
      expect.objectContaining({ status: 403, reason: 'claim_mismatch', code: 'insufficient_scope' }),
    )
  })

  it.each(['toString', 'constructor', '__proto__', 'hasOwnProperty'])(
    '%s is no claim because objects have it',
    (name) => {
      const predicate = jest.fn<(value: unknown, token: unknown) => boolean>((value) => value !== undefined)
      expect(() => validateClaim(tokenWith({}), name, predicate)).toThrow()
      expect(predicate).toHaveBeenCalledWith(undefined, expect.anything())
    },
  )

  it('asks a predicate about an absent claim too, and shows it the whole token', () => {
    const accessToken = tokenWith({ a: 1 })
    const predicate = jest.fn<(value: unknown, token: unknown) => boolean>((value) => value === undefined)
    validateClaim(accessToken, 'b', predicate)
    expect(predicate).toHaveBeenCalledWith(undefined, accessToken)
  })

  it('keeps evidence for the operator', () => {
    const evidenceOf = (expected: ClaimExpectation) => {
      try {
        validateClaim(tokenWith({ tenant: 'x' }), 'tenant', expected)
      } catch (error) {
        return (error as { evidence: unknown }).evidence
      }
      return undefined
    }
    expect(evidenceOf('acme')).toEqual({ issuer: 'i', name: 'tenant', expected: 'acme', found: 'x' })
    expect(evidenceOf(() => false)).toMatchObject({ expected: 'a value the predicate accepts' })
  })

  it('takes a promise for a mistake, not for a yes or a no, and hears its rejection', () => {
    const asynchronous = (() => Promise.reject(new Error('later'))) as unknown as ClaimExpectation
    expect(() => validateClaim(tokenWith({}), 'a', asynchronous)).toThrow(ConfigurationError)
  })
})
