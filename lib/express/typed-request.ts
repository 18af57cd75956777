/** The access token of a request, with the type of its claims where that is known. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessToken } from '../core/access-token.js'
import { ConfigurationError, missingToken, OAuthError, UnavailableError } from '../core/errors.js'
import {
  isAccepted,
  RESOURCE_SERVER,
  type ExpressRequest,
  type Handler,
  type Next,
  type RequestContext,
} from './request.js'

/** A request of whatever framework type it was, with what this resource server has found. */
export type TypedRequest<Request, Claims extends object> = Request & { readonly auth: AccessToken<Claims> }

/** Typed doors to the requests that one resource server has accepted. */
export interface TypedRequests<Claims extends object> {
  /**
   * The access token of a request that this resource server accepted.
   * @throws ConfigurationError if another one did, or none: a token is not what this server's schema says then
   * @throws MissingTokenError if the request came without a token (`allowAnonymous`)
   */
  accessTokenOf(request: IncomingMessage): AccessToken<Claims>
  /**
   * A handler behind this resource server that knows the type of `req.auth.claims`. A request without a token is
   * refused (401), one that this resource server has not accepted is an error.
   * @example app.get('/orders', api.handle((req, res) => res.end(req.auth.claims.tenant)))
   */
  handle<Request extends IncomingMessage, Response extends ServerResponse>(
    handler: (request: TypedRequest<Request, Claims>, response: Response, next: Next) => unknown,
  ): (request: Request, response: Response, next: Next) => unknown
}

/**
 * The access token of a request that a `resourceServer()` accepted: `req.auth`, for programs that do without
 * the type of it on every request of Express.
 *
 * @throws ConfigurationError if no `resourceServer()` ran before
 * @throws MissingTokenError if the request came without a token (`allowAnonymous`)
 */
export function accessTokenOf(request: IncomingMessage): AccessToken {
  return acceptedToken(request, 'accessTokenOf')
}

export function createTypedRequests<Claims extends object>(context: RequestContext): TypedRequests<Claims> {
  // the schema of this very server has put these claims out
  const typedToken = (request: IncomingMessage, name: string) =>
    acceptedToken(request, name, context) as AccessToken<Claims>

  function handle<Request extends IncomingMessage, Response extends ServerResponse>(
    handler: (request: TypedRequest<Request, Claims>, response: Response, next: Next) => unknown,
  ) {
    return function typedHandler(request: Request, response: Response, next: Next): unknown {
      if (isTyped(request, [request, response, next])) return handler(request, response, next)
      return undefined
    }
  }

  /** Answers the request itself if it is none of ours. */
  function isTyped<Request extends IncomingMessage>(
    request: Request,
    exchange: Parameters<Handler>,
  ): request is TypedRequest<Request, Claims> {
    try {
      typedToken(request, 'handle')
      return true
    } catch (error) {
      refuse(context, error, exchange)
      return false
    }
  }

  return { accessTokenOf: (request) => typedToken(request, 'accessTokenOf'), handle }
}

function refuse(context: RequestContext, error: unknown, exchange: Parameters<Handler>): void {
  const [, , next] = exchange
  if (error instanceof OAuthError || error instanceof UnavailableError) context.answer(error, ...exchange)
  else next(error)
}

/** @param expected the resource server that must have accepted it; any, if there is none */
function acceptedToken(request: ExpressRequest, name: string, expected?: RequestContext): AccessToken {
  const context = request[RESOURCE_SERVER]
  if (!context || (expected && context !== expected)) {
    throw new ConfigurationError(
      name,
      `${name}: ${expected ? 'this' : 'no'} resourceServer() ${expected ? 'did not run last' : 'ran'} before this ` +
        `handler. Write app.use(resourceServer({ … })) before the route`,
    )
  }
  if (!isAccepted(request)) throw missingToken()
  return request.auth
}
