/**
 * Is this an access token, and not the ID or refresh token of the same server, signed with the same key?
 *
 * @see RFC 8725 §3.11, §3.12: where types do not tell, claims have to
 */
import { invalidToken } from '../errors.js'
import type { Profile } from '../issuer/profiles.js'
import { memberOf } from './claims.js'
import type { DecodedJwt } from '../issuer/jwt-format.js'

/** Claims that only ID tokens have (OpenID Connect Core §2, §3.3.2.11). */
const ID_TOKEN_CLAIMS = ['nonce', 'at_hash', 'c_hash', 's_hash']

/** Types that say nothing, as profiles write them. */
const GENERIC_TYPES = ['', 'jwt']

/** @throws InvalidTokenError `token_type_mismatch` */
export function validateTokenUse(
  { header, claims }: DecodedJwt,
  { issuer, profile }: { readonly issuer: string; readonly profile: Profile },
): void {
  if (profile.tokenUse) {
    const { claim: name, value: expected } = profile.tokenUse
    const found = memberOf(claims, name)
    if (![expected].flat().includes(found as string)) throw mismatch(name, expected, found)
  }
  if (!profile.types.some((type) => GENERIC_TYPES.includes(type))) return
  if (!profile.tokenUse) {
    const foreign = (profile.idTokenClaims ?? ID_TOKEN_CLAIMS).find((name) => Object.hasOwn(claims, name))
    if (foreign !== undefined) throw mismatch(foreign, 'an access token', 'an ID token')
  }
  // `at+jwt` and its like need no further mark (RFC 9068 §2.1)
  const marks = isGeneric(memberOf(header, 'typ')) ? profile.accessTokenClaims : undefined
  if (!marks || marks.some((name) => memberOf(claims, name) !== undefined)) return
  throw mismatch(marks.join(' or '), 'an access token', undefined)

  function mismatch(name: string, expected: unknown, found: unknown) {
    return invalidToken('token_type_mismatch', { issuer, name, expected, found })
  }
}

function isGeneric(typ: unknown): boolean {
  return typ === undefined || (typeof typ === 'string' && /^(?:application\/)?jwt$/i.test(typ))
}
