/**
 * What a guard is: an ordinary handler that lets a request pass if its access token permits it, and that can
 * be asked what it demands. Guards compose: several in one refuse with one challenge.
 *
 * @see RFC 6750 §3.1
 */
import type { AccessToken } from '../core/access-token.js'
import { ConfigurationError, missingToken, OAuthError, UnavailableError } from '../core/errors.js'
import {
  isAccepted,
  RESOURCE_SERVER,
  type ExpressRequest,
  type Handler,
  type RequestContext,
} from './request.js'

/** What a guard demands, for whoever reads the routes of an app. */
export interface Requirement {
  /** The guard's name, such as `requireScopes`. */
  readonly name: string
  /** One line for people, such as `scopes orders:read orders:write`. */
  readonly summary: string
  /** Scopes that would satisfy it, named to a client that came without a token. */
  readonly scopes: readonly string[]
  /** The `type` of authorization details that it asks for (RFC 9396 §2). */
  readonly detailType?: string
}

/** What a guard decides by. */
export interface GuardedRequest {
  readonly accessToken: AccessToken
  readonly request: ExpressRequest
  readonly context: RequestContext
}

/** Throws the refusal, or rejects with it. */
export type Validate = (guarded: GuardedRequest) => void | Promise<void>

/** Under a symbol of the registry: the guard may come from another copy of this package. */
export const GUARD: unique symbol = Symbol.for('express-resource-server.guard')

/** A handler for routes and routers, with what it demands. */
export interface Guard extends Handler {
  readonly [GUARD]: { readonly requirements: readonly Requirement[]; readonly validate: Validate }
}

export function isGuard(value: unknown): value is Guard {
  return typeof value === 'function' && GUARD in value
}

export function createGuard(requirements: readonly Requirement[], validate: Validate): Guard {
  const name = requirements.map((requirement) => requirement.name).join(' + ')
  const scopes = [...new Set(requirements.flatMap((requirement) => requirement.scopes))]

  function guard(...[request, response, next]: Parameters<Handler>): void {
    const context = request[RESOURCE_SERVER]
    if (!context) return next(misplaced(name))

    function refuseRequest(error: unknown): void {
      if (!(error instanceof OAuthError || error instanceof UnavailableError)) return next(error)
      context?.answer(error, request, response, next)
    }

    try {
      if (!isAccepted(request)) throw missingToken(scopes)
      const outcome = validate({ accessToken: request.auth, request, context })
      if (outcome instanceof Promise) return void outcome.then(() => next(), refuseRequest)
    } catch (error) {
      return refuseRequest(error)
    }
    next()
  }

  return Object.assign(guard, { [GUARD]: { requirements, validate } })
}

function misplaced(name: string): ConfigurationError {
  return new ConfigurationError(
    name,
    `${name}: no resourceServer() ran before this guard, so there is no access token to look at. ` +
      `Write app.use(resourceServer({ … })) before the route`,
  )
}
