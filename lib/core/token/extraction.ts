/**
 * Which token did the request bring? One, sent once, in an accepted place, or a refusal.
 *
 * @see RFC 6750 §2, §3.1
 * @see RFC 9110 §11.4, §11.6.2
 */
import type { TokenScheme } from '../access-token.js'
import { assertSynchronous, invalidRequest, missingToken } from '../errors.js'
import { fieldLines } from '../io/field-lines.js'

/**
 * What is read of a request. Node's `IncomingMessage` and Express's `Request` fit; so does
 * `{ headers: { authorization } }` from anywhere else.
 */
export interface TokenRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Names and values in turn, as received. Node drops a second `Authorization` field from `headers`. */
  readonly rawHeaders?: readonly string[] | undefined
  readonly method?: string | undefined
  readonly url?: string | undefined
  /** The address before routers took their part away, as Express keeps it. */
  readonly originalUrl?: string | undefined
  /** The connection, whose peer may show a client certificate. */
  readonly socket?: unknown
  /** The parsed form, where `tokenFrom` names `'form'`. */
  readonly body?: unknown
}

/**
 * A request as others than Node make it: Fetch's `Request` and `{ headers }` with Fetch's `Headers` fit.
 * Anything with names and values in pairs will do.
 */
export interface FetchTokenRequest {
  readonly headers: Iterable<readonly [name: string, value: string]>
  readonly method?: string | undefined
  /** Absolute, or only path and query. */
  readonly url?: string | undefined
}

/** Either form as the one that is read here. A field that came twice stays two. */
export function toTokenRequest(request: TokenRequest | FetchTokenRequest): TokenRequest {
  const { headers } = request
  if (!isIterable(headers)) return request as TokenRequest
  const fields = Object.create(null) as Record<string, string[]>
  for (const [name, value] of headers) (fields[name.toLowerCase()] ??= []).push(value)
  return { headers: fields, method: request.method, url: request.url }
}

function isIterable(headers: object): headers is Iterable<readonly [string, string]> {
  return Symbol.iterator in headers
}

/**
 * A place of the user's own, such as a cookie. Synchronous; undefined, null and the empty string (a cookie
 * that was cleared) say that there is no token. What it throws goes to the app's error handler.
 * Danger: a cookie comes along with requests that other sites make; such an API needs a CSRF defence.
 */
export type TokenLocation = {
  // written as a method, so that a function of an Express `Request` is accepted as well
  locate(request: TokenRequest & { readonly cookies?: Readonly<Record<string, string>> }): string | undefined
}['locate']

export interface ExtractionSettings {
  /** Bytes beyond which a token is refused before any work. */
  readonly maxTokenBytes: number
  readonly form: boolean
  readonly query: boolean
  readonly custom: TokenLocation | undefined
}

/** A token as it was sent, still unchecked. */
export interface Credentials {
  readonly scheme: TokenScheme
  readonly token: string
}

/** RFC 6750 §2.1: b64token, and RFC 9449 §7.1: token68, which is the same. */
const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/
const AUTHORIZATION = 'authorization'
const PARAMETER = 'access_token'
/** Methods whose body has defined semantics (RFC 6750 §2.2). */
const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH'])

/**
 * @returns `extractToken(request)`: the token and the scheme it came with; elsewhere than in the header it is
 * a bearer token
 * @throws MissingTokenError if there are no credentials of a known scheme
 * @throws InvalidRequestError if they are malformed, too long, or given more than once
 */
export function createExtraction(settings: ExtractionSettings): (request: TokenRequest) => Credentials {
  const hasOtherLocations = settings.form || settings.query || settings.custom !== undefined

  return function extractToken(request) {
    const field = authorizationField(request)
    const fromHeader = field === undefined ? undefined : parseCredentials(field)
    const credentials = hasOtherLocations ? onlyCredentials(fromHeader, request, settings) : fromHeader
    if (credentials === undefined) throw missingToken()
    const { token } = credentials
    if (token.length > settings.maxTokenBytes) {
      throw invalidRequest('token_too_long', { expected: settings.maxTokenBytes, found: token.length })
    }
    if (!TOKEN68.test(token)) throw invalidRequest('malformed_credentials')
    return credentials
  }
}

/**
 * The value of the one `Authorization` field. The raw fields tell how many there were; the value is the one that
 * every other middleware sees. Adapters for functions in a cloud leave the raw fields empty.
 */
function authorizationField({ headers, rawHeaders = [] }: TokenRequest): string | undefined {
  const values = fieldValues(headers, AUTHORIZATION)
  if (values.length > 1 || countFields(rawHeaders, AUTHORIZATION) > 1) {
    throw invalidRequest('multiple_authorization_fields')
  }
  return values[0]
}

