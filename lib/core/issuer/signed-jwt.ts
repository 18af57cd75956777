/**
 * Statements that an issuer signs and that are no access tokens: logout tokens, security events, status
 * lists. Each kind has rules of its own that no other kind meets, so that none passes for another.
 *
 * @see RFC 7515 §5.2
 * @see RFC 8725 §3.11, §3.12: explicit types and mutually exclusive rules
 */
import { InvalidTokenError } from '../errors.js'
import type { KeySource } from './jwks.js'
import type { VerificationKey } from './key-set.js'
import { decodeJwt, memberOf, type DecodedJwt, type JsonObject } from './jwt-format.js'
import type { VerifySignature } from './signature.js'

/** What is wrong with a statement. */
export type SignedJwtFault =
  'malformed' | 'type' | 'algorithm' | 'issuer' | 'audience' | 'key' | 'signature' | 'claim'

/** A statement that is not believed. Its message is fixed by the code that throws it and holds nothing of the statement. */
export class SignedJwtError extends Error {
  override readonly name = 'SignedJwtError'
  readonly fault: SignedJwtFault

  constructor(fault: SignedJwtFault, message: string) {
    super(message)
    this.fault = fault
  }
}

/** The header that one kind of statement must have. */
export interface SignedJwtRules {
  /** Accepted `typ`, in lower case and without `application/`; `''` stands for an absent one. */
  readonly types: readonly string[]
  /** Accepted `alg`: asymmetric ones. */
  readonly algorithms: readonly string[]
}

export interface SignedJwtKeys {
  readonly keys: KeySource
  readonly verifySignature: VerifySignature
}

/** Statements are longer than tokens, but not by much; a status list has a limit of its own. */
const MAX_BYTES = 64 * 1024

/**
 * Decodes a statement, to find out who makes it. Nothing is believed yet.
 * @throws SignedJwtError
 */
export function decodeSignedJwt(jwt: string, maxBytes = MAX_BYTES): DecodedJwt {
  if (jwt.length > maxBytes || jwt.split('.', 4).length !== 3) throw malformed()
  try {
    return decodeJwt(jwt)
  } catch (error) {
    // a statement is no access token: what is wrong with it is told in other words
    if (!(error instanceof InvalidTokenError)) throw error
    throw malformed()
  }
}

/**
 * Holds a decoded statement against the rules of its kind and the keys of its issuer.
 *
 * @returns its claims, of which nothing is checked here
 * @throws SignedJwtError @throws UnavailableError if the keys cannot be had: it was not checked
 */
export async function verifySignedJwt(
  jwt: DecodedJwt,
  rules: SignedJwtRules,
  { keys, verifySignature }: SignedJwtKeys,
): Promise<JsonObject> {
  const hint = validateHeader(jwt.header, rules)
  const candidates = await findKeys()
  const isVerified =
    (await verifiesAny(candidates)) || (await verifiesAny(await keys.findReplacement(hint, candidates)))
  if (!isVerified) throw new SignedJwtError('signature', 'its signature is not valid')
  return jwt.claims

  async function findKeys(): Promise<readonly VerificationKey[]> {
    try {
      return await keys.find(hint)
    } catch (error) {
      if (!(error instanceof InvalidTokenError)) throw error
      throw new SignedJwtError('key', 'the key that signed it is not published by its issuer')
    }
  }

  async function verifiesAny(tried: readonly VerificationKey[]): Promise<boolean> {
    for (const { publicKey } of tried) {
      if (await verifySignature(jwt, hint.alg, publicKey)) return true
    }
    return false
  }
}

function validateHeader(header: JsonObject, { types, algorithms }: SignedJwtRules) {
  const typ = memberOf(header, 'typ')
  if (!types.includes(toMediaType(typ)))
    throw new SignedJwtError('type', 'its typ is not the one of its kind')
  const alg = memberOf(header, 'alg')
  if (typeof alg !== 'string' || !algorithms.includes(alg)) {
    throw new SignedJwtError('algorithm', 'its signature algorithm is not accepted')
  }
  if (['crit', 'b64', 'zip'].some((name) => Object.hasOwn(header, name))) {
    throw new SignedJwtError('malformed', 'it demands an extension that is not supported')
  }
  const kid = memberOf(header, 'kid')
  if (kid === undefined || typeof kid === 'string') return { alg, kid }
  throw malformed()
}

/** A type without a slash is compared as if `application/` stood before it (RFC 7515 §4.1.9). */
function toMediaType(typ: unknown): string {
  if (typ === undefined) return ''
  if (typeof typ !== 'string' || typ === '') return '(no type)'
  return typ.toLowerCase().replace(/^application\/(?=[^/]*$)/, '')
}

function malformed(): SignedJwtError {
  return new SignedJwtError('malformed', 'it is not a signed JWT')
}
