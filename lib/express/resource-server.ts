/** The middleware: one access token a request, accepted as `req.auth` or refused with a challenge. */
import type { ServerResponse } from 'node:http'
import type { AccessToken, TokenScheme } from '../core/access-token.js'
import type { ClaimsSchema, OutputOf } from '../core/claims-schema.js'
import { createAuthenticator, type Authenticator, type IssuerHealth } from '../core/authenticate.js'
import { createScopeHierarchy } from '../core/authorization/scopes.js'
import { missingToken, MissingTokenError, OAuthError, UnavailableError } from '../core/errors.js'
import { createReport } from '../core/events.js'
import { createHints } from '../core/hints.js'
import type { RevocationHealth, RevocationPlane } from '../core/revocation/revocation.js'
import type { Revocation, Revocations } from '../core/revocation/revocations.js'
import { resolveOptions, type ResolvedOptions, type ResourceServerOptions } from '../core/options/options.js'
import type { StoreHealth } from '../core/options/store-options.js'
import { toTokenRequest, type FetchTokenRequest, type TokenRequest } from '../core/token/extraction.js'
import { answerError, toAnswer, type Answer } from './answer.js'
import { sendNonce } from './nonce.js'
import { createTypedRequests, type TypedRequests } from './typed-request.js'
import {
  concealFormToken,
  concealQueryToken,
  RESOURCE_SERVER,
  REVOCATION,
  type ExpressRequest,
  type Handler,
  type Next,
  type RequestContext,
} from './request.js'

/** A snapshot for health checks. A resource server that cannot reach its issuers still serves what it knows. */
export interface ResourceServerHealth {
  readonly resource: string
  readonly issuers: readonly IssuerHealth[]
  readonly revocation: RevocationHealth
  /** Undefined where nothing is shared, or the store does not say. */
  readonly store: StoreHealth | undefined
}

/** What other handlers of this package read of a resource server. */
export const SERVER: unique symbol = Symbol.for('express-resource-server.server')

/** @typeParam Claims what the schema of the option `claims` puts out */
export interface ResourceServer<Claims extends object = Readonly<Record<string, unknown>>>
  extends Handler, TypedRequests<Claims> {
  /** @internal */
  readonly [SERVER]: { readonly options: ResolvedOptions; readonly context: RequestContext }
  /** What is revoked before it expires. */
  readonly revocations: Revocations
  readonly [REVOCATION]: RevocationPlane
  /**
   * Discovers the issuers, loads their keys and replays a shared log of revocations ahead of traffic. Optional:
   * the first request does it else, except for the log: until it is replayed, `revocation.maxLagSeconds` decides.
   * @throws UnavailableError naming the first issuer that cannot be reached, or the log; it may be called again
   */
  ready(): Promise<void>
  /**
   * The same decision without Express, for WebSocket upgrades and workers. Form tokens are read from `body`.
   * A request without a token is refused here whatever `allowAnonymous` says.
   * Node's requests fit, and Fetch's.
   * @throws OAuthError if the request is refused @throws UnavailableError if it could not be decided
   */
  authenticate(request: TokenRequest | FetchTokenRequest): Promise<AccessToken<Claims>>
  /**
   * What to tell a client whose request `authenticate` did not accept, or that may not do what it asks for: status,
   * header fields (a challenge for each scheme that would do, `Retry-After`, `DPoP-Nonce`) and body, as the
   * middleware would send them. What is neither a refusal nor an outage is 500 without any word about it; log it.
   * @param error what was thrown
   * @param request the same: its credentials tell which scheme the client used
   * @see RFC 6750 §3, RFC 9449 §7.1
   * @example
   * server.authenticate(request).catch((error) => {
   *   const { status, headers, body } = server.answerTo(error, request)
   *   response.writeHead(status, headers).end(JSON.stringify(body))
   * })
   */
  answerTo(error: unknown, request: TokenRequest | FetchTokenRequest): Answer
  health(): ResourceServerHealth
  /** Stops refreshing and closes connections. */
  close(): Promise<void>
}

/**
 * Makes the Express middleware that accepts OAuth 2.0 access tokens, self-contained (RFC 9068) or opaque
 * (RFC 7662), and puts them on the request as `req.auth`.
 *
 * Refuses with 400, 401 and 403 as RFC 6750 §3 says; answers 503 with `Retry-After` when the token cannot be
 * checked. Tokens that are bound to a key (DPoP, RFC 9449) or to a client certificate (RFC 8705) are accepted from
 * who shows to have it. Not checked here: what the token permits, which is the guards' part (`requireScopes` …).
 *
 * @param options see {@link ResourceServerOptions}
 * @throws ConfigurationError (a TypeError) if an option is wrong, with its path, rule, value and remedy
 * @see RFC 6750, RFC 9068 §4, RFC 7662 §2
 * @example
 * app.use(resourceServer({
 *   resource: 'https://api.example.com',
 *   issuer: 'https://login.example.com',
 *   introspection: { clientId: 'orders-api', clientSecret: process.env.CLIENT_SECRET },
 * }))
 */
