/** The options under `jwks` and `metadata`: where an issuer's keys and endpoints are found. */
import type { JsonWebKey } from 'node:crypto'
import { ConfigurationError } from '../errors.js'
import type { MetadataSettings } from '../issuer/discovery.js'
import { parseKeySet } from '../issuer/key-set.js'
import type { IssuerSettings } from '../issuer/trusted-issuers.js'
import { address, assertOptions, integer, isSection, listOf, rule, secret, type Rules } from './rules.js'

/** Where an issuer's keys come from. */
export interface JwksOptions {
  /** The address of the key set. Default: the metadata's `jwks_uri`. */
  readonly uri?: string
  /** The keys themselves; nothing is fetched then, and nothing is renewed. */
  readonly keys?: readonly JsonWebKey[]
  /** Seconds between refreshes in the background. Default 300, limits 10 to 86400. */
  readonly refreshSeconds?: number
  /** Seconds in which at most one look-up of unknown or replaced keys is made. Default 10, limits 1 to 3600. */
  readonly cooldownSeconds?: number
  /** Seconds for which the last good keys serve while the issuer is down. Default 3600, limits 10 to 604800. */
  readonly maxStaleSeconds?: number
  /** Milliseconds for fetching keys. Default 5000, limits 50 to 60000. */
  readonly timeoutMs?: number
}

/** Where an issuer's metadata comes from. */
export interface MetadataOptions {
  /** The address of the document. Default: derived from the issuer (RFC 8414 §3, OpenID Connect Discovery §4). */
  readonly url?: string
  /**
   * Hosts (`'keys.example.com'`, with any port; or `'keys.example.com:8443'`) beside the issuer's own on which its
   * `jwks_uri` and `introspection_endpoint` may be. Default: any host for issuers that are written down, because
   * of servers that publish their keys elsewhere (Google, Microsoft, Amazon); for issuers from a function only
   * the issuer's own host, and a host named here may also have a private address.
   */
  readonly allowedHosts?: readonly string[]
  /** Seconds between refreshes. Default 3600, limits 60 to 604800. */
  readonly refreshSeconds?: number
  /** Milliseconds for fetching it. Default 5000, limits 50 to 60000. */
  readonly timeoutMs?: number
}

const publicJwk = rule('a public JWK', `{ kty: 'EC', … }`, isJwk)

/** @throws ConfigurationError */
export function resolveJwks(given: JwksOptions, path: string, allowHttp: boolean): IssuerSettings['jwks'] {
  const rules: Rules = {
    uri: address(allowHttp),
    // a private key given by mistake is not shown
    keys: secret(listOf(publicJwk)),
    refreshSeconds: integer(10, 86_400, 300),
    cooldownSeconds: integer(1, 3600, 10),
    maxStaleSeconds: integer(10, 604_800, 3600),
    timeoutMs: integer(50, 60_000, 5000),
  }
  assertOptions(given, path, rules)
  if (given.uri !== undefined && given.keys !== undefined) {
    throw new ConfigurationError(
      path,
      `resourceServer: ${path} takes uri or keys, received both. Write one of them`,
    )
  }
  return {
    uri: given.uri,
    keys: given.keys && resolveKeys(given.keys, path),
    refreshSeconds: given.refreshSeconds ?? 300,
    cooldownSeconds: given.cooldownSeconds ?? 10,
    maxStaleSeconds: given.maxStaleSeconds ?? 3600,
    timeoutMs: given.timeoutMs ?? 5000,
  }
}

/** The members that are read of a key, by form: those given by hand need not have been JSON before. */
function isJwk(value: unknown): boolean {
  if (!isSection(value) || typeof value['kty'] !== 'string') return false
  const { n, e, crv, x, y, kid, alg, use, key_ops: operations = [] } = value
  const isText = (member: unknown) => member === undefined || typeof member === 'string'
  const isList = Array.isArray(operations) && operations.every(isText)
  return isList && [n, e, crv, x, y, kid, alg, use].every(isText)
}

/** Members that cannot verify are skipped in a published set; one given by hand is a mistake. */
function resolveKeys(keys: readonly JsonWebKey[], path: string) {
  const set = parseKeySet({ keys })
  if (set?.skipped === 0) return set
  throw new ConfigurationError(
    `${path}.keys`,
    `resourceServer: ${path}.keys must be public signature keys (RSA from 2048 bits, EC P-256/384/521, Ed25519) ` +
      `as JWK; ${set?.skipped ?? 'all'} of ${keys.length} cannot be used`,
  )
}

/** @throws ConfigurationError */
export function resolveMetadata(given: MetadataOptions, path: string, allowHttp: boolean): MetadataSettings {
  const rules: Rules = {
    url: address(allowHttp),
    allowedHosts: listOf(host),
    refreshSeconds: integer(60, 604_800, 3600),
    timeoutMs: integer(50, 60_000, 5000),
  }
  assertOptions(given, path, rules)
  return {
    url: given.url,
    allowedHosts: given.allowedHosts?.map((name) => name.toLowerCase()),
    refreshSeconds: given.refreshSeconds ?? 3600,
    timeoutMs: given.timeoutMs ?? 5000,
  }
}

const host = rule("a host's name, with or without a port", `'keys.example.com'`, isHost)

function isHost(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    URL.canParse(`https://${value}`) &&
    new URL(`https://${value}`).host === value.toLowerCase()
  )
}
