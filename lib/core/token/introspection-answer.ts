/**
 * What an introspection answer says about a token. "Active" is not yet "a valid access token for this
 * API": refresh and ID tokens are active too, and so are tokens meant for others.
 *
 * @see RFC 7662 §2.2
 */
import { deepFreeze, type TokenFacts, type TokenScheme } from '../access-token.js'
import { invalidToken, InvalidTokenError } from '../errors.js'
import type { Profile } from '../issuer/profiles.js'
import { toBinding } from './cnf.js'
import type { CommonValues } from './common-values.js'
import { firstString, memberOf, toAudience, toScopes, toSeconds, valuesAt } from './claims.js'
import type { JsonObject } from '../issuer/jwt-format.js'

export interface IntrospectionExpectations {
  readonly issuer: string
  /** The issuer and its aliases. */
  readonly issuerNames: readonly string[]
  readonly audience: readonly string[]
  readonly profile: Profile
  readonly allowMissingAudience: boolean
  readonly clockToleranceSeconds: number
  /** Of this issuer's answers. */
  readonly common: CommonValues
}

/**
 * What `token_type` may say, by the scheme that goes with the token's binding (RFC 9449 §6.2); anything else
 * names a refresh token, an ID token or something unheard of.
 */
const ACCESS_TOKEN_TYPES: Readonly<Record<TokenScheme, readonly string[]>> = {
  Bearer: ['bearer', 'access_token'],
  DPoP: ['dpop'],
}
/** Members by which servers tell kinds of token apart beside `token_type`, and what they write for ours. */
const KIND_MEMBERS: readonly (readonly [string, readonly string[]])[] = [
  ['token_use', ['access', 'access_token']],
  ['typ', ['bearer', 'dpop', 'at+jwt', 'jwt']],
]

/** What an answer says of a token, and the milliseconds since the epoch until which it can at most be so. */
export type Judgement =
  | { readonly facts: TokenFacts; readonly until: number }
  | { readonly refusal: InvalidTokenError; readonly until: number }

/**
 * @param answer whatever the endpoint said, parsed
 * @param answeredAt milliseconds since the epoch
 * @returns the facts of an active access token for this API, or the refusal
 */
export function judgeAnswer(
  answer: unknown,
  expected: IntrospectionExpectations,
  answeredAt?: number,
): Judgement {
  try {
    return toFacts(answer, expected, answeredAt)
  } catch (error) {
    if (!(error instanceof InvalidTokenError)) throw error
    return { refusal: error, until: endOfRefusal(answer, error, expected) }
  }
}

/** A token that is not valid yet may be so before long. */
function endOfRefusal(
  answer: unknown,
  { reason }: InvalidTokenError,
  { clockToleranceSeconds }: IntrospectionExpectations,
): number {
  if (reason !== 'opaque_not_yet_valid') return Infinity
  const nbf = toSeconds(memberOf(answer as JsonObject, 'nbf')) ?? 0
  return (nbf - clockToleranceSeconds) * 1000
}

/**
 * @param answeredAt milliseconds since the epoch
 * @returns the facts of an active access token, and when its `exp` is over (milliseconds since the epoch)
 * @throws InvalidTokenError in one and the same words whatever is wrong (RFC 7662 §4). Absent members are
 * forgiven where the RFC makes them optional; contradicting ones never.
 */
export function toFacts(
  answer: unknown,
  expected: IntrospectionExpectations,
  answeredAt: number = Date.now(),
): { facts: TokenFacts; until: number } {
  const { issuer, profile, common } = expected
  const members = activeMembers(answer, issuer)
  const binding = toBinding(memberOf(members, 'cnf') ?? undefined, issuer)
  validateKind(members, binding.scheme, expected)
  validateIssuer(members, expected)
  const audience = validateAudience(members, expected)
  const expiresAt = validateTimes(members, expected)
  common.shareClaims(members)
  const subject = firstString(members, profile.subjectClaims)
  const issuedAt = toSeconds(memberOf(members, 'iat'))
  const facts: TokenFacts = {
    ...binding,
    format: 'opaque',
    issuer,
    ...(subject === undefined ? {} : { subject }),
    clientId: firstString(members, [...profile.clientIdClaims, 'client_id']) ?? '',
    audience: common.shareList(audience),
    scopes: common.shareList(toScopes(members, [...profile.scopeClaims, 'scope'])),
    roles: common.shareList(valuesAt(members, profile.roleClaims, expected.audience)),
    permissions: common.shareList(valuesAt(members, profile.permissionClaims, expected.audience)),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(issuedAt === undefined ? {} : { issuedAt }),
    claims: members,
    checkedAt: Math.floor(answeredAt / 1000),
  }
  return { facts: deepFreeze(facts), until: expiresAt === undefined ? Infinity : expiresAt * 1000 }
}