export function resourceServer<Schema extends ClaimsSchema>(
  options: ResourceServerOptions & { readonly claims: Schema },
): ResourceServer<OutputOf<Schema>>
export function resourceServer(options: ResourceServerOptions): ResourceServer
export function resourceServer(options: ResourceServerOptions): ResourceServer {
  const resolved = resolveOptions(options)
  const authenticator = createAuthenticator(resolved)
  const report = createReport(resolved.onRefusal)
  const context = createContext(resolved, authenticator, report)
  const handler = createHandler(resolved, authenticator, context)

  const { revocation } = authenticator

  // not enumerable, because the options hold secrets and whoever logs a server sees what is
  Object.defineProperty(handler, SERVER, { value: { options: resolved, context } })
  return Object.assign(handler as Handler & Pick<ResourceServer, typeof SERVER>, {
    revocations: {
      revoke: (what: Revocation) => revocation.revocations.revoke(what),
      list: () => revocation.revocations.list(),
      stats: () => revocation.revocations.stats(),
    },
    [REVOCATION]: revocation,
    ...createTypedRequests<Readonly<Record<string, unknown>>>(context),
    ready: () => authenticator.ready(),
    async authenticate(request: TokenRequest | FetchTokenRequest) {
      try {
        return await authenticator.authenticate(toTokenRequest(request))
      } catch (error) {
        if (isAnswer(error)) report(error)
        throw error
      }
    },
    answerTo: (error: unknown, request: TokenRequest | FetchTokenRequest) =>
      context.answerTo(error, toTokenRequest(request)),
    health: () => ({
      resource: resolved.resource,
      issuers: authenticator.health(),
      revocation: revocation.health(),
      store: resolved.store?.health?.(),
    }),
    close: () => authenticator.close(),
  })
}

interface AnsweringContext extends RequestContext {
  /** What a client is told of an error, for those who send it themselves. */
  answerTo(error: unknown, request: TokenRequest): Answer
}

function createContext(
  options: ResolvedOptions,
  { revocation }: Authenticator,
  report: ReturnType<typeof createReport>,
): AnsweringContext {
  const { resource: realm, errors, impliedScopes, issuers, audience } = options
  const { senderConstraint, challengeScopes } = options
  const hint = createHints((message, code) =>
    process.emitWarning(message, { type: 'ResourceServerWarning', code }),
  )
  const audiences = issuers.length === 0 ? audience : issuers.flatMap((issuer) => issuer.audience)
  const { dpop, required } = senderConstraint
  const schemes: TokenScheme[] = required.dpop ? ['DPoP'] : dpop ? ['Bearer', 'DPoP'] : ['Bearer']
  const algorithms = dpop?.algorithms ?? []
  const challengeOptions = () => ({ realm, schemes, algorithms, metadataUrl: context.metadataUrl })
  const context: AnsweringContext = {
    identifiers: [...new Set([realm, ...audiences])],
    hasScope: createScopeHierarchy(impliedScopes),
    metadataUrl: undefined,
    revocation,
    answer(error, request, response, next) {
      const event = report(error)
      if (!isProduction(request)) hint(event)
      answerError(error, request, response, next, { ...challengeOptions(), errors })
    },
    answerTo(error, request) {
      const isBare = error instanceof MissingTokenError && error.scope.length === 0
      return toAnswer(isBare ? missingToken(challengeScopes) : error, request, challengeOptions())
    },
  }
  return context
}

function createHandler(
  { extraction, allowAnonymous, challengeScopes }: ResolvedOptions,
  authenticator: Authenticator,
  context: RequestContext,
): Handler {
  function conceal(request: ExpressRequest, response: ServerResponse): void {
    if (extraction.query) concealQueryToken(request, response)
    if (extraction.form) concealFormToken(request)
  }

  function refuse(error: unknown, request: ExpressRequest, response: ServerResponse, next: Next): void {
    if (error instanceof MissingTokenError) {
      if (allowAnonymous) return next()
      return context.answer(missingToken(challengeScopes), request, response, next)
    }
    if (isAnswer(error)) return context.answer(error, request, response, next)
    next(error)
  }

  function accept(
    accessToken: AccessToken,
    request: ExpressRequest,
    response: ServerResponse,
    next: Next,
  ): void {
    request.auth = accessToken
    if (accessToken.scheme === 'DPoP') renewNonce(request, response)
    next()
  }

  function renewNonce(request: ExpressRequest, response: ServerResponse): void {
    const nonce = authenticator.renewedNonce(request)
    if (nonce !== undefined && !response.headersSent) sendNonce(response, nonce)
  }

  return function resourceServer(request, response, next) {
    request[RESOURCE_SERVER] = context
    // what another middleware left here was not accepted by this one
    request.auth = undefined
    let outcome
    try {
      outcome = authenticator.authenticate(request)
    } catch (error) {
      conceal(request, response)
      return refuse(error, request, response, next)
    }
    conceal(request, response)
    // what is known is answered in the same turn; only a question to somebody else makes the request wait
    if (!(outcome instanceof Promise)) return accept(outcome, request, response, next)
    outcome.then(
      (accessToken) => accept(accessToken, request, response, next),
      (error: unknown) => refuse(error, request, response, next),
    )
  }
}

export function isResourceServer(value: unknown): value is ResourceServer<object> {
  return typeof value === 'function' && SERVER in value
}

function isProduction({ app }: ExpressRequest): boolean {
  return typeof app?.get === 'function' && app.get('env') === 'production'
}

function isAnswer(error: unknown): error is OAuthError | UnavailableError {
  return error instanceof OAuthError || error instanceof UnavailableError
}
