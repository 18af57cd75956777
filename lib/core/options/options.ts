/** The options of a resource server: joined, defaulted and checked, once and before the first request. */
import type { Dispatcher } from 'undici'
import type { ImpliedScopes } from '../authorization/scopes.js'
import { isScopeToken } from '../challenge.js'
import { isStandardSchema, type ClaimsSchema } from '../claims-schema.js'
import { ConfigurationError } from '../errors.js'
import type { OnRefusal } from '../events.js'
import { resolveDpop, type DpopOptions } from './dpop-options.js'
import { SHARED_RULES } from './issuer-options.js'
import { ISSUERS_RULES, resolveIssuers, type IssuersOptions, type TrustSettings } from './issuers-options.js'
import { resolveMtls, type MtlsOptions } from './mtls-options.js'
import {
  assertOption,
  assertOptions,
  callback,
  either,
  flag,
  integer,
  isSection,
  listOf,
  oneOf,
  rule,
  section,
  type Rules,
} from './rules.js'
import { resolveRevocation, type RevocationOptions } from './revocation-options.js'
import { assertProfile, SECURITY_PROFILES } from './security-profile.js'
import { store, type SharedStore } from './store-options.js'
import type { RevocationSettings } from '../revocation/revocation.js'
import type { SenderConstraintSettings } from '../sender-constraint/confirmation.js'
import type { ExtractionSettings, TokenLocation } from '../token/extraction.js'
import type { RouteOpaque } from '../token/opaque.js'

/** Options of `resourceServer()`. What an issuer may have of its own may also stand in an entry of `issuers`. */
export interface ResourceServerOptions extends IssuersOptions {
  /**
   * Lets requests *without* a token pass; `req.auth` is undefined then. A bad token is still refused.
   * Default false. Danger: a route without a guard is open to everybody.
   */
  readonly allowAnonymous?: boolean
  /**
   * Further places of the token beside the header, which can never be switched off. `'form'` needs a body
   * parser before it. Default none. Danger: `'query'` puts tokens into the logs of every proxy on the way
   * (RFC 6750 §5.3); a function that reads a cookie needs a CSRF defence.
   */
  readonly tokenFrom?: 'form' | 'query' | TokenLocation | readonly ('form' | 'query' | TokenLocation)[]
  /** Bytes; longer tokens are refused before any work. Default 16384, limits 256 to 1048576. */
  readonly maxTokenBytes?: number
  /**
   * `'respond'`: status, challenge and JSON body are sent. `'next'`: the challenge is set and the error is
   * passed to the app's error handler, which must send its `status`. Default `'respond'`.
   */
  readonly errors?: 'respond' | 'next'
  /** Tokens bound to a key of the client's. Accepted without any option, where `resource` is an https or http URL. */
  readonly dpop?: DpopOptions
  /** Tokens bound to a client certificate. Accepted without any option, where this process ends TLS itself. */
  readonly mtls?: MtlsOptions
  /**
   * Scopes by a scope that includes them, for the guards: `{ orders: ['orders:read', 'orders:write'] }`.
   * Default none: no scope implies another by its name. Danger: widens what tokens permit.
   */
  readonly impliedScopes?: ImpliedScopes
  /**
   * Scopes named to a client that comes without a token, so that its first token is one that will do
   * (RFC 6750 §3). Default none. Guards name theirs in any case.
   */
  readonly challengeScopes?: readonly string[]
  /**
   * A schema of the claims, of any library with the Standard Schema interface (zod, valibot, arktype …). Asked once
   * a token, after it was found good; a token that it does not accept is refused (401). What it puts out is in
   * `req.auth.claims`, typed by `accessTokenOf` and `handle` of this resource server; claims that it does not
   * speak of stay as they were received, and so do `jti`, `sid`, `status` and `cnf` whatever it says. It must
   * decide at once, and should leave other registered claims (`iss`, `exp`, `acr` …) as they are, because guards
   * read them. Default none.
   */
  readonly claims?: ClaimsSchema
  /** Told of every refusal and outage, with what was expected and found, never with the token. */
  readonly onRefusal?: OnRefusal
  /** How revoked tokens become known before they expire. */
  readonly revocation?: RevocationOptions
  /**
   * What several nodes of this API share, such as `redisStore(client)`: used DPoP proofs, received statements,
   * introspection answers, and revocations where it has a log. Default none: each node by itself. While it is
   * down, requests with DPoP proofs get 503, caches are bypassed, and revocations follow `whenStale`. Danger:
   * without it, a DPoP proof is good once at each node.
   */
  readonly store?: SharedStore
  /** An undici dispatcher for all outbound calls: a proxy, a private CA. Not closed by `close()`. */
  readonly dispatcher?: Dispatcher
}

