/**
 * The keys of proofs, imported once: importing costs as much as a verification. Only keys that a good token
 * is bound to are kept, so that strangers' keys cannot push them out.
 *
 * @see RFC 9449 §4.3 (6), RFC 7518 §3.3
 */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { createCache } from '../io/cache.js'
import type { EssentialJwk } from './thumbprint.js'

export interface ProofKeys {
  /** @returns undefined if it is no key, or one that no proof may be made with */
  find(jwk: EssentialJwk, thumbprint: string): KeyObject | undefined
  keep(thumbprint: string, key: KeyObject): void
}

const MAX_KEPT = 10_000
const MIN_RSA_BITS = 2048
/** A client chooses its key, and we do the work: larger ones are for making us work. */
const MAX_RSA_BITS = 4096
const MAX_RSA_EXPONENT = 0xffff_ffffn

export function createProofKeys(): ProofKeys {
  const kept = createCache<{ readonly key: KeyObject; readonly until: number }>(MAX_KEPT)

  return {
    find: (jwk, thumbprint) => kept.get(thumbprint, 0)?.key ?? importKey(jwk),
    keep(thumbprint, key) {
      if (!kept.get(thumbprint, 0)) kept.set(thumbprint, { key, until: Infinity })
    },
  }
}

function importKey(jwk: EssentialJwk): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
    return isAccepted(key) ? key : undefined
  } catch {
    // whatever the import dislikes (a point off the curve, an unknown curve) makes it no key
    return undefined
  }
}

function isAccepted({ asymmetricKeyDetails: details }: KeyObject): boolean {
  const { modulusLength: bits, publicExponent: exponent } = details ?? {}
  if (bits === undefined || exponent === undefined) return true
  return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS && exponent <= MAX_RSA_EXPONENT
}
