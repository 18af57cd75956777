/** The options under `introspection`. */
import { ASYMMETRIC_ALGORITHMS } from '../issuer/signature.js'
import type { ClientCertificate } from '../io/http.js'
import type { BearerToken, ClientAuthMethod, PrivateKeyInput } from '../token/client-authentication.js'
import type { SignedResponseSettings } from '../token/introspection-jwt.js'
import type { IntrospectionSettings } from '../token/introspection.js'
import { assertCredentials, CREDENTIAL_RULES } from './credentials.js'
import {
  address,
  assertOptions,
  either,
  flag,
  integer,
  listOf,
  oneOf,
  section,
  text,
  type Rules,
} from './rules.js'
import { resolveAlgorithms, type SecurityProfile } from './security-profile.js'

/** How opaque tokens are introspected, and as whom this API asks: with one credential, never anonymously. */
export interface IntrospectionOptions {
  /** Default: the metadata's `introspection_endpoint` (with a TLS method, its alias in `mtls_endpoint_aliases`). */
  readonly endpoint?: string
  /** The client as which this API asks. Required unless there is a `bearerToken`. */
  readonly clientId?: string
  readonly clientSecret?: string | undefined
  /** PEM (PKCS #8), JWK or KeyObject, for `private_key_jwt`. */
  readonly privateKey?: PrivateKeyInput | undefined
  /**
   * Certificate and key in PEM by which this API is known while it connects (RFC 8705 §2). Not beside a
   * `dispatcher`, which then shows the certificate itself: write `authMethod: 'tls_client_auth'` alone.
   */
  readonly clientCertificate?: ClientCertificate | undefined
  /**
   * An access token of this API's own, or a function that returns one (or a promise of one), within `timeoutMs`.
   * It is called for each call to the endpoint, so it should remember what it got. What it throws is an
   * outage: 503.
   */
  readonly bearerToken?: BearerToken | undefined
  /**
   * Default `private_key_jwt` with a private key, `tls_client_auth` with a client certificate; with a secret
   * `client_secret_basic`, or `client_secret_post` where the metadata allows only that. `http_basic` is for servers
   * that want a user there (WSO2): `clientId` and `clientSecret` are sent as name and password, in UTF-8 and not
   * form-encoded (RFC 7617).
   */
  readonly authMethod?: ClientAuthMethod
  /** Seconds for which "active" is believed, never beyond `exp`. Default 30, limits 0 to 3600. This is how long a revoked token may live on. */
  readonly cacheTtlSeconds?: number
  /** Seconds for which "not active" is believed. Default 5, limits 0 to 300. */
  readonly negativeCacheTtlSeconds?: number
  /**
   * Seconds after `cacheTtlSeconds` for which "active" goes on being believed while the server is down or does
   * not answer (`req.auth.source` is `'stale'` then), never beyond `exp`. Default 0: 503. Limits 0 to 3600.
   * Danger: a token revoked meanwhile lives on for as long.
   */
  readonly staleIfErrorSeconds?: number
  /** Milliseconds in which an issuer's endpoint must have answered. Default 2000, limits 50 to 60000. */
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
  /**
   * Takes signed answers only (RFC 9701), verified with the issuer's keys; plain JSON is an outage then. True
   * for the defaults. Default: plain answers, which TLS alone protects.
   */
  readonly signedResponse?: boolean | SignedResponseOptions
  /** Calls under way beyond which requests get 503 at once. Default 100, limits 1 to 10000. */
  readonly maxConcurrent?: number
  readonly breaker?: {
    /** Failures in a row after which the endpoint is left alone. Default 10, limits 1 to 1000. */
    readonly failures?: number
    /** Seconds until one call tries it again. Default 5, limits 1 to 300. */
    readonly trialSeconds?: number
  }
}

