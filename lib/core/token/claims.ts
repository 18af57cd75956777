/** Reads members of a claims set that came from outside: every one may be missing or of any type. */
import { memberOf, type JsonObject } from '../issuer/jwt-format.js'

export { memberOf }

/** Seconds since the epoch that a `Date` can still hold; `exp` may be 2^63-1 (RFC 7662 sets no bound). */
const MAX_SECONDS = 8.64e12

/** The first of these claims that is a string with something in it. */
export function firstString(claims: JsonObject, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = memberOf(claims, name)
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}

/** The values of an audience: a string or a list of strings. Undefined if it is neither. */
export function toAudience(value: unknown): readonly string[] | undefined {
  if (typeof value === 'string') return [value]
  return isStringList(value) ? value : undefined
}

/** The scopes of the first of these claims that is there: one string, or a list. Any other type is none. */
export function toScopes(claims: JsonObject, names: readonly string[]): string[] {
  const name = names.find((candidate) => memberOf(claims, candidate) !== undefined)
  const value = name === undefined ? undefined : memberOf(claims, name)
  const scopes = typeof value === 'string' ? value.split(' ') : isStringList(value) ? value : []
  return scopes.filter((scope) => scope !== '')
}

/** A NumericDate (RFC 7519 §2), possibly fractional; huge ones are clamped. Undefined if it is no number. */
export function toSeconds(value: unknown): number | undefined {
  return typeof value === 'number' && !Number.isNaN(value) ? Math.min(value, MAX_SECONDS) : undefined
}

function isStringList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((member) => typeof member === 'string')
}
