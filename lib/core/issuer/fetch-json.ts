/**
 * Fetches a JSON document of an issuer, or says as an outage why there is none.
 *
 * @see RFC 8414 §3.2, RFC 7517 §5
 */
import { UnavailableError, type OutageReason } from '../errors.js'
import { HttpFailure, isJsonType, parseRetryAfter, type HttpResponse, type SendRequest } from '../io/http.js'

export interface JsonDocument {
  readonly value: unknown
  /** The server's `max-age`, if it names a positive one. */
  readonly lifetimeSeconds: number | undefined
}

export interface DocumentRequest {
  readonly url: string
  readonly issuer: string
  readonly timeoutMs: number
  readonly maxBytes: number
  /** The reason of the outage that a failure is. */
  readonly reason: OutageReason
  /** Media types wanted, most wanted first. */
  readonly accept: string
}

/** The answer to a GET, whatever its status; no answer is an outage. */
export async function getDocument(send: SendRequest, request: DocumentRequest): Promise<HttpResponse> {
  try {
    return await send({
      url: request.url,
      method: 'GET',
      headers: { accept: request.accept },
      timeoutMs: request.timeoutMs,
      maxBytes: request.maxBytes,
    })
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error
    throw outage(request, error.message, { cause: error })
  }
}

/** The JSON document of a 200 answer; anything else is an outage. */
export async function fetchJson(send: SendRequest, request: DocumentRequest): Promise<JsonDocument> {
  const response = await getDocument(send, request)
  if (response.status !== 200) throw statusOutage(request, response)
  return toJsonDocument(request, response)
}

export function toJsonDocument(request: DocumentRequest, response: HttpResponse): JsonDocument {
  const contentType = response.headers['content-type']
  // a key set served as text is still a key set; a page is not
  if (contentType !== undefined && !isJsonType(contentType) && !/^text\/plain\b/i.test(String(contentType))) {
    throw outage(request, `content type ${String(contentType)}`)
  }
  return {
    value: parseJson(request, response.body),
    lifetimeSeconds: maxAge(response.headers['cache-control']),
  }
}

/** An answer that is no document, with the server's own `Retry-After`. */
export function statusOutage(request: DocumentRequest, response: HttpResponse): UnavailableError {
  const retryAfterSeconds = parseRetryAfter(response.headers['retry-after'], Date.now())
  return outage(
    request,
    `status ${response.status}`,
    retryAfterSeconds === undefined ? {} : { retryAfterSeconds },
  )
}

export function outage(
  request: Pick<DocumentRequest, 'url' | 'issuer' | 'reason'>,
  found: string,
  details: { retryAfterSeconds?: number; cause?: unknown; expected?: string } = {},
): UnavailableError {
  return new UnavailableError(request.reason, {
    issuer: request.issuer,
    name: request.url,
    found,
    ...details,
  })
}

function parseJson(request: DocumentRequest, body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (error) {
    throw outage(request, 'a body that is not JSON', { cause: error })
  }
}

function maxAge(cacheControl: string | string[] | undefined): number | undefined {
  const match = typeof cacheControl === 'string' ? /(?:^|[\s,])max-age=(\d{1,9})/i.exec(cacheControl) : null
  return match ? Number(match[1]) || undefined : undefined
}
