/**
 * The signing keys of the test issuer, made when they are first needed, and the key set it publishes.
 *
 * @see RFC 7517 §5
 */
import { generateKeyPairSync, type JsonWebKey, type KeyObject, randomBytes } from 'node:crypto'
import { ASYMMETRIC_ALGORITHMS, type AsymmetricAlgorithm } from '../core/issuer/signature.js'

export const SIGNING_ALGORITHMS = ASYMMETRIC_ALGORITHMS

export type SigningAlgorithm = AsymmetricAlgorithm

export interface SigningKey {
  readonly alg: SigningAlgorithm
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** As it stands in the key set: with `kid`, `alg` and `use`. */
  readonly publicJwk: Readonly<JsonWebKey>
}

export interface Jwks {
  readonly keys: readonly Readonly<JsonWebKey>[]
}

export interface SigningKeys {
  /** The current key of each algorithm; reading one makes it, and from then on it is published. */
  readonly current: Readonly<Record<SigningAlgorithm, SigningKey>>
  readonly defaultAlgorithm: SigningAlgorithm
  readonly published: () => Jwks
  readonly rotate: (options?: { readonly keep?: boolean }) => void
  readonly withdraw: (kid: string) => void
  readonly add: (jwk: Readonly<JsonWebKey>) => void
}

/** @param algorithms those published from the start; the first is the default for tokens. */
export function createSigningKeys(algorithms: readonly SigningAlgorithm[]): SigningKeys {
  const inUse = new Set(algorithms)
  const current = new Map<SigningAlgorithm, SigningKey>()
  const withdrawn = new Set<string>()
  let retired: Readonly<JsonWebKey>[] = []
  let added: Readonly<JsonWebKey>[] = []

  function currentKey(alg: SigningAlgorithm): SigningKey {
    const key = current.get(alg) ?? createSigningKey(alg)
    current.set(alg, key)
    inUse.add(alg)
    return key
  }

  return {
    current: lazyRecord(currentKey),
    defaultAlgorithm: algorithms[0] ?? 'ES256',
    published() {
      const ours = [...[...inUse].map((alg) => currentKey(alg).publicJwk), ...retired]
      return { keys: [...ours.filter(({ kid }) => !withdrawn.has(String(kid))), ...added] }
    },
    rotate({ keep = false } = {}) {
      retired = keep ? [...[...current.values()].map(({ publicJwk }) => publicJwk), ...retired] : []
      current.clear()
    },
    withdraw(kid) {
      withdrawn.add(kid)
      added = added.filter((jwk) => jwk['kid'] !== kid)
    },
    add(jwk) {
      added.push(jwk)
    },
  }
}

function lazyRecord(
  keyOf: (alg: SigningAlgorithm) => SigningKey,
): Readonly<Record<SigningAlgorithm, SigningKey>> {
  const record = {}
  for (const alg of SIGNING_ALGORITHMS) {
    Object.defineProperty(record, alg, { get: () => keyOf(alg), enumerable: true })
  }
  return record as Record<SigningAlgorithm, SigningKey>
}

/**
 * Makes a key pair that no issuer has published: a stranger's, an attacker's, or one to be published later
 * with `addJwk(key.publicJwk)`.
 *
 * @param kid default: the algorithm and a random tail.
 */
export function createSigningKey(
  alg: SigningAlgorithm,
  kid = `${alg.toLowerCase()}-${randomBytes(6).toString('hex')}`,
): SigningKey {
  const { privateKey, publicKey } = generatePair(alg)
  return {
    alg,
    kid,
    privateKey,
    publicKey,
    publicJwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' },
  }
}

function generatePair(alg: SigningAlgorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  switch (alg) {
    case 'EdDSA':
    case 'Ed25519':
      return generateKeyPairSync('ed25519')
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' })
    case 'ES512':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' })
    default:
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
  }
}
