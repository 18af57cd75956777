/** Reads members of a claims set that came from outside: every one may be missing or of any type. */
import { memberOf, type JsonObject } from '../issuer/jwt-format.js'
import { EACH_AUDIENCE, type ClaimPath } from '../issuer/profiles.js'

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

/**
 * What stands at any of these places, as one string or a list of strings; everything else is nothing.
 *
 * @param audience what `EACH_AUDIENCE` in a path stands for
 */
export function valuesAt(
  claims: JsonObject,
  paths: readonly ClaimPath[] = [],
  audience: readonly string[] = [],
): string[] {
  const values = paths.flatMap((path) => valuesOf([claims], [path].flat(), audience))
  return [...new Set(values)]
}

function valuesOf(from: readonly unknown[], path: readonly string[], audience: readonly string[]): string[] {
  let found = from
  for (const step of path) {
    const names = step === EACH_AUDIENCE ? audience : [step]
    found = found.filter(isObject).flatMap((object) => names.map((name) => memberOf(object, name)))
  }
  return found.flatMap((value) => toAudience(value) ?? [])
}

/** A NumericDate (RFC 7519 §2), possibly fractional; huge ones are clamped. Undefined if it is no number. */
export function toSeconds(value: unknown): number | undefined {
  return typeof value === 'number' && !Number.isNaN(value) ? Math.min(value, MAX_SECONDS) : undefined
}

function isStringList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((member) => typeof member === 'string')
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
