/**
 * A JSON Web Key Set, read for verification only: what cannot verify an access token is skipped.
 *
 * @see RFC 7517 §4, §5
 * @see RFC 7518 §3.3, §6 for key sizes and curves
 */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'

/** A published key that may verify access tokens. */
export interface VerificationKey {
  readonly kid: string | undefined
  /** The `alg` values it may be used with: the one it names, or all that fit its type. */
  readonly algorithms: readonly string[]
  readonly publicKey: KeyObject
  /** False once its issuer no longer publishes it. What was verified with it stops counting then. */
  isPublished: boolean
}

export interface KeySet {
  readonly keys: readonly VerificationKey[]
  readonly byKid: ReadonlyMap<string, readonly VerificationKey[]>
  /** What makes a key the same key: its material, name and purpose. */
  readonly byIdentity: ReadonlyMap<string, VerificationKey>
  /** Members of the set that were skipped. */
  readonly skipped: number
}

/** What a token says about its key. */
export interface KeyHint {
  readonly alg: string
  readonly kid: string | undefined
}

const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const CURVE_ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  'EC P-256': ['ES256'],
  'EC P-384': ['ES384'],
  'EC P-521': ['ES512'],
  // RFC 9864 renamed EdDSA with this curve; it is one algorithm under two names
  'OKP Ed25519': ['EdDSA', 'Ed25519'],
}
const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 16384
/** More members than this are no key set of an authorization server. */
const MAX_KEYS = 1000
/** How many keys are tried for a token that names none, or for a name that several keys bear. */
const MAX_CANDIDATES = 16

/**
 * Reads the parsed body of a JWKS document.
 *
 * @param former the set it replaces: keys that stay are the same objects, keys that are gone are marked.
 * @returns undefined if the value is no key set.
 */
export function parseKeySet(value: unknown, former?: KeySet): KeySet | undefined {
  const members = isObject(value) ? value['keys'] : undefined
  if (!Array.isArray(members) || members.length > MAX_KEYS) return undefined

  const byIdentity = new Map<string, VerificationKey>()
  for (const member of members as unknown[]) {
    const identity = isObject(member) ? identityOf(member) : undefined
    if (identity === undefined || byIdentity.has(identity)) continue
    const key = former?.byIdentity.get(identity) ?? toVerificationKey(member as JsonWebKey)
    if (key) byIdentity.set(identity, key)
  }
  for (const [identity, key] of former?.byIdentity ?? []) key.isPublished = byIdentity.has(identity)
  return toKeySet(byIdentity, members.length)
}

function toKeySet(byIdentity: ReadonlyMap<string, VerificationKey>, members: number): KeySet {
  const keys = [...byIdentity.values()]
  const byKid = new Map<string, VerificationKey[]>()
  for (const key of keys) {
    if (key.kid === undefined) continue
    const named = byKid.get(key.kid)
    if (named) named.push(key)
    else byKid.set(key.kid, [key])
  }
  return { keys, byKid, byIdentity, skipped: members - keys.length }
}

/**
 * The keys that may have signed a token, best guess first, bounded.
 * A token that names a key is tried with keys of that name, or else with keys that bear none.
 */
export function selectKeys(set: KeySet, hint: KeyHint): readonly VerificationKey[] {
  const named = hint.kid === undefined ? undefined : set.byKid.get(hint.kid)
  const candidates =
    named ?? (hint.kid === undefined ? set.keys : set.keys.filter((key) => key.kid === undefined))
  return candidates.filter((key) => key.algorithms.includes(hint.alg)).slice(0, MAX_CANDIDATES)
}

function toVerificationKey(jwk: JsonWebKey): VerificationKey | undefined {
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') return undefined
  const operations = jwk['key_ops'] as readonly string[] | undefined
  if (operations && !operations.includes('verify')) return undefined
  const algorithms = algorithmsOf(jwk)
  const publicKey = algorithms.length > 0 ? importPublicKey(jwk) : undefined
  if (!publicKey || !hasAcceptedSize(publicKey)) return undefined
  return {
    kid: jwk['kid'] as string | undefined,
    algorithms,
    publicKey,
    isPublished: true,
  }
}

/** One key, one algorithm: a key that names its `alg` serves no other (RFC 8725 §3.1). */
function algorithmsOf(jwk: JsonWebKey): readonly string[] {
  const fitting = jwk.kty === 'RSA' ? RSA_ALGORITHMS : (CURVE_ALGORITHMS[`${jwk.kty} ${jwk.crv}`] ?? [])
  const named = jwk['alg']
  if (named === undefined) return fitting
  if (typeof named !== 'string' || !fitting.includes(named)) return []
  return jwk.kty === 'OKP' ? fitting : [named]
}

/** Only public members are read, so that a private key published by mistake is never held. */
function importPublicKey({ kty, n, e, crv, x, y }: JsonWebKey): KeyObject | undefined {
  const key = (kty === 'RSA' ? { kty, n, e } : { kty, crv, x, y }) as JsonWebKey
  try {
    return createPublicKey({ key, format: 'jwk' })
  } catch {
    // whatever the import dislikes (a point off the curve, a missing member) makes it no key of ours
    return undefined
  }
}

/** With an exponent of 1 anybody can sign (RFC 8017 §3.1: an odd number from 3). */
function hasAcceptedSize({ asymmetricKeyDetails: details }: KeyObject): boolean {
  const { modulusLength: bits, publicExponent: exponent } = details ?? {}
  if (bits === undefined || exponent === undefined) return true
  return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS && exponent >= 3n && exponent % 2n === 1n
}

/** @returns undefined if a member that is read is no string: such a key is malformed. */
function identityOf(jwk: Record<string, unknown>): string | undefined {
  const { kty, n, e, crv, x, y, kid, alg, use, key_ops: operations } = jwk
  const texts = [
    kty,
    n,
    e,
    crv,
    x,
    y,
    kid,
    alg,
    use,
    ...(Array.isArray(operations) ? (operations as unknown[]) : []),
  ]
  if (operations !== undefined && !Array.isArray(operations)) return undefined
  return texts.every((text) => text === undefined || typeof text === 'string')
    ? JSON.stringify(texts)
    : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
