/**
 * The proof that comes with a request: taken out of its header field, decoded, and held to its form. What it
 * says is compared with the request elsewhere.
 *
 * @see RFC 9449 §4.1, §4.2, §4.3 (1) to (5), (7)
 */
import { InvalidTokenError } from '../errors.js'
import { fieldLines } from '../io/field-lines.js'
import { decodeJwt, memberOf, type DecodedJwt, type JsonObject } from '../issuer/jwt-format.js'
import { invalidProof } from './dpop-errors.js'
import type { SenderRequest } from './sender-request.js'
import { toEssentialJwk, toThumbprint, type EssentialJwk } from './thumbprint.js'

/** A well-formed proof; nothing of it is believed yet. */
export interface DpopProof {
  readonly jwt: DecodedJwt
  readonly alg: string
  readonly jwk: EssentialJwk
  /** Of the key: what a token is bound to, if it is bound to this key. */
  readonly thumbprint: string
  readonly jti: string
  readonly htm: string
  readonly htu: string
  /** Seconds since the epoch. */
  readonly iat: number
  readonly ath: string
  readonly nonce: string | undefined
}

/** Characters; a proof with an RSA key of 4096 bits has about 2000. */
const MAX_PROOF_LENGTH = 8192
/** Characters; it is there to be unique, for which 22 do. */
const MAX_JTI_LENGTH = 256
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
/** RFC 7515 §4.1.9: `application/` may be left out. */
const TYPE = /^(?:application\/)?dpop\+jwt$/i
/** What only a private or a shared key has (RFC 7518 §6.2.2, §6.3.2, §6.4). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/**
 * @param algorithms accepted `alg` values
 * @throws InvalidDpopProofError unless there is one proof, and it has the form
 */
export function parseProof(request: SenderRequest, algorithms: readonly string[]): DpopProof {
  const jwt = decodeProof(onlyProof(request))
  return { jwt, ...parseHeader(jwt.header, algorithms), ...parseClaims(jwt.claims) }
}

function onlyProof(request: SenderRequest): string {
  const [proof, ...others] = fieldLines(request, 'dpop')
  if (proof === undefined) throw invalidProof('dpop_proof_missing')
  if (others.length > 0) throw invalidProof('dpop_proof_multiple', { found: others.length + 1 })
  return proof
}

function decodeProof(proof: string): DecodedJwt {
  if (proof.length > MAX_PROOF_LENGTH) {
    throw invalidProof('dpop_proof_malformed', { expected: MAX_PROOF_LENGTH, found: proof.length })
  }
  if (!COMPACT_JWS.test(proof)) throw invalidProof('dpop_proof_malformed')
  try {
    return decodeJwt(proof)
  } catch (error) {
    // the same fault in a proof says nothing against the token
    if (!(error instanceof InvalidTokenError)) throw error
    throw invalidProof('dpop_proof_malformed', error.evidence)
  }
}

function parseHeader(header: JsonObject, algorithms: readonly string[]) {
  const typ = memberOf(header, 'typ')
  if (typeof typ !== 'string' || !TYPE.test(typ)) {
    throw invalidProof('dpop_type_mismatch', { name: 'typ', expected: 'dpop+jwt', found: typ })
  }
  const alg = memberOf(header, 'alg')
  if (typeof alg !== 'string' || !algorithms.includes(alg)) {
    throw invalidProof('dpop_algorithm_not_allowed', { name: 'alg', expected: algorithms, found: alg })
  }
  const unsupported = ['crit', 'b64', 'zip'].find((name) => Object.hasOwn(header, name))
  if (unsupported !== undefined) throw invalidProof('dpop_proof_malformed', { name: unsupported })
  const jwk = parseKey(memberOf(header, 'jwk'))
  return { alg, jwk, thumbprint: toThumbprint(jwk) }
}

function parseKey(value: unknown): EssentialJwk {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  const members = isObject ? (value as JsonObject) : {}
  const name = PRIVATE_MEMBERS.find((member) => Object.hasOwn(members, member))
  const jwk = name === undefined ? toEssentialJwk(members) : undefined
  if (jwk) return jwk
  throw invalidProof('dpop_key_not_allowed', { name: name ?? 'jwk', expected: 'a public key' })
}

function parseClaims(claims: JsonObject) {
  const text = (name: string) => textOf(claims, name)
  const iat = memberOf(claims, 'iat')
  if (typeof iat !== 'number' || !Number.isFinite(iat)) throw malformedClaim('iat', 'a number', iat)
  const jti = text('jti')
  if (jti.length > MAX_JTI_LENGTH) throw malformedClaim('jti', `at most ${MAX_JTI_LENGTH} characters`, jti)
  const nonce = memberOf(claims, 'nonce')
  if (nonce !== undefined && typeof nonce !== 'string') throw malformedClaim('nonce', 'a string', nonce)
  return { jti, htm: text('htm'), htu: text('htu'), iat, ath: text('ath'), nonce }
}

function textOf(claims: JsonObject, name: string): string {
  const value = memberOf(claims, name)
  if (typeof value === 'string' && value !== '') return value
  throw malformedClaim(name, 'a string that is not empty', value)
}

function malformedClaim(name: string, expected: string, found: unknown) {
  return invalidProof('dpop_proof_malformed', { name, expected, found: typeof found })
}
