/**
 * The name of a public key that is the same whoever computes it, and whatever else its JWK says.
 *
 * @see RFC 7638 §3
 */
import { sha256 } from '../io/digest.js'
import type { JsonObject } from '../issuer/jwt-format.js'

/** RFC 7638 §3.2, RFC 8037 §2: the members that make the key, in lexicographic order. */
const REQUIRED_MEMBERS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['EC', ['crv', 'kty', 'x', 'y']],
  ['OKP', ['crv', 'kty', 'x']],
  ['RSA', ['e', 'kty', 'n']],
])

/** A public key with the members that make it and no other, in the order in which they are hashed. */
export type EssentialJwk = Readonly<Record<string, string>>

/** @returns undefined if it is no public key of a known type, or a member is missing */
export function toEssentialJwk(jwk: JsonObject): EssentialJwk | undefined {
  const essential: Record<string, string> = {}
  for (const name of REQUIRED_MEMBERS.get(jwk['kty']) ?? []) {
    const value = Object.hasOwn(jwk, name) ? jwk[name] : undefined
    if (typeof value !== 'string') return undefined
    essential[name] = value
  }
  return Object.hasOwn(essential, 'kty') ? essential : undefined
}

/** base64url(SHA-256(…)) without padding: the value of `jkt`. */
export function toThumbprint(jwk: EssentialJwk): string {
  return sha256(JSON.stringify(jwk))
}
