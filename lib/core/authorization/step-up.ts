/**
 * Was the user authenticated well enough, and recently enough, for this request? If not, the client is told
 * how: the token is good, but it must come from another authentication.
 *
 * @see RFC 9470 §3 for the challenge, §6 for where the token says it
 */
import type { AccessToken } from '../access-token.js'
import { InsufficientUserAuthenticationError, refuse } from '../errors.js'

export interface AuthenticationRequirement {
  /** Accepted `acr` values, the most wanted first. Default: any. */
  readonly acrValues?: readonly string[]
  /** Seconds since the user was actively authenticated (`auth_time`). Default: any. */
  readonly maxAgeSeconds?: number
}

/** Seconds by which the clock of the authorization server may be ahead. */
const CLOCK_TOLERANCE_SECONDS = 30

/** @throws InsufficientUserAuthenticationError naming only what is not met */
export function validateAuthentication(
  { claims, issuer }: AccessToken,
  { acrValues, maxAgeSeconds }: AuthenticationRequirement,
): void {
  const { acr, auth_time: authTime } = claims
  const isAcrMet = acrValues === undefined || (typeof acr === 'string' && acrValues.includes(acr))
  const isAgeMet = maxAgeSeconds === undefined || isRecent(authTime, maxAgeSeconds)
  if (isAcrMet && isAgeMet) return
  const parameters = {
    ...(isAcrMet ? {} : { acr_values: acrValues.join(' ') }),
    ...(isAgeMet ? {} : { max_age: String(maxAgeSeconds) }),
  }
  const found = { acr, auth_time: authTime }
  const evidence = { issuer, name: 'acr, auth_time', expected: { acrValues, maxAgeSeconds }, found }
  throw refuse(() => new InsufficientUserAuthenticationError(evidence, parameters))
}

/** An absent `auth_time`, and one in the future, count as too long ago. */
function isRecent(authTime: unknown, maxAgeSeconds: number): boolean {
  const now = Math.floor(Date.now() / 1000)
  if (typeof authTime !== 'number' || authTime > now + CLOCK_TOLERANCE_SECONDS) return false
  return now - authTime <= maxAgeSeconds
}
