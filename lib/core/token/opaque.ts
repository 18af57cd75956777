/**
 * Which issuer's introspection endpoint is asked about an opaque token, and what the answers add up to.
 * A token goes only to endpoints of issuers that the user listed, to each at most once.
 */
import { toAccessToken, type AccessToken } from '../access-token.js'
import {
  assertSynchronous,
  ConfigurationError,
  invalidToken,
  UnavailableError,
  type RefusalReason,
} from '../errors.js'
import type { TokenRequest } from './extraction.js'
import type { Introspection, Verdict } from './introspection.js'
import type { TokenIssuer } from './token-issuer.js'

/** Names the issuer that an opaque token is to be introspected at; undefined: none of them. */
export type RouteOpaque = (token: string, request: TokenRequest) => string | undefined

/** A token to be introspected, and why it is refused where nothing is there to ask. */
export interface OpaqueToken {
  readonly token: string
  readonly digest: string
  readonly request: TokenRequest
  readonly refusal: RefusalReason
  /** The only issuer that may be asked, where the token itself names it. */
  readonly issuer?: TokenIssuer
}

/**
 * The name that the user's function says.
 *
 * @throws ConfigurationError if it says it later
 */
export function routeOf(routeOpaque: RouteOpaque, token: string, request: TokenRequest): string | undefined {
  const name = routeOpaque(token, request)
  assertSynchronous(name, 'routeOpaque')
  return name
}

/**
 * @returns `introspectOpaque(opaque)`: at once if an answer is remembered
 * @throws InvalidTokenError if every endpoint that may be asked says so
 * @throws UnavailableError if one of them could not be asked and no other vouched for the token
 */
export function createOpaqueValidation(
  issuers: readonly TokenIssuer[],
  routeOpaque: RouteOpaque | undefined,
): (opaque: OpaqueToken) => AccessToken | Promise<AccessToken> {
  const introspecting = issuers.filter((issuer) => issuer.introspection)

  function route({ token, request, issuer }: OpaqueToken): readonly TokenIssuer[] {
    if (issuer) return issuer.introspection ? [issuer] : []
    if (!routeOpaque) return introspecting
    const name = routeOf(routeOpaque, token, request)
    if (name === undefined) return []
    const routed = introspecting.find((candidate) => candidate.name === name)
    if (routed) return [routed]
    throw new ConfigurationError(
      'routeOpaque',
      `routeOpaque: returned ${JSON.stringify(name)}, which is no entry of issuers with introspection`,
    )
  }

  return function introspectOpaque(opaque) {
    const asked = route(opaque).map(({ introspection }) => introspection as Introspection)
    for (const introspection of asked) {
      const known = introspection.recall(opaque.digest)
      if (known && 'facts' in known) return toAccessToken(opaque.token, known.facts, 'cache')
    }
    if (asked.length === 0) throw invalidToken(opaque.refusal)
    return askInOrder(asked, opaque)
  }
}

async function askInOrder(
  asked: readonly Introspection[],
  { token, digest }: OpaqueToken,
): Promise<AccessToken> {
  let refused: Extract<Verdict, { refusal: unknown }> | undefined
  let outage: UnavailableError | undefined
  for (const introspection of asked) {
    try {
      const verdict = introspection.recall(digest) ?? (await introspection.ask(token, digest))
      if ('facts' in verdict) return toAccessToken(token, verdict.facts, verdict.source)
      refused ??= verdict
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error
      outage ??= error
    }
  }
  if (outage ?? !refused) throw outage ?? new UnavailableError('introspection_unavailable')
  throw invalidToken(refused.refusal.reason, refused.refusal.evidence)
}
