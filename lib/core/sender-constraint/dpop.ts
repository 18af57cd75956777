/**
 * Demonstrating proof of possession: does the sender have the key to which the token is bound, and was that
 * shown for this very request, just now, and never before?
 *
 * @see RFC 9449 §4.3 for the checks, §11.1 for replay
 */
import type { KeyObject } from 'node:crypto'
import { UnavailableError } from '../errors.js'
import { sha256 } from '../io/digest.js'
import { StoreError, type Store } from '../io/store.js'
import type { VerifySignature } from '../issuer/signature.js'
import { invalidProof, useNonce } from './dpop-errors.js'
import { createProofKeys } from './dpop-key.js'
import { createNonces, type Nonces, type NonceSettings } from './dpop-nonce.js'
import { parseProof, type DpopProof } from './dpop-proof.js'
import { expectedHtus, matchesHtu, type HtuSettings } from './htu.js'
import type { SenderRequest } from './sender-request.js'

export interface DpopSettings {
  /** Accepted `alg` values of proofs, named in challenges. */
  readonly algorithms: readonly string[]
  /** Seconds after `iat` for which a proof is accepted. */
  readonly maxProofAgeSeconds: number
  /** Seconds that a client's clock may be ahead. */
  readonly clockToleranceSeconds: number
  /** Undefined: proofs need no nonce. */
  readonly nonces: NonceSettings | undefined
  readonly htu: HtuSettings
  /** Proofs remembered. */
  readonly replayMaxEntries: number
}

/** A proof that was good for its request, before it is known whether the token is. */
export interface VerifiedProof {
  readonly thumbprint: string
  readonly key: KeyObject
  readonly jti: string
  /** Milliseconds since the epoch from which it is too old. */
  readonly until: number
  /** Whether the client should be given a newer nonce. */
  readonly renewNonce: boolean
}

export interface Dpop {
  /**
   * All checks that need neither the token's content nor anybody else.
   * @throws InvalidDpopProofError @throws UseDpopNonceError
   */
  verify(token: string, request: SenderRequest): Promise<VerifiedProof>
  /**
   * Takes note of a proof whose token is good and bound to its key: it is not good a second time.
   * @throws InvalidDpopProofError if it was used before @throws UnavailableError if nobody can say
   */
  spend(proof: VerifiedProof): void | Promise<void>
  /** @throws TypeError where nonces are off */
  currentNonce(): string
}

export function createDpop(settings: DpopSettings, store: Store, verifySignature: VerifySignature): Dpop {
  const nonces = settings.nonces && createNonces(settings.nonces)
  const keys = createProofKeys()

  return {
    async verify(token, request) {
      const proof = parseProof(request, settings.algorithms)
      validateRequest(proof, request, settings.htu)
      validateTime(proof, settings)
      validateToken(proof, token)
      const renewNonce = nonces !== undefined && validateNonce(proof, nonces) === 'renew'
      const key = keys.find(proof.jwk, proof.thumbprint)
      if (!key) throw invalidProof('dpop_key_not_allowed', { name: 'jwk', expected: 'a public key' })
      if (!(await verifySignature(proof.jwt, proof.alg, key))) throw invalidProof('dpop_signature_invalid')
      const { thumbprint, jti, iat } = proof
      return { thumbprint, key, jti, until: (iat + settings.maxProofAgeSeconds) * 1000, renewNonce }
    },
    spend(proof) {
      keys.keep(proof.thumbprint, proof.key)
      return spendOnce(proof, store)
    },
    currentNonce() {
      if (!nonces) throw new TypeError('nonces are off')
      return nonces.current()
    },
  }
}

/** Methods are compared as they are: their case counts (RFC 9110 §9.1), and no field overrides them. */
function validateRequest({ htm, htu }: DpopProof, request: SenderRequest, settings: HtuSettings): void {
  if (htm !== request.method) {
    throw invalidProof('dpop_method_mismatch', { name: 'htm', expected: request.method, found: htm })
  }
  const expected = expectedHtus(request, settings)
  if (!matchesHtu(htu, expected))
    throw invalidProof('dpop_uri_mismatch', { name: 'htu', expected, found: htu })
}

function validateTime({ iat }: DpopProof, settings: DpopSettings): void {
  const now = Date.now() / 1000
  if (now >= iat + settings.maxProofAgeSeconds) {
    throw invalidProof('dpop_proof_expired', { name: 'iat', expected: now, found: iat })
  }
  if (now + settings.clockToleranceSeconds < iat) {
    throw invalidProof('dpop_proof_in_future', { name: 'iat', expected: now, found: iat })
  }
}

/** §4.3 (12): the proof goes with this token and no other. */
function validateToken({ ath }: DpopProof, token: string): void {
  if (ath !== sha256(token)) throw invalidProof('dpop_token_mismatch', { name: 'ath' })
}

function validateNonce({ nonce }: DpopProof, nonces: Nonces): 'good' | 'renew' {
  if (nonce === undefined) throw useNonce('dpop_nonce_missing', nonces.current())
  const verdict = nonces.judge(nonce)
  if (verdict === 'unknown') throw useNonce('dpop_nonce_invalid', nonces.current())
  return verdict
}

/** Keyed per key (§11.1): nobody can use up another's `jti`. Only a hash is kept. */
function spendOnce({ thumbprint, jti, until }: VerifiedProof, store: Store): void | Promise<void> {
  const ttlMs = Math.max(1, Math.ceil(until - Date.now()))
  let isFirst
  try {
    isFirst = store.setIfAbsent(`dpop:${sha256(`${thumbprint} ${jti}`)}`, '', ttlMs)
  } catch (error) {
    throw toOutage(error)
  }
  if (isFirst instanceof Promise)
    return isFirst.then(assertFirst, (error: unknown) => Promise.reject(toOutage(error)))
  assertFirst(isFirst)
}

function assertFirst(isFirst: boolean): void {
  if (!isFirst) throw invalidProof('dpop_proof_replayed', { name: 'jti' })
}

/** Whether a proof was used before is not known then; it is not taken for new. */
function toOutage(error: unknown): Error {
  if (!(error instanceof StoreError)) return error as Error
  const reason = error.code === 'full' ? 'replay_memory_full' : 'replay_memory_unavailable'
  return new UnavailableError(reason, { cause: error })
}
