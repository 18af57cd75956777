/** The options under `dpop`. */
import { randomBytes } from 'node:crypto'
import { ConfigurationError } from '../errors.js'
import { ASYMMETRIC_ALGORITHMS } from '../issuer/signature.js'
import type { DpopSettings } from '../sender-constraint/dpop.js'
import {
  assertOptions,
  either,
  flag,
  integer,
  listOf,
  oneOf,
  rule,
  secret,
  type Rule,
  type Rules,
} from './rules.js'
import { resolveAlgorithms, resolveClockTolerance, type SecurityProfile } from './security-profile.js'

/** How proofs of possession are checked (RFC 9449). */
export interface DpopOptions {
  /** True: every token must be bound to a key and come with a proof; bearer tokens are refused. Default false. */
  readonly require?: boolean
  /** Accepted `alg` values of proofs. Default ES256, ES384, ES512, EdDSA, Ed25519, PS256 and RS256. */
  readonly algorithms?: readonly string[]
  /**
   * Seconds after `iat` for which a proof is accepted, clocks that are behind included. Default 60, limits 1 to 600.
   * Danger: for so long, a proof made ahead of time is good; nonces are the remedy.
   */
  readonly maxProofAgeSeconds?: number
  /** Seconds that a client's clock may be ahead. Default 30, limits 0 to 60. */
  readonly clockToleranceSeconds?: number
  /**
   * `'required'`: proofs need a nonce of this server, which costs each client one more request at first.
   * Default `'off'`.
   */
  readonly nonce?: 'off' | 'required'
  /**
   * What nonces are made with, at least 32 bytes; processes with the same one accept each other's nonces. Of a list
   * the first makes them and all are good to check them, so that it can be changed. Default: random, of this process.
   */
  readonly nonceSecret?: string | Uint8Array | readonly (string | Uint8Array)[]
  /** Seconds for which a nonce is good at most; a new one is sent along after half of them. Default 300, limits 20 to 3600. */
  readonly nonceLifetimeSeconds?: number
  /**
   * Where clients reach this API: scheme, host and port. A list if at several places. Default: those of `resource`.
   * The `Host` field is never asked: anybody can write it.
   */
  readonly origin?: string | readonly string[]
  /** What a proxy takes off the beginning of the path, such as `'/api'`. Default none. */
  readonly pathPrefix?: string
  /**
   * Proofs remembered, so that none is good twice. Beyond, requests with proofs are answered 503. Default 500000
   * (up to 150 MB, and over 8000 requests a second at the default age), limits 1000 to 10000000.
   */
  readonly replayMaxEntries?: number
}

const DEFAULT_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256']
const MIN_SECRET_BYTES = 32

const origin = rule(
  'an origin, http: or https: without path',
  `'https://api.example.com'`,
  (value) =>
    typeof value === 'string' && originOf(value) !== undefined && /^[^/]*\/\/[^/?#]*\/?$/.test(value),
)
const nonceSecret: Rule = rule(
  `a string or bytes, at least ${MIN_SECRET_BYTES} bytes`,
  'process.env.DPOP_NONCE_SECRET',
  (value) => toBytes(value).length >= MIN_SECRET_BYTES,
)

const RULES: Rules = {
  require: flag,
  algorithms: listOf(oneOf(ASYMMETRIC_ALGORITHMS)),
  maxProofAgeSeconds: integer(1, 600, 60),
  clockToleranceSeconds: integer(0, 60, 30),
  nonce: oneOf(['off', 'required']),
  nonceSecret: secret(either(nonceSecret, listOf(nonceSecret))),
  nonceLifetimeSeconds: integer(20, 3600, 300),
  origin: either(origin, listOf(origin)),
  pathPrefix: rule(
    'a path that begins and does not end with a slash',
    `'/api'`,
    (value) => typeof value === 'string' && /^(?:\/[A-Za-z0-9\-._~!$&'()*+,;=:@%]+)+$/.test(value),
  ),
  replayMaxEntries: integer(1000, 10_000_000, 500_000),
}

/**
 * @returns undefined where it does not follow from the options where clients reach this API
 * @throws ConfigurationError
 */
export function resolveDpop(
  options: DpopOptions | undefined,
  resource: string,
  profile?: SecurityProfile,
): DpopSettings | undefined {
  const given = options ?? {}
  assertOptions(given, 'dpop', RULES)
  const origins = originsOf(given, resource)
  if (!origins) {
    if (options === undefined) return undefined
    throw misuse(
      'dpop.origin',
      `does not follow from resource, received ${JSON.stringify(resource)}. Write dpop: { origin: 'https://api.example.com' }`,
    )
  }
  return {
    algorithms: resolveAlgorithms(given.algorithms, DEFAULT_ALGORITHMS, 'dpop.algorithms', profile),
    maxProofAgeSeconds: given.maxProofAgeSeconds ?? 60,
    clockToleranceSeconds: resolveClockTolerance(
      given.clockToleranceSeconds,
      'dpop.clockToleranceSeconds',
      profile,
    ),
    nonces: resolveNonces(given),
    htu: { origins, pathPrefix: given.pathPrefix ?? '' },
    replayMaxEntries: given.replayMaxEntries ?? 500_000,
  }
}

function originsOf({ origin: given }: DpopOptions, resource: string): readonly string[] | undefined {
  if (given !== undefined) return [given].flat().flatMap((one) => originOf(one) ?? [])
  const own = originOf(resource)
  return own === undefined ? undefined : [own]
}

function originOf(uri: string): string | undefined {
  if (!URL.canParse(uri)) return undefined
  const { protocol, origin: found } = new URL(uri)
  return protocol === 'https:' || protocol === 'http:' ? found : undefined
}

function resolveNonces(given: DpopOptions): DpopSettings['nonces'] {
  if (given.nonce === 'required') {
    const secrets =
      given.nonceSecret === undefined ? [randomBytes(MIN_SECRET_BYTES)] : [given.nonceSecret].flat()
    return { secrets: secrets.map(toBytes), lifetimeSeconds: given.nonceLifetimeSeconds ?? 300 }
  }
  const idle = (['nonceSecret', 'nonceLifetimeSeconds'] as const).find((name) => given[name] !== undefined)
  if (idle === undefined) return undefined
  throw misuse(`dpop.${idle}`, `is for nonces, which are off. Write dpop: { nonce: 'required', … }`)
}

function toBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  return typeof value === 'string' ? Buffer.from(value) : new Uint8Array()
}

function misuse(path: string, problem: string): ConfigurationError {
  return new ConfigurationError(path, `resourceServer: ${path} ${problem}`)
}
