/** What Express adds to Node's request and response, as far as it is used here; both Express 4 and 5 fit. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccessToken } from '../core/access-token.js'
import type { HasScope } from '../core/authorization/scopes.js'
import type { OAuthError, UnavailableError } from '../core/errors.js'
import type { RevocationCheck } from '../core/revocation/check.js'
import { isForm, isTokenParameter } from '../core/token/extraction.js'

export interface ExpressRequest extends IncomingMessage {
  originalUrl?: string
  body?: unknown
  query?: unknown
  app?: { get(name: string): unknown }
  /** An `AccessToken`, once accepted. Any type will do: other libraries declare theirs on Express's requests. */
  auth?: unknown
  [RESOURCE_SERVER]?: RequestContext
}

export interface AcceptedRequest extends ExpressRequest {
  auth: AccessToken
}

/** Whether a resource server, which clears `auth` first, has put an access token here. */
export function isAccepted<R extends object>(
  request: R & Partial<Pick<ExpressRequest, 'auth' | typeof RESOURCE_SERVER>>,
): request is R & AcceptedRequest {
  return request[RESOURCE_SERVER] !== undefined && request.auth !== undefined
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
  /** Whether a token is still good, for routes that want to know it better than the rest. */
  readonly revocation: RevocationCheck
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

/** Under which a resource server shows what it knows of revocations to the handlers that receive them. */
export const REVOCATION: unique symbol = Symbol.for('express-resource-server.revocation')

/**
 * Takes the token out of the address and the parsed query, so that neither logs nor error reports show it,
 * and keeps shared caches from storing the answer (RFC 6750 §2.3, §5.3).
 */
export function concealQueryToken(request: ExpressRequest, response: ServerResponse): void {
  const { url = '' } = request
  const concealed = withoutToken(url)
  if (concealed === url) return
  request.url = concealed
  if (request.originalUrl !== undefined) request.originalUrl = withoutToken(request.originalUrl)
  deleteTokenParameters(request.query)
  forbidSharedCaching(response)
}

/** Takes the token out of the parsed form. Elsewhere a member of that name is none of our business. */
export function concealFormToken(request: ExpressRequest): void {
  if (isForm(request)) deleteTokenParameters(request.body)
}

function withoutToken(url: string): string {
  const at = url.indexOf('?')
  if (at === -1) return url
  const kept = url
    .slice(at + 1)
    .split('&')
    .filter((pair) => ![...new URLSearchParams(`?${pair}`).keys()].some(isTokenParameter))
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
    const fields = head.at(-1)
    if (typeof fields === 'object' && fields !== null)
      head[head.length - 1] = withoutCaching(fields, response)
    response.setHeader('Cache-Control', toPrivate(String(response.getHeader('cache-control') ?? '')))
    return writeHead(...head)
  }
}

/** Fields may come with `writeHead` too, as an object or as a list; their `Cache-Control` moves to the response. */
function withoutCaching(fields: object, response: ServerResponse): unknown {
  const pairs = Array.isArray(fields) ? toPairs(fields) : Object.entries(fields)
  const isCaching = ([name]: [string, unknown]) => name.toLowerCase() === 'cache-control'
  const caching = pairs.filter(isCaching)
  if (caching.length > 0)
    response.setHeader('Cache-Control', caching.map(([, value]) => String(value)).join(', '))
  const kept = pairs.filter((pair) => !isCaching(pair))
  return Array.isArray(fields) ? kept.flat() : Object.fromEntries(kept)
}

/** Names and values in turn. */
function toPairs(list: readonly unknown[]): [string, unknown][] {
  const names = list.filter((_, index) => index % 2 === 0)
  return names.map((name, index) => [String(name), list[2 * index + 1]])
}

function toPrivate(wished: string): string {
  const directives = wished.split(',').map((directive) => directive.trim())
  if (directives.some((directive) => /^(?:no-store|private)$/i.test(directive))) return wished
  const harmless = directives.filter(
    (directive) => directive !== '' && !/^(?:public|s-maxage)\b/i.test(directive),
  )
  return ['private', ...harmless].join(', ')
}