/** Only the JSON boolean says active: "true", 1 and an array do not. */
function activeMembers(answer: unknown, issuer: string): JsonObject {
  const isObject = typeof answer === 'object' && answer !== null && !Array.isArray(answer)
  if (!isObject || memberOf(answer as JsonObject, 'active') !== true)
    throw invalidToken('inactive', { issuer })
  return answer as JsonObject
}

function validateKind(
  members: JsonObject,
  scheme: TokenScheme,
  { issuer, profile }: IntrospectionExpectations,
): void {
  const type = memberOf(members, 'token_type') ?? undefined
  const isAccepted = (name: string) =>
    ACCESS_TOKEN_TYPES[scheme].includes(name) || profile.introspectionTokenTypes?.includes(name) === true
  if (type !== undefined && !(typeof type === 'string' && isAccepted(type.toLowerCase()))) {
    throw invalidToken('opaque_token_type_mismatch', {
      issuer,
      name: 'token_type',
      expected: scheme,
      found: type,
    })
  }
  for (const [name, accepted] of KIND_MEMBERS) {
    const found = memberOf(members, name) ?? undefined
    if (found === undefined || (typeof found === 'string' && accepted.includes(found.toLowerCase()))) continue
    throw invalidToken('opaque_token_type_mismatch', { issuer, name, expected: accepted, found })
  }
}

function validateIssuer(members: JsonObject, { issuer, issuerNames }: IntrospectionExpectations): void {
  const found = memberOf(members, 'iss') ?? undefined
  if (found === undefined || issuerNames.includes(found as string)) return
  throw invalidToken('issuer_mismatch', { issuer, name: 'iss', expected: issuer, found })
}

function validateAudience(members: JsonObject, expected: IntrospectionExpectations): readonly string[] {
  const { issuer, audience, allowMissingAudience, profile } = expected
  const name = profile.audienceClaim
  const found = memberOf(members, name) ?? undefined
  if (found === undefined) {
    if (allowMissingAudience) return []
    throw invalidToken('audience_missing', { issuer, name, expected: audience })
  }
  const values = toAudience(found)
  if (values?.some((value) => audience.includes(value))) return values
  throw invalidToken('opaque_audience_mismatch', { issuer, name, expected: audience, found })
}

/** @returns `exp`, which the server may leave out. It called the token active just now, so no tolerance. */
function validateTimes(members: JsonObject, expected: IntrospectionExpectations): number | undefined {
  const { issuer, clockToleranceSeconds } = expected
  const now = Date.now() / 1000
  const exp = timeOf(members, 'exp', issuer)
  if (exp !== undefined && exp <= now) {
    throw invalidToken('opaque_expired', { issuer, name: 'exp', expected: now, found: exp })
  }
  const nbf = timeOf(members, 'nbf', issuer)
  if (nbf !== undefined && nbf > now + clockToleranceSeconds) {
    throw invalidToken('opaque_not_yet_valid', { issuer, name: 'nbf', expected: now, found: nbf })
  }
  return exp
}

function timeOf(members: JsonObject, name: string, issuer: string): number | undefined {
  const value = memberOf(members, name) ?? undefined
  const seconds = toSeconds(value)
  if (value === undefined || seconds !== undefined) return seconds
  throw invalidToken('opaque_malformed_member', { issuer, name, expected: 'a number', found: typeof value })
}
