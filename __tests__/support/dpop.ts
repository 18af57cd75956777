/** A client that makes DPoP proofs, good or wrong in any respect, without the code under test. */
import { createHash, randomUUID } from 'node:crypto'
import { createTokenMint } from '../../lib/testing/tokens.js'
import { createSigningKey, type SigningAlgorithm, type SigningKey } from '../../lib/testing/signing-keys.js'
import type { SignatureOptions } from '../../lib/testing/signatures.js'
import { createSigningKeys } from '../../lib/testing/signing-keys.js'

export interface ProofOptions extends SignatureOptions {
  readonly method?: string
  readonly url?: string
  /** What `ath` is made of. */
  readonly token: string
  /** Added to the claims or put in place of them; `undefined` leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Added to the header or put in place of it; `undefined` leaves one out. */
  readonly header?: Readonly<Record<string, unknown>>
}

export interface DpopClient {
  readonly key: SigningKey
  /** The members of the public key, as a proof names it. */
  readonly jwk: Readonly<Record<string, unknown>>
  /** RFC 7638, computed here. */
  readonly thumbprint: string
  /** The `cnf` of a token that is bound to this client's key. */
  readonly cnf: { readonly jkt: string }
  readonly proof: (options: ProofOptions) => string
}

const { signParts } = createTokenMint(createSigningKeys(['ES256']), '', '')

export function createDpopClient(alg: SigningAlgorithm = 'ES256'): DpopClient {
  const key = createSigningKey(alg)
  const jwk = key.publicKey.export({ format: 'jwk' }) as Record<string, unknown>
  const members = Object.fromEntries(Object.entries(jwk).sort(([a], [b]) => (a < b ? -1 : 1)))
  const thumbprint = sha256(JSON.stringify(members))

  return {
    key,
    jwk,
    thumbprint,
    cnf: { jkt: thumbprint },
    proof({ method = 'GET', url = 'https://api.example.com/', token, claims, header, ...signature }) {
      const now = Math.floor(Date.now() / 1000)
      const own = { jti: randomUUID(), htm: method, htu: url, iat: now, ath: sha256(token) }
      return signParts(
        JSON.stringify({ typ: 'dpop+jwt', alg, jwk, ...header }),
        JSON.stringify({ ...own, ...claims }),
        { key, alg, ...signature },
      )
    },
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
