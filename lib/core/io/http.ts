/** One outbound call: a deadline, a size limit, no redirects, kept-alive connections. */
import { isUtf8 } from 'node:buffer'
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
  /** Loads what the first call would have to wait for. */
  ready(): Promise<void>
  close(): Promise<void>
}

/** The certificate by which our side of a TLS connection is known (RFC 8705). */
export interface ClientCertificate {
  /** PEM, the chain included. */
  readonly cert: string | Buffer
  /** PEM. */
  readonly key: string | Buffer
}

/** There was no answer, or none that may be read. The message holds nothing of the request's body or headers. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure'
  readonly kind: 'timeout' | 'connection' | 'too_large' | 'not_utf8'

  constructor(kind: HttpFailure['kind'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.kind = kind
  }
}

/** The connection was lost: the server closed a kept-alive one just as we used it. */
const LOST_CONNECTION = new Set<unknown>(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'])
/** Connections to one origin; more calls than that wait their turn, within their deadline. */
const MAX_CONNECTIONS = 128
/** Said aloud, so that no environment variable takes it back. */
export const STRICT_TLS = { minVersion: 'TLSv1.2', rejectUnauthorized: true } as const

/**
 * @param dispatcher an undici dispatcher of the user's (a proxy, a private CA); ours otherwise, which
 * is loaded with the first call, because undici takes longer to import than all the rest.
 * @param certificate shown to servers that ask for one; not with a dispatcher of the user's
 */
export function createHttpClient(dispatcher?: Dispatcher, certificate?: ClientCertificate): HttpClient {
  let own: Promise<Dispatcher> | undefined
  /** Origins that have answered. They are as many as the addresses of the issuers that the user listed. */
  const answered = new Set<string>()

  async function createAgent(): Promise<Dispatcher> {
    const { Agent } = await import('undici')
    return new Agent({ connections: MAX_CONNECTIONS, connect: { ...STRICT_TLS, ...certificate } })
  }

  const agent = () => dispatcher ?? (own ??= createAgent())

  return {
    async ready() {
      await agent()
    },
    async send(request) {
      const { origin } = new URL(request.url)
      const through = await agent()
      const response = await exchange(through, request, answered.has(origin))
      answered.add(origin)
      return response
    },
    async close() {
      if (own) await (await own).destroy()
    },
  }
}

/**
 * Written against undici's dispatcher and not its `request`, whose streams and signals cost more than
 * twice as much for answers that fit into one packet.
 *
 * @param isWorking whether this server has answered before: the connection is then most likely a kept-alive
 * one, and if it is lost before an answer the request is sent once more, within the same deadline.
 */
function exchange(through: Dispatcher, request: HttpRequest, isWorking: boolean): Promise<HttpResponse> {
  const { origin, pathname, search } = new URL(request.url)
  const headers = { 'accept-encoding': 'identity', ...request.headers }
  const options = {
    origin,
    path: pathname + search,
    method: request.method,
    headers,
    body: request.body ?? null,
  }

  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    let head: Pick<HttpResponse, 'status' | 'headers'> | undefined
    let chunks: Buffer[] = []
    let size = 0
    let mayRepeat = isWorking
    let failure: HttpFailure | undefined
    const timer = setTimeout(() => fail(new HttpFailure('timeout', late(request))), request.timeoutMs)
    timer.unref()

    function fail(error: HttpFailure): void {
      clearTimeout(timer)
      failure = error
      chunks = []
      controller?.abort(error)
      reject(error)
    }

    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(started) {
        controller = started
        // it had waited for a connection until it was too late
        if (failure) started.abort(failure)
      },
      onResponseStart(_controller, status, fields) {
        if (status >= 200) head = { status, headers: fields }
      },
      onResponseData(_controller, chunk) {
        size += chunk.length
        if (size > request.maxBytes) fail(new HttpFailure('too_large', `more than ${request.maxBytes} bytes`))
        else chunks.push(chunk)
      },
      onResponseEnd() {
        clearTimeout(timer)
        const body = chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)
        if (!head || (head.status < 300 && !isUtf8(body)))
          fail(new HttpFailure('not_utf8', 'a body that is not UTF-8'))
        else resolve({ ...head, body: body.toString('utf8') })
      },
      onResponseError(_controller, error) {
        if (failure) return
        const isLost = !head && LOST_CONNECTION.has((error as { code?: unknown }).code)
        if (isLost && mayRepeat) {
          mayRepeat = false
          through.dispatch(options, handler)
        } else fail(toHttpFailure(error, request))
      },
    }
    through.dispatch(options, handler)
  })
}

function late({ url, timeoutMs }: HttpRequest): string {
  return `${withoutQuery(url)} did not answer within ${timeoutMs} ms`
}

function toHttpFailure(error: unknown, { url }: HttpRequest): HttpFailure {
  const { code } = error as { code?: unknown }
  const why = typeof code === 'string' ? code : 'unknown'
  return new HttpFailure('connection', `${withoutQuery(url)} could not be reached (${why})`, error)
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
