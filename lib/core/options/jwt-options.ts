/** The options under `jwt`. */
import { createPrivateKey, KeyObject, type JsonWebKey } from 'node:crypto'
import { ConfigurationError } from '../errors.js'
import { ASYMMETRIC_ALGORITHMS } from '../issuer/signature.js'
import { isDecryptionKey, type DecryptionKey } from '../token/decryption.js'
import type { JwtSettings } from '../token/jwt.js'
import { assertOptions, integer, listOf, oneOf, rule, secret, type Rules } from './rules.js'
import { resolveAlgorithms, resolveClockTolerance, type SecurityProfile } from './security-profile.js'

/** How JWTs are verified. */
export interface JwtOptions {
  /**
   * Accepted `alg` values: an allow-list, never `none`. Default RS256/384/512, PS256/384/512,
   * ES256/384/512, EdDSA and Ed25519; with `secret`, HS256.
   */
  readonly algorithms?: readonly string[]
  /**
   * A shared secret for HS256/384/512, at least as long as the hash (32, 48 or 64 bytes). With it this issuer's
   * tokens are accepted with HMAC only. Danger: whoever can verify can also issue.
   */
  readonly secret?: string | Uint8Array
  /** Private keys (JWK or KeyObject). With any, only tokens encrypted to one of them are accepted. */
  readonly decryptionKeys?: readonly (JsonWebKey | KeyObject)[]
  /** Seconds that clocks may differ. Default 30, limits 0 to 300. */
  readonly clockToleranceSeconds?: number
  /** Seconds after `iat` from which a token is refused whatever its `exp` says. Default none, limit one year. */
  readonly maxLifetimeSeconds?: number
  /** Verified tokens remembered. Default 10000, limits 0 to 1000000. */
  readonly cacheMaxEntries?: number
}

/** RFC 7518 §3.2: the secret is at least as long as the hash, in bytes. */
const HMAC_BYTES: Readonly<Record<string, number>> = { HS256: 32, HS384: 48, HS512: 64 }

const RULES: Rules = {
  algorithms: listOf(oneOf([...ASYMMETRIC_ALGORITHMS, ...Object.keys(HMAC_BYTES)])),
  secret: secret(rule('a string or bytes, at least as long as the hash', 'process.env.JWT_SECRET', isSecret)),
  decryptionKeys: secret(listOf(rule('a private key as JWK or KeyObject', 'privateJwk', isKeyInput))),
  clockToleranceSeconds: integer(0, 300, 30),
  maxLifetimeSeconds: integer(1, 31_536_000, 3600),
  cacheMaxEntries: integer(0, 1_000_000, 10_000),
}

/** @throws ConfigurationError */
export function resolveJwt(
  options: false | JwtOptions | undefined,
  path: string,
  profile?: SecurityProfile,
): JwtSettings | false {
  if (options === false) return false
  const given = options ?? {}
  assertOptions(given, path, RULES)
  return {
    algorithms: resolveAccepted(given, path, profile),
    secret: resolveSecret(given, path),
    decryptionKeys: (given.decryptionKeys ?? []).map((key) => toDecryptionKey(key, path)),
    clockToleranceSeconds: resolveClockTolerance(
      given.clockToleranceSeconds,
      `${path}.clockToleranceSeconds`,
      profile,
    ),
    maxLifetimeSeconds: given.maxLifetimeSeconds,
    cacheMaxEntries: given.cacheMaxEntries ?? 10_000,
  }
}

/** One issuer, one kind of key: a public key must never be taken for a shared secret (RFC 8725 §3.1). */
function resolveAccepted(
  { algorithms, secret: shared }: JwtOptions,
  path: string,
  profile?: SecurityProfile,
): readonly string[] {
  const accepted =
    shared === undefined
      ? resolveAlgorithms(algorithms, ASYMMETRIC_ALGORITHMS, `${path}.algorithms`, profile)
      : (algorithms ?? ['HS256'])
  const misfit = accepted.find((algorithm) => Object.hasOwn(HMAC_BYTES, algorithm) !== (shared !== undefined))
  if (misfit === undefined) return accepted
  const problem =
    shared === undefined
      ? `${misfit} needs a shared secret. Write ${path}: { secret, algorithms: ['${misfit}'] }`
      : `${misfit} is not accepted beside a shared secret. Write HS256, HS384 or HS512, or leave secret out`
  throw new ConfigurationError(`${path}.algorithms`, `resourceServer: ${path}.algorithms: ${problem}`)
}

function resolveSecret(options: JwtOptions, path: string): Uint8Array | undefined {
  if (options.secret === undefined) return undefined
  const bytes = typeof options.secret === 'string' ? Buffer.from(options.secret) : options.secret
  const needed = Math.max(...resolveAccepted(options, path).map((algorithm) => HMAC_BYTES[algorithm] ?? 0))
  if (bytes.length >= needed) return bytes
  throw new ConfigurationError(
    `${path}.secret`,
    `resourceServer: ${path}.secret must have at least ${needed} bytes, received ${bytes.length}. ` +
      `Write a secret as long as the hash (RFC 7518 §3.2)`,
  )
}

function toDecryptionKey(input: JsonWebKey | KeyObject, path: string): DecryptionKey {
  const kid = input instanceof KeyObject ? undefined : input['kid']
  const privateKey = input instanceof KeyObject ? input : importPrivateKey(input, path)
  if (isDecryptionKey(privateKey)) return { kid: typeof kid === 'string' ? kid : undefined, privateKey }
  throw keyError(path)
}

function importPrivateKey(jwk: JsonWebKey, path: string): KeyObject {
  try {
    return createPrivateKey({ key: jwk, format: 'jwk' })
  } catch {
    // the reason could quote the key
    throw keyError(path)
  }
}

function keyError(path: string): ConfigurationError {
  return new ConfigurationError(
    `${path}.decryptionKeys`,
    `resourceServer: ${path}.decryptionKeys must be private keys (RSA, EC or X25519) as JWK or KeyObject`,
  )
}

function isSecret(value: unknown): boolean {
  return (typeof value === 'string' && value !== '') || value instanceof Uint8Array
}

function isKeyInput(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
