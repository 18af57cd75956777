/** What Express adds to Node's request and response, as far as it is used here; both Express 4 and 5 fit. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessToken } from '../core/access-token.js'
import type { HasScope } from '../core/authorization/scopes.js'
import type { OAuthError, UnavailableError } from '../core/errors.js'
import { isTokenParameter } from '../core/token/extraction.js'

declare global {
  // the name is Express's own, for exactly this purpose
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace Express {
    interface Request {
      /**
       * The access token of this request, set by `resourceServer()`. Undefined only where
       * `allowAnonymous` let a request without a token pass.
       */
      auth: AccessToken
    }
  }
}

export interface ExpressRequest extends IncomingMessage {
  originalUrl?: string
  body?: unknown
  query?: unknown
  app?: { get(name: string): unknown }
  auth?: AccessToken | undefined
  [RESOURCE_SERVER]?: RequestContext
}

export type Next = (error?: unknown) => void

/** A handler that Express 4 and 5 take in `app.use` and on routes. */
export type Handler = (request: ExpressRequest, response: ServerResponse, next: Next) => void

/** What `resourceServer` leaves on a request for the guards behind it. */
export interface RequestContext {
  /** The identifiers of this API: its `resource` and the audiences it accepts. */
  readonly identifiers: readonly string[]
  /** Whether granted scopes include another, by name or by `impliedScopes`. */
  readonly hasScope: HasScope
  /** The address of this API's metadata, named in every challenge once it is served (RFC 9728 §5.1). */
  metadataUrl: string | undefined
  /** Answers a refusal or an outage as this resource server was told to. */
  answer(
    error: OAuthError | UnavailableError,
    request: ExpressRequest,
    response: ServerResponse,
    next: Next,
  ): void
}

/** Under a symbol of the registry: a guard may come from another copy of this package. */
export const RESOURCE_SERVER: unique symbol = Symbol.for('express-resource-server')

/**
 * Takes the token out of the address and the parsed query, so that neither logs nor error reports show it,
 * and keeps shared caches from storing the answer (RFC 6750 §2.3, §5.3).
 */
export function concealQueryToken(request: ExpressRequest, response: ServerResponse): void {
  const { url = '' } = request
  if (!url.includes('access_token')) return
  request.url = withoutToken(url)
  if (request.originalUrl !== undefined) request.originalUrl = withoutToken(request.originalUrl)
  deleteTokenParameters(request.query)
  forbidSharedCaching(response)
}

/** Takes the token out of the parsed form. */
export function concealFormToken(request: ExpressRequest): void {
  deleteTokenParameters(request.body)
}

function withoutToken(url: string): string {
  const at = url.indexOf('?')
  if (at === -1) return url
  const kept = url
    .slice(at + 1)
    .split('&')
    .filter((pair) => ![...new URLSearchParams(pair).keys()].some(isTokenParameter))
  return kept.length === 0 ? url.slice(0, at) : `${url.slice(0, at)}?${kept.join('&')}`
}

function deleteTokenParameters(parsed: unknown): void {
  if (typeof parsed !== 'object' || parsed === null) return
  for (const name of Object.keys(parsed).filter(isTokenParameter)) Reflect.deleteProperty(parsed, name)
}

/** When the head is written, whatever the handler wished, the answer is at most private. */
function forbidSharedCaching(response: ServerResponse): void {
  const writeHead = response.writeHead.bind(response) as (...head: unknown[]) => ServerResponse
  response.writeHead = (...head: unknown[]) => {
    const wished = String(response.getHeader('cache-control') ?? '')
    if (!/\b(?:no-store|private)\b/i.test(wished)) response.setHeader('Cache-Control', toPrivate(wished))
    return writeHead(...head)
  }
}

function toPrivate(wished: string): string {
  const kept = wished.split(',').map((directive) => directive.trim())
  const harmless = kept.filter((directive) => directive !== '' && !/^(?:public|s-maxage\b)/i.test(directive))
  return ['private', ...harmless].join(', ')
}