function countFields(rawHeaders: readonly string[], name: string): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (isField(rawHeaders[index] ?? '', name)) count += 1
  }
  return count
}

/** Node's names are in lower case, those of others need not be. */
function fieldValues(headers: TokenRequest['headers'], name: string): string[] {
  const names = Object.keys(headers).filter((candidate) => isField(candidate, name))
  return names.flatMap((found) => headers[found] ?? [])
}

function isField(candidate: string, name: string): boolean {
  return candidate.length === name.length && candidate.toLowerCase() === name
}

/** Undefined for another scheme. */
function parseCredentials(field: string): Credentials | undefined {
  const value = withoutTrailingSpace(field)
  const scheme = schemeOf(value)
  if (scheme === undefined) return undefined
  if (value.length === scheme.length) throw invalidRequest('malformed_credentials')
  let start = scheme.length + 1
  while (value.charCodeAt(start) === 0x20) start += 1
  return { scheme, token: value.slice(start) }
}

/** RFC 9110 §5.5: whitespace (SP and HTAB, no other) after a field value is no part of it. */
function withoutTrailingSpace(value: string): string {
  let end = value.length
  while (value[end - 1] === ' ' || value[end - 1] === '\t') end -= 1
  return value.slice(0, end)
}

/** The case of a scheme does not count (RFC 9110 §11.1). */
function schemeOf(credentials: string): TokenScheme | undefined {
  if (hasScheme(credentials, 'bearer')) return 'Bearer'
  return hasScheme(credentials, 'dpop') ? 'DPoP' : undefined
}

function hasScheme(credentials: string, scheme: string): boolean {
  const { length } = scheme
  if (credentials.length > length && credentials.charCodeAt(length) !== 0x20) return false
  return credentials.slice(0, length).toLowerCase() === scheme
}

/** The known schemes of all credentials in the header, however malformed: a refusal answers to them. */
export function schemesIn(request: TokenRequest): readonly TokenScheme[] {
  const schemes = fieldLines(request, 'authorization').map((line) => schemeOf(withoutTrailingSpace(line)))
  return [...new Set(schemes.filter((scheme) => scheme !== undefined))]
}

function onlyCredentials(
  fromHeader: Credentials | undefined,
  request: TokenRequest,
  settings: ExtractionSettings,
): Credentials | undefined {
  const found: unknown[] = fromHeader === undefined ? [] : [fromHeader.token]
  if (settings.form) found.push(...formTokens(request))
  if (settings.query) found.push(...queryTokens(request.url))
  const custom: unknown = settings.custom?.(request)
  assertSynchronous(custom, 'tokenFrom')
  if (custom !== undefined && custom !== null && custom !== '') found.push(custom)

  if (found.length > 1) throw invalidRequest('multiple_tokens', { found: found.length })
  const [token] = found
  if (token === undefined) return undefined
  if (typeof token !== 'string') throw invalidRequest('malformed_credentials')
  return fromHeader ?? { scheme: 'Bearer', token }
}

/** Whether a token may be looked for in the body: form-encoded, and where a body means something (RFC 6750 §2.2). */
export function isForm({ headers, method }: TokenRequest): boolean {
  const [contentType, second] = fieldValues(headers, 'content-type')
  if (contentType === undefined || second !== undefined || !BODY_METHODS.has(method ?? '')) return false
  return contentType.split(';', 1)[0]?.trim().toLowerCase() === 'application/x-www-form-urlencoded'
}

function formTokens(request: TokenRequest): unknown[] {
  const { body } = request
  if (typeof body !== 'object' || body === null || !isForm(request)) return []
  return Object.entries(body).flatMap(toToken)
}

function queryTokens(url: string | undefined): unknown[] {
  const query = url?.indexOf('?') ?? -1
  if (url === undefined || query === -1) return []
  // the first question mark is not part of the query, a second one is
  return [...new URLSearchParams(url.slice(query))].flatMap(toToken)
}

/** A parameter that came twice, or as an array or object, is one token parameter too many or no string. */
function toToken([name, value]: [string, unknown]): unknown[] {
  if (name === PARAMETER) return [value]
  return isTokenParameter(name) ? [{ [name]: value }] : []
}

/** Parsers that build arrays and objects take `access_token[]` and `access_token[x]` for the same parameter. */
export function isTokenParameter(name: string): boolean {
  return name === PARAMETER || name.startsWith(`${PARAMETER}[`)
}
