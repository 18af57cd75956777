/**
 * Does this key verify this signature? Nothing else is decided here.
 *
 * Node's own verification, because it answers in the same turn: that is what lets signatures be checked
 * back to back, which makes each several times cheaper. What may be verified with what stands in one table.
 *
 * @see RFC 7515 §5.2
 * @see RFC 7518 §3, RFC 8037 §3.1, RFC 9864 §2
 */
import { constants, createHmac, timingSafeEqual, verify, type KeyObject } from 'node:crypto'
import { createBatch } from '../io/batch.js'
import type { DecodedJwt } from './jwt-format.js'

/** `alg` is the token's, already found in the issuer's list. */
export type VerifySignature = (jwt: DecodedJwt, alg: string, key: KeyObject) => Promise<boolean>

/** What a key can be used for: its type, or its curve if it is an elliptic one. */
type KeyKind = 'rsa' | 'prime256v1' | 'secp384r1' | 'secp521r1' | 'ed25519' | 'secret'

/** An algorithm is bound to one kind of key (RFC 8725 §3.1, §3.2). */
interface Algorithm {
  readonly key: KeyKind
  /** Null where the algorithm hashes by itself. */
  readonly digest: string | null
  /** Bytes of salt in RSASSA-PSS: as many as the hash has (RFC 7518 §3.5). */
  readonly saltLength?: number
  /** Bytes of an ECDSA signature, R and S in equal halves (RFC 7518 §3.4). */
  readonly signatureBytes?: number
}

const ASYMMETRIC = {
  RS256: { key: 'rsa', digest: 'sha256' },
  RS384: { key: 'rsa', digest: 'sha384' },
  RS512: { key: 'rsa', digest: 'sha512' },
  PS256: { key: 'rsa', digest: 'sha256', saltLength: 32 },
  PS384: { key: 'rsa', digest: 'sha384', saltLength: 48 },
  PS512: { key: 'rsa', digest: 'sha512', saltLength: 64 },
  ES256: { key: 'prime256v1', digest: 'sha256', signatureBytes: 64 },
  ES384: { key: 'secp384r1', digest: 'sha384', signatureBytes: 96 },
  ES512: { key: 'secp521r1', digest: 'sha512', signatureBytes: 132 },
  EdDSA: { key: 'ed25519', digest: null },
  Ed25519: { key: 'ed25519', digest: null },
} as const satisfies Record<string, Algorithm>

const SYMMETRIC = {
  HS256: { key: 'secret', digest: 'sha256' },
  HS384: { key: 'secret', digest: 'sha384' },
  HS512: { key: 'secret', digest: 'sha512' },
} as const satisfies Record<string, Algorithm>

/** By which a public key vouches. A secret is no such key (RFC 8725 §3.1). */
export type AsymmetricAlgorithm = keyof typeof ASYMMETRIC

export const ASYMMETRIC_ALGORITHMS = Object.keys(ASYMMETRIC) as readonly AsymmetricAlgorithm[]

/** A map: what a stranger names must not be found among the members that every object has. */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>(
  Object.entries({ ...ASYMMETRIC, ...SYMMETRIC }),
)

/** Verifies the signatures of one turn of the event loop back to back. */
export function createSignatureVerification(): VerifySignature {
  const enqueue = createBatch<boolean>()
  // asking a key what it is takes Node longer than one thinks
  const kinds = new WeakMap<KeyObject, string>()

  return function verifySignature(jwt, alg, key) {
    const kind = kinds.get(key) ?? kindOf(key)
    kinds.set(key, kind)
    return enqueue(() => isVerified(jwt, alg, key, kind))
  }
}

/**
 * @returns whether the signature is good; false also for an algorithm that is unknown or does not fit the key
 */
export function isVerified(jwt: DecodedJwt, alg: string, key: KeyObject, kind = kindOf(key)): boolean {
  const algorithm = ALGORITHMS.get(alg)
  if (!algorithm || algorithm.key !== kind) return false
  const signed = Buffer.from(`${jwt.encodedHeader}.${jwt.encodedClaims}`, 'latin1')
  const signature = Buffer.from(jwt.signature, 'base64url')
  if (algorithm.key === 'secret') return verifyHmac(signed, algorithm, key, signature)
  if (algorithm.signatureBytes !== undefined) return verifyEcdsa(signed, algorithm, key, signature)
  return verify(algorithm.digest, signed, toVerifyKey(key, algorithm), signature)
}

function kindOf(key: KeyObject): string {
  if (key.type !== 'public') return key.type
  return key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? ''
}

/** A bare key where nothing is to be said about it: options would cost more than half of a verification. */
function toVerifyKey(key: KeyObject, { saltLength }: Algorithm) {
  return saltLength === undefined ? key : { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
}

function verifyHmac(signed: Buffer, { digest }: Algorithm, key: KeyObject, signature: Buffer): boolean {
  const expected = createHmac(digest ?? '', key)
    .update(signed)
    .digest()
  return expected.length === signature.length && timingSafeEqual(expected, signature)
}

function verifyEcdsa(signed: Buffer, algorithm: Algorithm, key: KeyObject, signature: Buffer): boolean {
  if (signature.length !== algorithm.signatureBytes) return false
  const half = signature.length / 2
  const der = toDer(signature.subarray(0, half), signature.subarray(half))
  return der !== undefined && verify(algorithm.digest, signed, key, der)
}

/** The form in which Node verifies ECDSA fastest. A zero for R or S is no signature (CVE-2022-21449). */
function toDer(r: Buffer, s: Buffer): Buffer | undefined {
  const [integerR, integerS] = [toDerInteger(r), toDerInteger(s)]
  if (!integerR || !integerS) return undefined
  const length = integerR.length + integerS.length
  const head = length < 128 ? [0x30, length] : [0x30, 0x81, length]
  return Buffer.concat([Buffer.from(head), integerR, integerS])
}

/** An unsigned number: no leading zeros, but one before a bit that would make it negative. */
function toDerInteger(bytes: Buffer): Buffer | undefined {
  const start = bytes.findIndex((byte) => byte !== 0)
  if (start === -1) return undefined
  const digits = bytes.subarray(start)
  const isSigned = (digits[0] ?? 0) > 0x7f
  const head = isSigned ? [0x02, digits.length + 1, 0] : [0x02, digits.length]
  return Buffer.concat([Buffer.from(head), digits])
}
