/**
 * The `WWW-Authenticate` challenge: what is wrong, in words that any header field can carry.
 *
 * @see RFC 6750 §3
 * @see RFC 9110 §11.2, §11.6.1
 */

import type { TokenScheme } from './access-token.js'

/** The parameters of one challenge, in the order in which they are written. Each name stands once. */
export interface ChallengeParameters {
  /** The protection space. Always there: a challenge has at least one parameter (RFC 6750 §3). */
  readonly realm: string
  readonly error?: string | undefined
  readonly error_description?: string | undefined
  /** Scopes that would satisfy the request. */
  readonly scope?: readonly string[] | undefined
  /** Parameters of other specifications, such as `acr_values` and `max_age` (RFC 9470 §3). */
  readonly further?: Readonly<Record<string, string>> | undefined
}

/** RFC 6749 §3.3: scope-token. */
const SCOPE_TOKEN = /^[\x21\x23-\x5B\x5D-\x7E]+$/
/** RFC 6750 §3: what `error` and `error_description` may not hold. */
const NOT_DESCRIPTIVE = /[^\x20\x21\x23-\x5B\x5D-\x7E]+/g
/** RFC 9110 §5.6.4: what a quoted-string may not hold even when escaped; anything beyond ASCII is unsafe too. */
const NOT_QUOTABLE = /[^\x20-\x7E]+/g

/** Whether a string can be written as one scope. */
export function isScopeToken(value: string): boolean {
  return SCOPE_TOKEN.test(value)
}

/**
 * Writes one challenge. Whatever the values hold, the result is a well-formed field value: characters
 * that are not allowed become spaces, scopes that are not scope-tokens are left out.
 */
export function formatChallenge(scheme: TokenScheme, parameters: ChallengeParameters): string {
  const { realm, error, error_description: description, scope, further = {} } = parameters
  const scopes = scope?.filter(isScopeToken) ?? []
  const parts = [`realm="${quote(realm)}"`]
  if (error !== undefined) parts.push(`error="${descriptive(error)}"`)
  if (description !== undefined) parts.push(`error_description="${descriptive(description)}"`)
  if (scopes.length > 0) parts.push(`scope="${scopes.join(' ')}"`)
  for (const [name, value] of Object.entries(further)) parts.push(`${name}="${quote(value)}"`)
  return `${scheme} ${parts.join(', ')}`
}

function descriptive(text: string): string {
  return text.replace(NOT_DESCRIPTIVE, ' ')
}

function quote(text: string): string {
  return text.replace(NOT_QUOTABLE, ' ').replace(/["\\]/g, '\\$&')
}
