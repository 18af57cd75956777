/** The options under `introspection`. */
import { KeyObject } from 'node:crypto'
import { ConfigurationError } from '../errors.js'
import {
  createClientAuthentication,
  type ClientAuthMethod,
  type PrivateKeyInput,
} from '../token/client-authentication.js'
import type { IntrospectionSettings } from '../token/introspection.js'
import {
  address,
  assertOption,
  assertOptions,
  flag,
  integer,
  oneOf,
  rule,
  secret,
  section,
  text,
  type Rules,
} from './rules.js'

/** How opaque tokens are introspected. */
export interface IntrospectionOptions {
  /** Default: the metadata's `introspection_endpoint`. */
  readonly endpoint?: string
  /** The client as which this API asks. Required: it never asks anonymously. */
  readonly clientId: string
  readonly clientSecret?: string | undefined
  /** PEM (PKCS #8), JWK or KeyObject, for `private_key_jwt`. */
  readonly privateKey?: PrivateKeyInput | undefined
  /**
   * Default `private_key_jwt` with a private key; with a secret `client_secret_basic`, or
   * `client_secret_post` where the metadata allows only that.
   */
  readonly authMethod?: ClientAuthMethod
  /** Seconds for which "active" is believed, never beyond `exp`. Default 30, limits 0 to 3600. This is how long a revoked token may live on. */
  readonly cacheTtlSeconds?: number
  /** Seconds for which "not active" is believed. Default 5, limits 0 to 300. */
  readonly negativeCacheTtlSeconds?: number
  /** Milliseconds in which a request has its answer. Default 2000, limits 50 to 60000. */
  readonly timeoutMs?: number
  /** Positive answers remembered, and as many negative ones beside. Default 10000, limits 0 to 1000000. */
  readonly cacheMaxEntries?: number
  /**
   * Accepts active tokens for which the server names no audience. Default false. Danger: tokens for other
   * APIs of the same authorization server, and at some servers refresh tokens, are accepted too.
   */
  readonly allowMissingAudience?: boolean
  /** Whether `token_type_hint=access_token` is sent. Default true. */
  readonly tokenTypeHint?: boolean
  /** Calls under way beyond which requests get 503 at once. Default 100, limits 1 to 10000. */
  readonly maxConcurrent?: number
  readonly breaker?: {
    /** Failures in a row after which the endpoint is left alone. Default 10, limits 1 to 1000. */
    readonly failures?: number
    /** Seconds until one call tries it again. Default 5, limits 1 to 300. */
    readonly trialSeconds?: number
  }
}

const SECRET_METHODS: readonly ClientAuthMethod[] = [
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
]

const BREAKER_RULES: Rules = { failures: integer(1, 1000, 10), trialSeconds: integer(1, 300, 5) }

/** @throws ConfigurationError */
export function resolveIntrospection(
  given: IntrospectionOptions,
  path: string,
  allowHttp: boolean,
): IntrospectionSettings {
  assertOptions(given, path, rulesFor(allowHttp))
  assertOption(given.clientId, `${path}.clientId`, text)
  if (given.breaker) assertOptions(given.breaker, `${path}.breaker`, BREAKER_RULES)
  assertCredentials(given, path)
  return {
    endpoint: given.endpoint,
    clientId: given.clientId,
    clientSecret: given.clientSecret,
    privateKey: given.privateKey,
    authMethod: given.authMethod,
    cacheTtlSeconds: given.cacheTtlSeconds ?? 30,
    negativeCacheTtlSeconds: given.negativeCacheTtlSeconds ?? 5,
    timeoutMs: given.timeoutMs ?? 2000,
    cacheMaxEntries: given.cacheMaxEntries ?? 10_000,
    allowMissingAudience: given.allowMissingAudience ?? false,
    tokenTypeHint: given.tokenTypeHint ?? true,
    maxConcurrent: given.maxConcurrent ?? 100,
    breaker: { failures: given.breaker?.failures ?? 10, trialSeconds: given.breaker?.trialSeconds ?? 5 },
  }
}

function rulesFor(allowHttp: boolean): Rules {
  return {
    endpoint: address(allowHttp),
    clientId: text,
    clientSecret: secret(text),
    privateKey: secret(rule('a private key as PEM, JWK or KeyObject', 'privateKey', isKeyInput)),
    authMethod: oneOf([...SECRET_METHODS, 'private_key_jwt']),
    cacheTtlSeconds: integer(0, 3600, 30),
    negativeCacheTtlSeconds: integer(0, 300, 5),
    timeoutMs: integer(50, 60_000, 2000),
    cacheMaxEntries: integer(0, 1_000_000, 10_000),
    allowMissingAudience: flag,
    tokenTypeHint: flag,
    maxConcurrent: integer(1, 10_000, 100),
    breaker: section,
  }
}

/** One credential, and a method that uses it: an anonymous question is never asked (RFC 7662 §2.1). */
function assertCredentials(given: IntrospectionOptions, path: string): void {
  const { clientSecret, privateKey, authMethod } = given
  if ((clientSecret === undefined) === (privateKey === undefined)) {
    const received = clientSecret === undefined ? 'neither' : 'both'
    throw new ConfigurationError(
      path,
      `resourceServer: ${path} needs one of clientSecret and privateKey, received ${received}. ` +
        `Write ${path}: { clientId, clientSecret: process.env.CLIENT_SECRET }`,
    )
  }
  if (authMethod !== undefined && SECRET_METHODS.includes(authMethod) !== (clientSecret !== undefined)) {
    const needed = clientSecret === undefined ? 'clientSecret' : 'privateKey'
    throw new ConfigurationError(
      `${path}.authMethod`,
      `resourceServer: ${path}.authMethod ${authMethod} needs ${needed}. Write ${path}.${needed}, or leave authMethod out`,
    )
  }
  assertKeyReadable(given, path)
}

function assertKeyReadable(
  { clientId, clientSecret, privateKey, authMethod }: IntrospectionOptions,
  path: string,
) {
  if (privateKey === undefined) return
  try {
    createClientAuthentication({ clientId, clientSecret, privateKey, authMethod }, '')
  } catch {
    // the reason could quote the key
    throw new ConfigurationError(
      `${path}.privateKey`,
      `resourceServer: ${path}.privateKey must be a private key (RSA, EC P-256/384/521 or Ed25519) as PEM, JWK or KeyObject`,
    )
  }
}

function isKeyInput(value: unknown): boolean {
  return (typeof value === 'string' && value !== '') || value instanceof KeyObject || section.accepts(value)
}
