/** Guards that look at more than scopes: how the user was authenticated, and what was authorized in detail. */
import {
  createDetailMatch,
  isForUs,
  LIST_MEMBERS,
  validateAuthorizationDetails,
  type AuthorizationDetail,
  type AuthorizationDetailPattern,
  type MatchesDetail,
} from '../core/authorization/authorization-details.js'
import { validateAuthentication, type AuthenticationRequirement } from '../core/authorization/step-up.js'
import { ConfigurationError } from '../core/errors.js'
import { createGuard, type Guard } from './guard.js'
import type { ExpressRequest } from './request.js'

/**
 * Lets requests pass whose user was authenticated as required (claims `acr` and `auth_time` of the JWT or the
 * introspection answer, judged against the clock of this request). Else 401 `insufficient_user_authentication`
 * with `acr_values` and `max_age`, so that the client can send the user to authenticate again.
 *
 * An absent claim counts as not met. Not checked: `amr`; use `requireClaim`.
 *
 * @throws ConfigurationError while building, if nothing is required or a value cannot be
 * @see RFC 9470
 * @example app.post('/transfers', requireStepUp({ acrValues: ['urn:example:mfa'], maxAgeSeconds: 300 }), transfer)
 */
export function requireStepUp(required: AuthenticationRequirement): Guard {
  assertAuthentication(required)
  const { acrValues, maxAgeSeconds } = required
  const summary = [
    ...(acrValues ? [`acr ${acrValues.join(' or ')}`] : []),
    ...(maxAgeSeconds === undefined ? [] : [`authenticated within ${maxAgeSeconds} s`]),
  ].join(', ')
  return createGuard([{ name: 'requireStepUp', summary, scopes: [] }], ({ accessToken }) =>
    validateAuthentication(accessToken, required),
  )
}

/**
 * Lets requests pass that one element of the token's `authorization_details` permits alone: its `type` equal,
 * and every value named in the pattern in it; or the predicate says `true` to it. An element that names
 * `locations` must name this API (its `resource` or `audience`), or those of the pattern. Else 403; neither
 * challenge nor body tells anything of the details. The handler finds the elements that match by
 * {@link authorizationDetailsOf}.
 *
 * @throws ConfigurationError while building, if the pattern has no type or a member is no list of strings
 * @see RFC 9396 §2, §9
 * @example app.post('/payments', requireAuthorizationDetails({ type: 'payment', actions: ['initiate'] }), pay)
 */
export function requireAuthorizationDetails(expected: AuthorizationDetailPattern | MatchesDetail): Guard {
  const isPredicate = typeof expected === 'function'
  if (!isPredicate) assertPattern(expected)
  const matches = isPredicate ? undefined : createDetailMatch(expected)
  const requirement = {
    name: 'requireAuthorizationDetails',
    summary: isPredicate ? 'authorization details' : `authorization details ${describe(expected)}`,
    scopes: [],
    ...(isPredicate ? {} : { detailType: expected.type }),
  }

  return createGuard([requirement], (guarded) => {
    const { identifiers } = guarded.context
    const request: DetailedRequest = guarded.request
    request[DETAILS] = validateAuthorizationDetails(guarded.accessToken, (detail) => {
      if (matches) return matches(detail, identifiers)
      const answer: unknown = isPredicate && isForUs(detail, identifiers) && expected(detail)
      return answer === true
    })
  })
}

/**
 * The elements of `authorization_details` that let this request pass {@link requireAuthorizationDetails}, of
 * the last such guard if there were several. Empty if there was none.
 */
export function authorizationDetailsOf(request: ExpressRequest): readonly AuthorizationDetail[] {
  return (request as DetailedRequest)[DETAILS] ?? []
}

const DETAILS: unique symbol = Symbol.for('express-resource-server.authorization-details')

interface DetailedRequest extends ExpressRequest {
  [DETAILS]?: readonly AuthorizationDetail[]
}

function describe(pattern: AuthorizationDetailPattern): string {
  const lists = LIST_MEMBERS.flatMap((name) => (pattern[name] ? [`${name} ${pattern[name].join(' ')}`] : []))
  const identifier = pattern.identifier === undefined ? [] : [`identifier ${pattern.identifier}`]
  return [pattern.type, ...lists, ...identifier].join(', ')
}

function assertAuthentication({ acrValues, maxAgeSeconds }: AuthenticationRequirement): void {
  const isAcrValid = acrValues === undefined || isListOf(acrValues, isAcrValue)
  const isAgeValid = maxAgeSeconds === undefined || (Number.isInteger(maxAgeSeconds) && maxAgeSeconds >= 0)
  if (isAcrValid && isAgeValid && (acrValues ?? maxAgeSeconds) !== undefined) return
  throw new ConfigurationError(
    'requireStepUp',
    `requireStepUp: needs acrValues (a list of strings without spaces and quotes), maxAgeSeconds (a whole number ` +
      `from 0), or both, received ${JSON.stringify({ acrValues, maxAgeSeconds })}. ` +
      `Write requireStepUp({ acrValues: ['urn:example:mfa'], maxAgeSeconds: 300 })`,
  )
}

function assertPattern(pattern: AuthorizationDetailPattern): void {
  const { type, identifier } = pattern as Partial<AuthorizationDetailPattern>
  const hasType = typeof type === 'string' && type !== ''
  const hasIdentifier = identifier === undefined || typeof identifier === 'string'
  const hasLists = LIST_MEMBERS.every(
    (name) => pattern[name] === undefined || isListOf(pattern[name], isText),
  )
  const known = new Set<string>(['type', 'identifier', ...LIST_MEMBERS])
  const unknown = Object.keys(pattern).find((name) => !known.has(name))
  if (hasType && hasIdentifier && hasLists && unknown === undefined) return
  throw new ConfigurationError(
    'requireAuthorizationDetails',
    `requireAuthorizationDetails: needs a type, and of ${LIST_MEMBERS.join(', ')} lists of strings, received ` +
      `${JSON.stringify(pattern)}${unknown === undefined ? '' : ` (for ${unknown} use a predicate)`}. ` +
      `Write requireAuthorizationDetails({ type: 'payment', actions: ['initiate'] })`,
  )
}

function isListOf(value: unknown, isMember: (member: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isMember)
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

/** Values are written into one parameter with spaces between them (RFC 9470 §3). */
function isAcrValue(value: unknown): boolean {
  return typeof value === 'string' && /^[\x21\x23-\x5B\x5D-\x7E]+$/.test(value)
}
