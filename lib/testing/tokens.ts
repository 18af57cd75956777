/**
 * Mints JWT access tokens: by default as RFC 9068 wants them, and on request in any other shape.
 *
 * @see RFC 9068 §2, and RFC 9701 §5 for signed introspection answers
 */
import { randomUUID } from 'node:crypto'
import { type GrantOptions, toGrant } from './grants.js'
import { createSigner, type SignatureOptions } from './signatures.js'
import type { SigningKeys } from './signing-keys.js'

export interface MintOptions extends GrantOptions, SignatureOptions {
  /** Added to the claims or put in place of them; `undefined` leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Added to the header or put in place of it; `undefined` leaves one out. Says nothing about how it is signed. */
  readonly header?: Readonly<Record<string, unknown>>
}

export interface SignAnswerOptions extends SignatureOptions {
  /** Added to the claims around the answer or put in place of them; `undefined` leaves one out. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Added to the header or put in place of it; `undefined` leaves one out. */
  readonly header?: Readonly<Record<string, unknown>>
}

export interface TokenMint {
  readonly mintJwt: (options?: MintOptions) => string
  readonly signAnswer: (answer: object, clientId: string, options?: SignAnswerOptions) => string
  readonly signParts: (
    header: string | Buffer,
    payload: string | Buffer,
    options?: SignatureOptions,
  ) => string
  readonly signEncoded: (signingInput: string, options?: SignatureOptions) => string
}

export function createTokenMint(
  keys: SigningKeys,
  issuer: string,
  audience: string | readonly string[],
): TokenMint {
  const signerFor = (options: SignatureOptions) => createSigner(options, keys.current, keys.defaultAlgorithm)

  return {
    mintJwt(options = {}) {
      const signer = signerFor(options)
      // undefined members vanish in JSON: this is how a test leaves one out
      const header = { typ: 'at+jwt', alg: signer.alg, kid: signer.kid, ...options.header }
      const claims = { ...toGrant(options, issuer, audience), jti: randomUUID(), ...options.claims }
      return signer.sign(encodeParts(JSON.stringify(header), JSON.stringify(claims)))
    },
    signAnswer(answer, clientId, options = {}) {
      const signer = signerFor(options)
      const header = { typ: 'token-introspection+jwt', alg: signer.alg, kid: signer.kid, ...options.header }
      const iat = Math.floor(Date.now() / 1000)
      const claims = { iss: issuer, aud: clientId, iat, token_introspection: answer, ...options.claims }
      return signer.sign(encodeParts(JSON.stringify(header), JSON.stringify(claims)))
    },
    signParts: (header, payload, options = {}) => signerFor(options).sign(encodeParts(header, payload)),
    signEncoded: (signingInput, options = {}) => signerFor(options).sign(signingInput),
  }
}

function encodeParts(...parts: readonly (string | Buffer)[]): string {
  const bytes = parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))
  return bytes.map((part) => part.toString('base64url')).join('.')
}
