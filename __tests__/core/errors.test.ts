import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import {
  assertSynchronous,
  ConfigurationError,
  InsufficientScopeError,
  InvalidRequestError,
  invalidRequest,
  InvalidTokenError,
  invalidToken,
  isThenable,
  MissingTokenError,
  OAuthError,
  refuse,
  UnavailableError,
  type RefusalReason,
} from '../../lib/core/errors.js'

/** As the source has them, so that a new one cannot be forgotten here. */
const source = readFileSync('lib/core/reasons.ts', 'utf8')
const reasons = [
  ...(/const DESCRIPTIONS = \{([\s\S]*?)\n\}/.exec(source)?.[1] ?? '').matchAll(/^ {2}(\w+):/gm),
].map(([, reason]) => reason as RefusalReason)

describe('refusals', () => {
  it.each([
    [new MissingTokenError(['a']), 401, undefined, 'missing_token', 'MissingTokenError'],
    [
      new InvalidRequestError('multiple_tokens'),
      400,
      'invalid_request',
      'multiple_tokens',
      'InvalidRequestError',
    ],
    [new InvalidTokenError('expired'), 401, 'invalid_token', 'expired', 'InvalidTokenError'],
    [
      new InsufficientScopeError('claim_mismatch'),
      403,
      'insufficient_scope',
      'claim_mismatch',
      'InsufficientScopeError',
    ],
  ])('%s has status, code, reason and name', (error, status, code, reason, name) => {
    expect(error).toBeInstanceOf(OAuthError)
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ status, statusCode: status, reason, name })
    expect(error.code).toBe(code)
  })

  it('there are reasons to look at', () => expect(reasons.length).toBeGreaterThan(25))

  it.each(reasons)('%s is told in a fixed sentence that a challenge can hold as it is', (reason) => {
    const { message } = invalidToken(reason, { found: 'SECRET' })
    expect(message).toMatch(/^[A-Z][\x20\x21\x23-\x5B\x5D-\x7E]{10,}$/)
    expect(message).not.toContain('SECRET')
  })

  it('tells one and the same of every opaque token that is not good', () => {
    const opaque = reasons.filter((reason) =>
      /^(?:opaque_(?!not_accepted)|inactive|audience_missing|issuer_mismatch)/.test(reason),
    )
    expect(opaque).toHaveLength(10)
    expect(new Set(opaque.map((reason) => invalidToken(reason).message)).size).toBe(1)
  })

  it('keeps evidence and scopes for those who ask for them', () => {
    const error = new InsufficientScopeError('insufficient_scope', { name: 'scope', found: ['b'] }, ['a'])
    expect(error.evidence).toEqual({ name: 'scope', found: ['b'] })
    expect(error.scope).toEqual(['a'])
  })
})

describe('refuse', () => {
  const limit = Error.stackTraceLimit
  afterEach(() => {
    Error.stackTraceLimit = limit
  })

  it('builds without a stack, and leaves the limit as it was', () => {
    expect(invalidToken('expired').stack).not.toContain('\n    at ')
    expect(invalidRequest('multiple_tokens').stack).not.toContain('\n    at ')
    expect(Error.stackTraceLimit).toBe(limit)
    expect(new Error('other').stack).toContain('\n    at ')
  })

  it('leaves the limit as it was also if building fails', () => {
    const build = () => {
      throw new RangeError('x')
    }
    expect(() => refuse(build)).toThrow(RangeError)
    expect(Error.stackTraceLimit).toBe(limit)
  })
})

describe('UnavailableError', () => {
  it.each([
    [undefined, 1],
    [0, 0],
    [0.2, 1],
    [30, 30],
    [-5, 0],
    [Number.NaN, 1],
    [Number.POSITIVE_INFINITY, 1],
  ])('turns %p into whole seconds for Retry-After', (given, seconds) => {
    const error = new UnavailableError('closed', given === undefined ? {} : { retryAfterSeconds: given })
    expect(error.retryAfterSeconds).toBe(seconds)
  })

  it('says nothing about the token, and keeps cause and evidence apart', () => {
    const cause = new Error('ECONNREFUSED')
    const error = new UnavailableError('keys_unavailable', { issuer: 'i', name: 'n', cause })
    expect(error).toMatchObject({ status: 503, statusCode: 503, reason: 'keys_unavailable', cause })
    expect(error.evidence).toEqual({ issuer: 'i', name: 'n' })
    expect(error.message).toBe('The access token cannot be checked at the moment')
    expect(new UnavailableError('closed')).not.toHaveProperty('cause')
  })
})

describe('ConfigurationError', () => {
  it('is a TypeError with code and path', () => {
    const error = new ConfigurationError('jwt.secret', 'too short')
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({
      name: 'ConfigurationError',
      code: 'ERR_RESOURCE_SERVER_CONFIGURATION',
      path: 'jwt.secret',
    })
  })
})

describe('assertSynchronous', () => {
  it.each([undefined, null, 'x', 1, {}, { then: 1 }, () => undefined])('lets %p pass', (answer) => {
    expect(() => assertSynchronous(answer, 'tokenFrom')).not.toThrow()
  })

  it('refuses a promise, whatever its make, and hears its rejection', () => {
    const then = jest.fn()
    expect(() => assertSynchronous({ then }, 'tokenFrom')).toThrow(ConfigurationError)
    // both ways out are taken, so that no rejection is unhandled
    expect(then).toHaveBeenCalledWith(undefined, expect.any(Function))
    expect(() => assertSynchronous(Promise.reject(new Error('x')), 'tokenFrom')).toThrow('not a promise')
  })
})

describe('isThenable', () => {
  it('tells promises from other values', () => {
    expect([Promise.resolve(), { then: () => 1 }].every(isThenable)).toBe(true)
    expect([undefined, null, 0, 'then', {}, { then: 'x' }].some(isThenable)).toBe(false)
  })
})
