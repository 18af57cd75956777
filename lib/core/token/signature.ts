/**
 * Does this key verify this signature? Nothing else is decided here.
 *
 * @see RFC 7515 §5.2, RFC 7518 §3
 */
import type { KeyObject } from 'node:crypto'
import { errors, flattenedVerify } from 'jose'
import type { DecodedJwt } from './jwt-format.js'

/**
 * @param algorithm the token's `alg`, already found in the issuer's list and fitting the key
 * @returns whether the signature is good
 */
export async function verifySignature(jwt: DecodedJwt, algorithm: string, key: KeyObject): Promise<boolean> {
  const jws = { protected: jwt.encodedHeader, payload: jwt.encodedClaims, signature: jwt.signature }
  try {
    await flattenedVerify(jws, key, { algorithms: [algorithm] })
    return true
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return false
    throw error
  }
}
