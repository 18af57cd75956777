/**
 * Which token did the request bring? One, sent once, in an accepted place, or a refusal.
 *
 * @see RFC 6750 §2, §3.1
 * @see RFC 9110 §11.4, §11.6.2
 */
import { ConfigurationError, invalidRequest, missingToken } from '../errors.js'

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
  /** The parsed form, where `tokenFrom` names `'form'`. */
  readonly body?: unknown
}

/**
 * A place of the user's own, such as a cookie. Synchronous; returns undefined where there is no token.
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

/** RFC 6750 §2.1: b64token. */
const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/
const PARAMETER = 'access_token'
/** Methods whose body has defined semantics (RFC 6750 §2.2). */
const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH'])

/**
 * @returns `extractToken(request)`: the token, still unchecked.
 * @throws MissingTokenError if there are no Bearer credentials
 * @throws InvalidRequestError if they are malformed, too long, or given more than once
 */
export function createExtraction(settings: ExtractionSettings): (request: TokenRequest) => string {
  const hasOtherLocations = settings.form || settings.query || settings.custom !== undefined

  return function extractToken(request) {
    const credentials = authorizationField(request)
    const fromHeader = credentials === undefined ? undefined : bearerToken(credentials)
    const token = hasOtherLocations ? onlyToken(fromHeader, request, settings) : fromHeader
    if (token === undefined) throw missingToken()
    if (token.length > settings.maxTokenBytes) {
      throw invalidRequest('token_too_long', { expected: settings.maxTokenBytes, found: token.length })
    }
    if (!TOKEN68.test(token)) throw invalidRequest('malformed_credentials')
    return token
  }
}

/** The value of the one `Authorization` field, read from the raw fields where there are any. */
function authorizationField({ headers, rawHeaders }: TokenRequest): string | undefined {
  if (!rawHeaders) return authorizationMember(headers)
  let value: string | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length !== 13 || name.toLowerCase() !== 'authorization') continue
    if (value !== undefined) throw invalidRequest('multiple_authorization_fields')
    value = rawHeaders[index + 1] ?? ''
  }
  return value
}

function authorizationMember(headers: TokenRequest['headers']): string | undefined {
  const values = Object.entries(headers).flatMap(([name, value]) =>
    name.toLowerCase() === 'authorization' ? (value ?? []) : [],
  )
  if (values.length > 1) throw invalidRequest('multiple_authorization_fields')
  return values[0]
}

/** The token of Bearer credentials; undefined for another scheme. The scheme's case does not count. */
function bearerToken(credentials: string): string | undefined {
  const value = credentials.trimEnd()
  if (value.length < 6 || value.slice(0, 6).toLowerCase() !== 'bearer') return undefined
  if (value.length === 6) throw invalidRequest('malformed_credentials')
  if (value.charCodeAt(6) !== 0x20) return undefined
  let start = 7
  while (value.charCodeAt(start) === 0x20) start += 1
  return value.slice(start)
}

function onlyToken(
  fromHeader: string | undefined,
  request: TokenRequest,
  settings: ExtractionSettings,
): string | undefined {
  const found: unknown[] = fromHeader === undefined ? [] : [fromHeader]
  if (settings.form) found.push(...formTokens(request))
  if (settings.query) found.push(...queryTokens(request.url))
  const custom: unknown = settings.custom?.(request)
  if (custom instanceof Promise) {
    throw new ConfigurationError(
      'tokenFrom',
      'tokenFrom: the function must return the token, not a promise of it',
    )
  }
  if (custom !== undefined && custom !== null) found.push(custom)

  if (found.length > 1) throw invalidRequest('multiple_tokens', { found: found.length })
  const [token] = found
  if (token !== undefined && typeof token !== 'string') throw invalidRequest('malformed_credentials')
  return token
}

/** RFC 6750 §2.2: only a form-encoded body, only where a body means something. */
function formTokens({ headers, method, body }: TokenRequest): unknown[] {
  const contentType = headers['content-type']
  const isForm =
    typeof contentType === 'string' &&
    /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(contentType.trim())
  if (!isForm || !BODY_METHODS.has(method ?? '')) return []
  if (typeof body !== 'object' || body === null) return []
  // a parameter that came twice is an array here, which is no token either
  return Object.entries(body).flatMap(([name, value]: [string, unknown]) =>
    isTokenParameter(name) ? [value] : [],
  )
}

function queryTokens(url: string | undefined): string[] {
  const query = url?.indexOf('?') ?? -1
  if (url === undefined || query === -1) return []
  const found: string[] = []
  for (const [name, value] of new URLSearchParams(url.slice(query + 1))) {
    if (isTokenParameter(name)) found.push(value)
  }
  return found
}

/** Parsers that build arrays and objects take `access_token[]` and `access_token[x]` for the same parameter. */
export function isTokenParameter(name: string): boolean {
  return name === PARAMETER || name.startsWith(`${PARAMETER}[`)
}
