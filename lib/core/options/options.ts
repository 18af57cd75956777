/** The options of a resource server: joined, defaulted and checked, once and before the first request. */
import type { Dispatcher } from 'undici'
import type { ImpliedScopes } from '../authorization/scopes.js'
import { isScopeToken } from '../challenge.js'
import { ConfigurationError } from '../errors.js'
import type { OnRefusal } from '../events.js'
import { resolveDpop, type DpopOptions } from './dpop-options.js'
import {
  resolveIssuer,
  SHARED_RULES,
  type IssuerOptions,
  type SharedIssuerOptions,
} from './issuer-options.js'
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
import type { RevocationSettings } from '../revocation/revocation.js'
import type { SenderConstraintSettings } from '../sender-constraint/confirmation.js'
import type { ExtractionSettings, TokenLocation } from '../token/extraction.js'
import type { RouteOpaque } from '../token/opaque.js'
import type { TokenIssuerSettings } from '../token/token-issuer.js'

/** Options of `resourceServer()`. What an issuer may have of its own may also stand in an entry of `issuers`. */
export interface ResourceServerOptions extends SharedIssuerOptions {
  /**
   * The identifier of this API: an absolute URI without fragment (RFC 8707 §2). It is also the default
   * `audience`, and the realm of challenges. Required.
   */
  readonly resource: string
  /** The one trusted issuer; or `issuers`. Compared exactly with `iss`: a trailing slash counts. */
  readonly issuer?: string
  /** The trusted issuers. Each has keys, caches and connections of its own. */
  readonly issuers?: readonly (string | IssuerOptions)[]
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
  /**
   * Names the issuer to introspect an opaque token at, where several could. Default: all issuers with
   * `introspection`, in the order given, until one knows the token. Danger: in that order, an issuer's
   * endpoint sees the tokens of those after it.
   */
  readonly routeOpaque?: RouteOpaque
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
  /** Told of every refusal and outage, with what was expected and found, never with the token. */
  readonly onRefusal?: OnRefusal
  /** How revoked tokens become known before they expire. */
  readonly revocation?: RevocationOptions
  /** An undici dispatcher for all outbound calls: a proxy, a private CA. Not closed by `close()`. */
  readonly dispatcher?: Dispatcher
}

/** What the rest of the core works with: every question answered. */
export interface ResolvedOptions {
  readonly resource: string
  readonly allowAnonymous: boolean
  readonly errors: 'respond' | 'next'
  readonly extraction: ExtractionSettings
  readonly issuers: readonly TokenIssuerSettings[]
  readonly routeOpaque: RouteOpaque | undefined
  readonly senderConstraint: SenderConstraintSettings
  readonly impliedScopes: ImpliedScopes
  readonly challengeScopes: readonly string[]
  readonly onRefusal: OnRefusal | undefined
  readonly revocation: RevocationSettings
  readonly dispatcher: Dispatcher | undefined
}

const location = either(oneOf(['form', 'query']), callback)

const resource = rule('an absolute URI without fragment', `'https://api.example.com'`, isResourceIdentifier)

const RULES: Rules = {
  ...SHARED_RULES,
  resource,
  issuers: listOf(rule('a URL or an object with issuer', `'https://login.example.com'`, isIssuerEntry)),
  allowAnonymous: flag,
  tokenFrom: either(location, listOf(location)),
  maxTokenBytes: integer(256, 1_048_576, 16_384),
  errors: oneOf(['respond', 'next']),
  routeOpaque: callback,
  dpop: section,
  mtls: section,
  impliedScopes: rule('scopes by a scope that includes them', `{ orders: ['orders:read'] }`, isHierarchy),
  challengeScopes: listOf(rule('a scope', `'orders:read'`, isScope)),
  onRefusal: callback,
  revocation: section,
  dispatcher: rule('an undici Dispatcher', 'new ProxyAgent(…)', hasDispatch),
}

/**
 * @throws ConfigurationError naming the option's path, its rule, the value received and what to write
 */
export function resolveOptions(options: ResourceServerOptions): ResolvedOptions {
  assertOptions(options, '', RULES)
  assertOption(options.resource, 'resource', resource)
  return {
    resource: options.resource,
    allowAnonymous: options.allowAnonymous ?? false,
    errors: options.errors ?? 'respond',
    extraction: resolveExtraction(options),
    issuers: resolveIssuers(options),
    routeOpaque: options.routeOpaque,
    senderConstraint: resolveSenderConstraint(options),
    impliedScopes: options.impliedScopes ?? {},
    challengeScopes: options.challengeScopes ?? [],
    onRefusal: options.onRefusal,
    revocation: resolveRevocation(options.revocation),
    dispatcher: options.dispatcher,
  }
}

function resolveIssuers(options: ResourceServerOptions): TokenIssuerSettings[] {
  const { issuer, issuers } = options
  if ((issuer === undefined) === (issuers === undefined)) {
    throw new ConfigurationError(
      'issuer',
      `resourceServer: give one of issuer and issuers, received ${issuer === undefined ? 'neither' : 'both'}. ` +
        `Write issuer: 'https://login.example.com'`,
    )
  }
  const entries = issuers ?? [issuer ?? '']
  const resolved = entries.map((entry, index) => {
    const path = issuers ? `issuers[${index}]` : ''
    const own: IssuerOptions = typeof entry === 'string' ? { issuer: entry } : entry
    return resolveIssuer(own, options, path)
  })
  assertDistinct(resolved)
  assertShareable(options, resolved)
  return resolved
}

function assertDistinct(issuers: readonly TokenIssuerSettings[]): void {
  const names = issuers.flatMap(({ issuer, aliases }) => [issuer, ...aliases])
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice === undefined) return
  throw new ConfigurationError(
    'issuers',
    `resourceServer: issuers names ${JSON.stringify(twice)} twice. Write it once`,
  )
}

/** What has one address cannot be the default of several issuers: their keys and answers would mix. */
function assertShareable(options: ResourceServerOptions, issuers: readonly TokenIssuerSettings[]): void {
  if (issuers.length < 2) return
  const { jwks, metadata, introspection } = options
  const shared: Record<string, unknown> = {
    'jwks.uri': jwks?.uri,
    'jwks.keys': jwks?.keys,
    'metadata.url': metadata?.url,
    'introspection.endpoint': introspection ? introspection.endpoint : undefined,
  }
  const path = Object.keys(shared).find((name) => shared[name] !== undefined)
  if (path === undefined) return
  throw new ConfigurationError(
    path,
    `resourceServer: ${path} belongs to one issuer, received several issuers. Write it in the entry of issuers`,
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

function resolveSenderConstraint({ resource: identifier, dpop, mtls, tokenFrom }: ResourceServerOptions) {
  if (dpop?.require === true && tokenFrom !== undefined) {
    throw new ConfigurationError(
      'tokenFrom',
      'resourceServer: tokenFrom takes bearer tokens, which dpop: { require: true } refuses. Leave one of them out',
    )
  }
  return {
    dpop: resolveDpop(dpop, identifier),
    mtls: resolveMtls(mtls),
    required: { dpop: dpop?.require ?? false, mtls: mtls?.require ?? false },
  }
}

/** RFC 8707 §2. */
function isResourceIdentifier(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && !value.includes('#') && !/\s/.test(value)
}

function isIssuerEntry(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'object' && value !== null && 'issuer' in value)
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
