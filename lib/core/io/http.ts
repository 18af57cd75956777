/** One outbound call: a deadline, a size limit, no redirects, kept-alive connections. */
import type { Dispatcher } from 'undici'

export interface HttpRequest {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Milliseconds for the whole call, connection and body included. */
  readonly timeoutMs: number
  /** Bytes of body beyond which the answer is thrown away. */
  readonly maxBytes: number
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** Sends one request. Any status is an answer; `HttpFailure` means there was none. */
export type SendRequest = (request: HttpRequest) => Promise<HttpResponse>

export interface HttpClient {
  readonly send: SendRequest
  close(): Promise<void>
}

/** There was no answer, or none that may be read. The message holds nothing of the request's body or headers. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure'
  readonly kind: 'timeout' | 'connection' | 'too_large'

  constructor(kind: HttpFailure['kind'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.kind = kind
  }
}

/** The connection was lost before any answer: the server closed a kept-alive one just as we used it. */
const LOST_CONNECTION = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])

/**
 * @param dispatcher an undici dispatcher of the user's (a proxy, a private CA); ours otherwise, which
 * is loaded with the first call, because undici takes longer to import than all the rest.
 */
export function createHttpClient(dispatcher?: Dispatcher): HttpClient {
  let own: Promise<{ request: typeof import('undici').request; agent: Dispatcher }> | undefined

  async function load() {
    const { request, Agent } = await import('undici')
    return { request, agent: dispatcher ?? new Agent({ connections: 128 }) }
  }

  async function attempt(request: HttpRequest, signal: AbortSignal, isRetry: boolean): Promise<HttpResponse> {
    const undici = await (own ??= load())
    let response
    try {
      response = await undici.request(request.url, {
        dispatcher: undici.agent,
        method: request.method,
        headers: { 'accept-encoding': 'identity', ...request.headers },
        body: request.body ?? null,
        signal,
      })
    } catch (error) {
      const code = (error as { code?: unknown }).code
      if (!isRetry && typeof code === 'string' && LOST_CONNECTION.has(code)) {
        return attempt(request, signal, true)
      }
      throw error
    }
    const body = await readBody(response.body, request.maxBytes)
    return { status: response.statusCode, headers: response.headers, body }
  }

  return {
    async send(request) {
      const controller = new AbortController()
      const timer = setTimeout(() => controller.abort(), request.timeoutMs)
      timer.unref()
      try {
        return await attempt(request, controller.signal, false)
      } catch (error) {
        throw toHttpFailure(error, request, controller.signal.aborted)
      } finally {
        clearTimeout(timer)
      }
    },
    async close() {
      if (own && !dispatcher) await (await own).agent.destroy()
    },
  }
}

async function readBody(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length
    // leaving the loop destroys the stream, and with it the connection
    if (size > maxBytes) throw new HttpFailure('too_large', `the answer is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function toHttpFailure(error: unknown, request: HttpRequest, timedOut: boolean): HttpFailure {
  if (error instanceof HttpFailure) return error
  const where = withoutQuery(request.url)
  if (timedOut) return new HttpFailure('timeout', `${where} did not answer within ${request.timeoutMs} ms`)
  const { code } = error as { code?: unknown }
  const why = typeof code === 'string' ? code : 'unknown'
  return new HttpFailure('connection', `${where} could not be reached (${why})`, error)
}

function withoutQuery(url: string): string {
  return url.split('?', 1)[0] ?? url
}

/** The seconds of a `Retry-After` field, given as a number or a date (RFC 9110 §10.2.3). */
export function parseRetryAfter(value: string | string[] | undefined, nowMs: number): number | undefined {
  if (typeof value !== 'string') return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - nowMs) / 1000))
}

/** Whether a media type says JSON: `application/json`, or a type with the `+json` suffix (RFC 6839). */
export function isJsonType(contentType: string | string[] | undefined): boolean {
  return typeof contentType === 'string' && /^\s*application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType)
}
