/** The options that say whom this API trusts: one issuer, a list, or a function that names them. */
import { ConfigurationError } from '../errors.js'
import type { IssuerResolution } from '../issuer/resolved-issuers.js'
import type { RevocationSettings } from '../revocation/revocation.js'
import type { RouteOpaque } from '../token/opaque.js'
import type { TokenIssuerSettings } from '../token/token-issuer.js'
import {
  resolveDynamicIssuer,
  resolveIssuer,
  type IssuerOptions,
  type IssuerResolver,
  type SharedIssuerOptions,
} from './issuer-options.js'
import { callback, either, integer, listOf, rule, type Rules } from './rules.js'
import { assertProfileRevocation, type ProfiledOptions } from './security-profile.js'

/** The part of the options that is about issuers; what an issuer may have of its own may stand here for all. */
export interface IssuersOptions extends SharedIssuerOptions, ProfiledOptions {
  /**
   * The identifier of this API: an absolute URI without fragment (RFC 8707 §2). It is also the default
   * `audience`, and the realm of challenges. Required.
   */
  readonly resource: string
  /** The one trusted issuer; or `issuers`. Compared exactly with `iss`: a trailing slash counts. */
  readonly issuer?: string
  /**
   * The trusted issuers, each with keys, caches and circuit breaker of its own: a list, or a function that is
   * asked about each `iss` it has not been asked about in the last 60 seconds (10 for an unknown one) and has 5
   * seconds to answer. What the function throws, and options that it gets wrong, are an outage (503).
   *
   * Issuers from a function are not called where their addresses are private ones, nor elsewhere than on their
   * own host, but for `metadata.allowedHosts`. Opaque tokens need `routeOpaque` then; encrypted ones are refused.
   */
  readonly issuers?: readonly (string | IssuerOptions)[] | IssuerResolver
  /**
   * With a function as `issuers`: how many of them are open at a time; the one not used for longest is closed.
   * Default 100, limits 1 to 10000.
   */
  readonly maxIssuers?: number
  /**
   * Names the issuer to introspect an opaque token at, where several could. Default: all issuers with
   * `introspection`, in the order given, until one knows the token. Danger: in that order, an issuer's
   * endpoint sees the tokens of those after it.
   */
  readonly routeOpaque?: RouteOpaque
}

/** Whom the rest of the core trusts. */
export interface TrustSettings {
  /** Those that are listed; empty where a function names them. */
  readonly issuers: readonly TokenIssuerSettings[]
  readonly resolution: IssuerResolution<TokenIssuerSettings> | undefined
}

export const ISSUERS_RULES: Rules = {
  issuers: either(
    listOf(rule('a URL or an object with issuer', `'https://login.example.com'`, isIssuerEntry)),
    callback,
  ),
  maxIssuers: integer(1, 10_000, 100),
  routeOpaque: callback,
}

/** @throws ConfigurationError */
export function resolveIssuers(options: IssuersOptions, revocation: RevocationSettings): TrustSettings {
  const { issuer, issuers, securityProfile } = options
  if ((issuer === undefined) === (issuers === undefined)) {
    throw new ConfigurationError(
      'issuer',
      `resourceServer: give one of issuer and issuers, received ${issuer === undefined ? 'neither' : 'both'}. ` +
        `Write issuer: 'https://login.example.com'`,
    )
  }
  if (typeof issuers === 'function') {
    return { issuers: [], resolution: resolveByFunction(issuers, options, revocation) }
  }
  const entries = issuers ?? [issuer ?? '']
  const resolved = entries.map((entry, index) => {
    const path = issuers ? `issuers[${index}]` : ''
    const own: IssuerOptions = typeof entry === 'string' ? { issuer: entry } : entry
    const settings = resolveIssuer(own, options, path)
    assertProfileRevocation(securityProfile, settings, revocation, path === '' ? 'jwt' : `${path}.jwt`)
    return settings
  })
  assertDistinct(resolved)
  if (resolved.length > 1) assertNoneShared(options)
  return { issuers: resolved, resolution: undefined }
}

/** What a function names is checked when it names it; what stands at the top for all, now. */
function resolveByFunction(
  resolver: IssuerResolver,
  options: IssuersOptions,
  revocation: RevocationSettings,
): IssuerResolution<TokenIssuerSettings> {
  assertNoneShared(options)
  assertRoutable(options)
  // an issuer of its own may do what the others may not
  const jwt = options.jwt === false && !options.introspection ? { jwt: {} } : {}
  resolveIssuer({ issuer: 'https://any.example', ...jwt }, options, '')
  function toSettings(given: IssuerOptions): TokenIssuerSettings {
    const settings = resolveDynamicIssuer(given, options, 'issuers()')
    assertProfileRevocation(options.securityProfile, settings, revocation, 'issuers().jwt')
    return settings
  }

  return {
    maxIssuers: options.maxIssuers ?? 100,
    async resolve(iss) {
      const given = (await resolver(iss)) as IssuerOptions | undefined | null
      // look-ups in a database like to say null
      if (given === undefined || given === null) return undefined
      return { given, toSettings: () => toSettings(given) }
    },
  }
}

/** An opaque token names no issuer, and not every tenant may see it. */
function assertRoutable({ introspection, jwt, routeOpaque }: IssuersOptions): void {
  if (!introspection || jwt === false || routeOpaque) return
  throw new ConfigurationError(
    'routeOpaque',
    'resourceServer: introspection with a function as issuers needs routeOpaque, because an opaque token names no ' +
      'issuer. Write routeOpaque: (token, request) => issuerOf(request.headers.host)',
  )
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
function assertNoneShared(options: IssuersOptions): void {
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

function isIssuerEntry(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'object' && value !== null && 'issuer' in value)
}
