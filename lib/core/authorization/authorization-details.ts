/**
 * Do the authorization details of a token permit this request? Each element is an alternative: one alone must
 * grant everything that is asked, actions of one and locations of another do not add up.
 *
 * @see RFC 9396 §2 for the members, §9 for where they are found
 */
import type { AccessToken } from '../access-token.js'
import { InsufficientScopeError, refuse } from '../errors.js'

/** One element of `authorization_details`, as received. */
export interface AuthorizationDetail {
  readonly type: string
  readonly locations?: readonly string[]
  readonly actions?: readonly string[]
  readonly datatypes?: readonly string[]
  readonly identifier?: string
  readonly privileges?: readonly string[]
  readonly [member: string]: unknown
}

/** What one element must grant: this type, and every value named here. Compared exactly. */
export interface AuthorizationDetailPattern {
  readonly type: string
  readonly locations?: readonly string[]
  readonly actions?: readonly string[]
  readonly datatypes?: readonly string[]
  readonly identifier?: string
  readonly privileges?: readonly string[]
}

export type MatchesDetail = (detail: AuthorizationDetail) => boolean

export const LIST_MEMBERS = ['locations', 'actions', 'datatypes', 'privileges'] as const

/** @param identifiers of this API: an element that names locations must name one of them, or what the pattern names */
export function createDetailMatch(
  pattern: AuthorizationDetailPattern,
): (detail: AuthorizationDetail, identifiers: readonly string[]) => boolean {
  return function matchesDetail(detail, identifiers) {
    if (detail.type !== pattern.type) return false
    if (pattern.identifier !== undefined && detail.identifier !== pattern.identifier) return false
    const grantsAll = LIST_MEMBERS.every((name) => grants(detail[name], pattern[name]))
    return grantsAll && (pattern.locations !== undefined || isForUs(detail, identifiers))
  }
}

/**
 * @returns the elements that match, at least one
 * @throws InsufficientScopeError `authorization_details_mismatch`; the client is told nothing of them
 */
export function validateAuthorizationDetails(
  { claims, issuer }: AccessToken,
  matches: MatchesDetail,
): readonly AuthorizationDetail[] {
  const matching = toDetails(claims['authorization_details']).filter((detail) => matches(detail))
  if (matching.length > 0) return matching
  const evidence = { issuer, name: 'authorization_details', expected: 'an element that grants this request' }
  throw refuse(() => new InsufficientScopeError('authorization_details_mismatch', evidence))
}

/** An element names where it may be used, or may be used anywhere. */
export function isForUs({ locations }: AuthorizationDetail, identifiers: readonly string[]): boolean {
  if (locations === undefined) return true
  return Array.isArray(locations) && locations.some((location) => identifiers.includes(location as string))
}

function grants(granted: unknown, needed: readonly string[] | undefined): boolean {
  return needed === undefined || (Array.isArray(granted) && needed.every((value) => granted.includes(value)))
}

/** What is malformed grants nothing: the whole if it is no array, an element without a type. */
function toDetails(value: unknown): readonly AuthorizationDetail[] {
  return Array.isArray(value) ? value.filter(isDetail) : []
}

function isDetail(value: unknown): value is AuthorizationDetail {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}
