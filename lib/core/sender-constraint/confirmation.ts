/**
 * May this sender use this token? A token that is bound to something is good only in the hands of who shows
 * to have it: the key of a DPoP proof, the client certificate of the connection, or both.
 *
 * @see RFC 7800 §3.1
 * @see RFC 9449 §7, RFC 8705 §3
 */
import type { AccessToken, TokenScheme } from '../access-token.js'
import { invalidToken } from '../errors.js'
import { createMemoryStore } from '../io/memory-store.js'
import type { Store } from '../io/store.js'
import type { VerifySignature } from '../issuer/signature.js'
import { createDpop, type Dpop, type DpopSettings, type VerifiedProof } from './dpop.js'
import { createCertificateConfirmation, type MtlsSettings } from './mtls.js'
import type { SenderRequest } from './sender-request.js'

export interface SenderConstraintSettings {
  /** Undefined: where this API is reached is not known, so no proof can be for it. */
  readonly dpop: DpopSettings | undefined
  readonly mtls: MtlsSettings
  /** What every token must be bound to; `either`: to something. */
  readonly required: { readonly dpop: boolean; readonly mtls: boolean; readonly either: boolean }
}

export interface SenderConfirmationOptions extends SenderConstraintSettings {
  readonly verifySignature: VerifySignature
  /** Where it is remembered which proofs were used. Default: in this process. */
  readonly store?: Store
}

export interface SenderConfirmation {
  /**
   * What can be said of the sender before anybody is asked about the token.
   * @returns undefined where the scheme demands no proof
   * @throws InvalidDpopProofError @throws UseDpopNonceError @throws InvalidTokenError
   */
  verifyProof(
    credentials: { readonly scheme: TokenScheme; readonly token: string },
    request: SenderRequest,
  ): Promise<VerifiedProof> | undefined
  /**
   * @param proof of the same request
   * @returns the token, if the sender may use it
   * @throws InvalidTokenError @throws InvalidDpopProofError @throws UnavailableError (or rejects with them)
   */
  confirm(
    accessToken: AccessToken,
    request: SenderRequest,
    proof: VerifiedProof | undefined,
  ): AccessToken | Promise<AccessToken>
  /** The nonce to be sent along with the answer to a request that was accepted, if its own is getting old. */
  renewedNonce(request: SenderRequest): string | undefined
}

export function createConfirmation(options: SenderConfirmationOptions): SenderConfirmation {
  const { required } = options
  const dpop = options.dpop && createProofChecks(options.dpop, options)
  const confirmCertificate = createCertificateConfirmation(options.mtls)
  const isAnyRequired = required.dpop || required.mtls || required.either
  const renewals = new WeakMap<SenderRequest, string>()

  function confirmBound(
    accessToken: AccessToken,
    request: SenderRequest,
    proof: VerifiedProof | undefined,
  ): AccessToken | Promise<AccessToken> {
    const { issuer, confirmation = {} } = accessToken
    const { jkt, 'x5t#S256': x5t } = confirmation
    const isUnbound = jkt === undefined && x5t === undefined && !proof
    if (required.either && isUnbound) throw invalidToken('sender_constraint_missing', { issuer })
    if (required.mtls && x5t === undefined) throw invalidToken('sender_constraint_missing', { issuer })
    if (required.dpop && jkt === undefined && !proof) throw invalidToken('dpop_required', { issuer })
    if (x5t !== undefined) confirmCertificate(x5t, request, issuer)
    if (jkt === undefined && !proof) return accessToken
    if (!dpop) throw unconfigured(issuer)
    const spent = dpop.spend(validateKey(jkt, proof, issuer))
    const renew = () => {
      if (proof?.renewNonce) renewals.set(request, dpop.currentNonce())
      return accessToken
    }
    return spent instanceof Promise ? spent.then(renew) : renew()
  }

  return {
    verifyProof({ scheme, token }, request) {
      if (scheme === 'Bearer') return undefined
      if (!dpop) throw unconfigured()
      return dpop.verify(token, request)
    },
    confirm(accessToken, request, proof) {
      if (accessToken.confirmation === undefined && !proof && !isAnyRequired) return accessToken
      return confirmBound(accessToken, request, proof)
    },
    renewedNonce: (request) => renewals.get(request),
  }
}

function createProofChecks(settings: DpopSettings, options: SenderConfirmationOptions): Dpop {
  const store = options.store ?? createMemoryStore(settings.replayMaxEntries)
  return createDpop(settings, store, options.verifySignature)
}

/** The scheme, the proof and the token go together, or nothing does (RFC 9449 §7.1, §7.2). */
function validateKey(
  jkt: string | undefined,
  proof: VerifiedProof | undefined,
  issuer: string,
): VerifiedProof {
  if (!proof) throw invalidToken('dpop_required', { issuer })
  if (jkt === undefined) throw invalidToken('dpop_not_bound', { issuer })
  if (jkt === proof.thumbprint) return proof
  throw invalidToken('dpop_key_mismatch', { issuer, name: 'jkt', expected: jkt, found: proof.thumbprint })
}

function unconfigured(issuer?: string) {
  return invalidToken('sender_constraint_unsupported', { issuer, name: 'dpop.origin' })
}