/** What the rest of the core works with: every question answered. */
export interface ResolvedOptions extends TrustSettings {
  readonly resource: string
  readonly allowAnonymous: boolean
  readonly errors: 'respond' | 'next'
  readonly extraction: ExtractionSettings
  /** The audiences that all issuers have. */
  readonly audience: readonly string[]
  readonly routeOpaque: RouteOpaque | undefined
  readonly senderConstraint: SenderConstraintSettings
  readonly impliedScopes: ImpliedScopes
  readonly challengeScopes: readonly string[]
  readonly claims: ClaimsSchema | undefined
  readonly onRefusal: OnRefusal | undefined
  readonly revocation: RevocationSettings
  readonly store: SharedStore | undefined
  readonly dispatcher: Dispatcher | undefined
}

const location = either(oneOf(['form', 'query']), callback)

const resource = rule('an absolute URI without fragment', `'https://api.example.com'`, isResourceIdentifier)

const RULES: Rules = {
  ...SHARED_RULES,
  resource,
  ...ISSUERS_RULES,
  allowAnonymous: flag,
  tokenFrom: either(location, listOf(location)),
  securityProfile: oneOf(SECURITY_PROFILES),
  maxTokenBytes: integer(256, 1_048_576, 16_384),
  errors: oneOf(['respond', 'next']),
  dpop: section,
  mtls: section,
  impliedScopes: rule('scopes by a scope that includes them', `{ orders: ['orders:read'] }`, isHierarchy),
  challengeScopes: listOf(rule('a scope', `'orders:read'`, isScope)),
  claims: rule('a Standard Schema (zod, valibot, arktype …)', 'z.object({ … })', isStandardSchema),
  onRefusal: callback,
  revocation: section,
  store,
  dispatcher: rule('an undici Dispatcher', 'new ProxyAgent(…)', hasDispatch),
}

/**
 * @throws ConfigurationError naming the option's path, its rule, the value received and what to write
 */
export function resolveOptions(options: ResourceServerOptions): ResolvedOptions {
  assertOptions(options, '', RULES)
  assertOption(options.resource, 'resource', resource)
  assertRevocable(options)
  const { securityProfile } = options
  const revocation = resolveRevocation(options.revocation, options)
  assertProfile(securityProfile, { tokenFrom: options.tokenFrom, revocation })
  return {
    resource: options.resource,
    allowAnonymous: options.allowAnonymous ?? false,
    errors: options.errors ?? 'respond',
    extraction: resolveExtraction(options),
    ...resolveIssuers(options, revocation),
    audience: [options.audience ?? options.resource].flat(),
    routeOpaque: options.routeOpaque,
    senderConstraint: resolveSenderConstraint(options),
    impliedScopes: options.impliedScopes ?? {},
    challengeScopes: options.challengeScopes ?? [],
    claims: options.claims,
    onRefusal: options.onRefusal,
    revocation,
    store: options.store,
    dispatcher: options.dispatcher,
  }
}

/** An index of revocations belongs to an issuer that stays. */
function assertRevocable({ issuers, revocation }: ResourceServerOptions): void {
  if (typeof issuers !== 'function' || revocation === undefined) return
  throw new ConfigurationError(
    'revocation',
    'resourceServer: revocation needs issuers as a list, received a function. Write issuers: [...], or leave revocation out',
  )
}

function resolveExtraction({ tokenFrom, maxTokenBytes }: ResourceServerOptions): ExtractionSettings {
  const locations = [tokenFrom ?? []].flat() as readonly ('form' | 'query' | TokenLocation)[]
  const custom = locations.filter((one): one is TokenLocation => typeof one === 'function')
  if (custom.length > 1) {
    throw new ConfigurationError(
      'tokenFrom',
      'resourceServer: tokenFrom takes one function, received several',
    )
  }
  return {
    maxTokenBytes: maxTokenBytes ?? 16_384,
    form: locations.includes('form'),
    query: locations.includes('query'),
    custom: custom[0],
  }
}

function resolveSenderConstraint(options: ResourceServerOptions): SenderConstraintSettings {
  const { resource: identifier, dpop, mtls, tokenFrom, securityProfile } = options
  if (dpop?.require === true && tokenFrom !== undefined) {
    throw new ConfigurationError(
      'tokenFrom',
      'resourceServer: tokenFrom takes bearer tokens, which dpop: { require: true } refuses. Leave one of them out',
    )
  }
  return {
    dpop: resolveDpop(dpop, identifier, securityProfile),
    mtls: resolveMtls(mtls),
    required: {
      dpop: dpop?.require ?? false,
      mtls: mtls?.require ?? false,
      either: securityProfile !== undefined,
    },
  }
}

/** RFC 8707 §2. */
function isResourceIdentifier(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && !value.includes('#') && !/\s/.test(value)
}

function isHierarchy(value: unknown): boolean {
  if (!isSection(value)) return false
  const lists = Object.entries(value)
  return lists.every(
    ([name, included]) => Array.isArray(included) && [name, ...(included as unknown[])].every(isScope),
  )
}

function isScope(value: unknown): boolean {
  return typeof value === 'string' && isScopeToken(value)
}

function hasDispatch(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as Dispatcher).dispatch === 'function'
}
