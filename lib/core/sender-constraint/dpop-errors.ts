/**
 * Refusals that are about the proof, not about the token: the client mends them by making a new proof.
 *
 * @see RFC 9449 §7.1, §9
 */
import { OAuthError, refuse, type Evidence, type RefusalReason } from '../errors.js'

/** 401 `invalid_dpop_proof`: the proof is missing, malformed, stale, used before or made for another request. */
export class InvalidDpopProofError extends OAuthError {
  override readonly name = 'InvalidDpopProofError'
  constructor(reason: RefusalReason, evidence?: Evidence) {
    super({ status: 401, code: 'invalid_dpop_proof', reason }, evidence)
  }
}

/** 401 `use_dpop_nonce`: the same request may be tried again with this nonce in the proof. */
export class UseDpopNonceError extends OAuthError {
  override readonly name = 'UseDpopNonceError'
  /** The value of the `DPoP-Nonce` field. */
  readonly nonce: string

  constructor(reason: RefusalReason, nonce: string) {
    super({ status: 401, code: 'use_dpop_nonce', reason })
    this.nonce = nonce
  }
}

/** To be thrown; without a stack, as all refusals. */
export function invalidProof(reason: RefusalReason, evidence?: Evidence): InvalidDpopProofError {
  return refuse(() => new InvalidDpopProofError(reason, evidence))
}

/** To be thrown; without a stack, as all refusals. */
export function useNonce(reason: RefusalReason, nonce: string): UseDpopNonceError {
  return refuse(() => new UseDpopNonceError(reason, nonce))
}
