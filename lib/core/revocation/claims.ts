/** Claims of signed statements, each read by its type; what is not of it is a fault of the statement. */
import { memberOf, type JsonObject } from '../issuer/jwt-format.js'
import { SignedJwtError } from '../issuer/signed-jwt.js'

/** @throws SignedJwtError unless the claim is a string that is not empty */
export function textOf(claims: JsonObject, name: string): string {
  const value = memberOf(claims, name)
  if (typeof value === 'string' && value !== '') return value
  throw new SignedJwtError('claim', `its ${name} is missing or not a string`)
}

/** @throws SignedJwtError if the claim is there and not a string */
export function optionalTextOf(claims: JsonObject, name: string): string | undefined {
  return memberOf(claims, name) === undefined ? undefined : textOf(claims, name)
}

/** @throws SignedJwtError unless the claim is a number of seconds */
export function timeOf(claims: JsonObject, name: string): number {
  const value = memberOf(claims, name)
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value
  throw new SignedJwtError('claim', `its ${name} is missing or not a time`)
}

/** @throws SignedJwtError unless the audience names one of these */
export function validateAudience(claims: JsonObject, accepted: readonly string[]): void {
  const audience = [memberOf(claims, 'aud') ?? []].flat() as readonly unknown[]
  if (audience.some((value) => accepted.includes(value as string))) return
  throw new SignedJwtError('audience', 'it is addressed to somebody else')
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
