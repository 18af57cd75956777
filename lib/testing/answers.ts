/** What an endpoint of the test issuer says over HTTP, before anything goes wrong with it on the way. */
import type { ServerResponse } from 'node:http'

/** An answer as a test writes it; whatever is left out has a default. */
export interface AnswerShape {
  /** HTTP status. Default: 200. */
  readonly status?: number
  /** Response fields; `content-type` follows from `body` unless it is given here. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Text and bytes are sent as they are, an object as JSON. Default: empty. */
  readonly body?: string | Buffer | object
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: string | Buffer
}

export function toAnswer({ status = 200, headers = {}, body = '' }: AnswerShape): Answer {
  if (typeof body === 'string' || Buffer.isBuffer(body)) return { status, headers, body }
  return {
    status,
    headers: { 'content-type': 'application/json', ...lowerCased(headers) },
    body: JSON.stringify(body),
  }
}

function lowerCased(headers: Answer['headers']): Answer['headers'] {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

export function methodNotAllowed(allowed: string): Answer {
  return toAnswer({ status: 405, headers: { allow: allowed } })
}

/** `writeHead` is not used: it would make Node send every body in chunks, without a length. */
export function setHead(response: ServerResponse, { status, headers }: Omit<Answer, 'body'>): void {
  response.statusCode = status
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
}

export function sendAnswer(response: ServerResponse, answer: Answer): void {
  setHead(response, answer)
  response.end(answer.body)
}
