/** Does a claim of a good token permit this request? A claim that does not is 403, never "bad token". */
import type { AccessToken } from '../access-token.js'
import { assertSynchronous, InsufficientScopeError, refuse } from '../errors.js'

/** What a claim must be: this value, or whatever the function says yes to. */
export type ClaimExpectation =
  string | number | boolean | ((value: unknown, accessToken: AccessToken) => boolean)

/**
 * A value is met by an equal claim, or by a list that contains it. A function is asked also about an
 * absent claim, as undefined; only `true` is a yes.
 *
 * @throws InsufficientScopeError `claim_mismatch`
 * @throws ConfigurationError if the function answers with a promise
 */
export function validateClaim(accessToken: AccessToken, name: string, expected: ClaimExpectation): void {
  const found = Object.hasOwn(accessToken.claims, name) ? accessToken.claims[name] : undefined
  if (meets(found, expected, accessToken)) return
  const evidence = {
    issuer: accessToken.issuer,
    name,
    expected: typeof expected === 'function' ? 'a value the predicate accepts' : expected,
    found,
  }
  throw refuse(() => new InsufficientScopeError('claim_mismatch', evidence))
}

function meets(found: unknown, expected: ClaimExpectation, accessToken: AccessToken): boolean {
  if (typeof expected !== 'function')
    return found === expected || (Array.isArray(found) && found.includes(expected))
  const answer: unknown = expected(found, accessToken)
  assertSynchronous(answer, 'requireClaim')
  return answer === true
}