/** What is asked of signed introspection answers. */
export interface SignedResponseOptions {
  /** Accepted `alg` values, asymmetric ones. Default: those of them that the metadata names, or RS256. */
  readonly algorithms?: readonly string[]
  /**
   * Seconds after its `iat` from which an answer counts as one that was captured and played again. Default 60,
   * limits 1 to 3600. It must cover the difference between the two clocks.
   */
  readonly maxAgeSeconds?: number
  /**
   * Further values of the answer's own `aud`, beside `resource` and `clientId`, for servers that write there
   * whom the token is for. Danger: name only what stands for this API; an answer to another's question names
   * another.
   */
  readonly audience?: string | readonly string[]
}

const BREAKER_RULES: Rules = { failures: integer(1, 1000, 10), trialSeconds: integer(1, 300, 5) }

const SIGNED_RESPONSE_RULES: Rules = {
  algorithms: listOf(oneOf(ASYMMETRIC_ALGORITHMS)),
  maxAgeSeconds: integer(1, 3600, 60),
  audience: either(text, listOf(text)),
}

/** What the rest of the options decides about introspection. */
export interface IntrospectionContext {
  readonly resource: string
  readonly allowHttp: boolean
  /** Whether calls go through a dispatcher of the user's. */
  readonly hasDispatcher: boolean
  readonly securityProfile?: SecurityProfile | undefined
}

/** @throws ConfigurationError */
export function resolveIntrospection(
  given: IntrospectionOptions,
  path: string,
  context: IntrospectionContext,
): IntrospectionSettings {
  assertOptions(given, path, rulesFor(context.allowHttp))
  if (given.breaker) assertOptions(given.breaker, `${path}.breaker`, BREAKER_RULES)
  assertCredentials(given, path, context.hasDispatcher)
  return {
    endpoint: given.endpoint,
    clientId: given.clientId,
    clientSecret: given.clientSecret,
    privateKey: given.privateKey,
    clientCertificate: given.clientCertificate,
    bearerToken: given.bearerToken,
    authMethod: given.authMethod,
    cacheTtlSeconds: given.cacheTtlSeconds ?? 30,
    negativeCacheTtlSeconds: given.negativeCacheTtlSeconds ?? 5,
    staleIfErrorSeconds: given.staleIfErrorSeconds ?? 0,
    timeoutMs: given.timeoutMs ?? 2000,
    cacheMaxEntries: given.cacheMaxEntries ?? 10_000,
    allowMissingAudience: given.allowMissingAudience ?? false,
    tokenTypeHint: given.tokenTypeHint ?? true,
    signedResponse: resolveSignedResponse(given, path, context),
    maxConcurrent: given.maxConcurrent ?? 100,
    breaker: { failures: given.breaker?.failures ?? 10, trialSeconds: given.breaker?.trialSeconds ?? 5 },
  }
}

function rulesFor(allowHttp: boolean): Rules {
  return {
    endpoint: address(allowHttp),
    ...CREDENTIAL_RULES,
    cacheTtlSeconds: integer(0, 3600, 30),
    negativeCacheTtlSeconds: integer(0, 300, 5),
    staleIfErrorSeconds: integer(0, 3600, 0),
    timeoutMs: integer(50, 60_000, 2000),
    cacheMaxEntries: integer(0, 1_000_000, 10_000),
    allowMissingAudience: flag,
    tokenTypeHint: flag,
    signedResponse: either(flag, section),
    maxConcurrent: integer(1, 10_000, 100),
    breaker: section,
  }
}

function resolveSignedResponse(
  { signedResponse = false, clientId }: IntrospectionOptions,
  path: string,
  { resource, securityProfile }: IntrospectionContext,
): SignedResponseSettings | undefined {
  if (signedResponse === false) return undefined
  const { algorithms, maxAgeSeconds = 60, audience = [] } = signedResponse === true ? {} : signedResponse
  if (signedResponse !== true) assertOptions(signedResponse, `${path}.signedResponse`, SIGNED_RESPONSE_RULES)
  return {
    algorithms: resolveAlgorithms(
      algorithms,
      undefined,
      `${path}.signedResponse.algorithms`,
      securityProfile,
    ),
    maxAgeSeconds,
    audience: [resource, clientId ?? [], audience].flat(),
  }
}
