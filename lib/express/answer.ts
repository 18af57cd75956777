/**
 * Tells a refusal or an outage to the client: status, challenge and a body that holds no secret.
 *
 * @see RFC 6750 §3
 * @see RFC 9110 §11.6.1, §15.6.4
 */
import type { ServerResponse } from 'node:http'
import { OAuthError, UnavailableError } from '../core/errors.js'
import { UseDpopNonceError } from '../core/sender-constraint/dpop-errors.js'
import type { TokenRequest } from '../core/token/extraction.js'
import { schemesUsed, toChallenges, type ChallengeOptions } from './challenges.js'
import { exposeFields, sendNonce } from './nonce.js'
import type { ExpressRequest, Next } from './request.js'

/** What a client is told of an error, however it is sent. */
export interface Answer {
  readonly status: 400 | 401 | 403 | 500 | 503
  /** The fields that belong to it. Of `WWW-Authenticate` there is a value for each challenge. */
  readonly headers: Readonly<Record<string, string | string[]>>
  /** To be sent as JSON, where the answer has a body. */
  readonly body: Readonly<Record<string, string>>
}

export interface AnswerOptions extends ChallengeOptions {
  readonly errors: 'respond' | 'next'
}

/** Sets the header fields that the answer needs, then sends it or hands the error on. */
export function answerError(
  error: OAuthError | UnavailableError,
  request: ExpressRequest,
  response: ServerResponse,
  next: Next,
  options: AnswerOptions,
): void {
  if (response.headersSent) return next(error)
  const answer = toAnswer(error, request, options)
  for (const [name, value] of Object.entries(answer.headers)) {
    if (Array.isArray(value)) addChallenges(response, value)
    else response.setHeader(name, value)
  }
  if (error instanceof UseDpopNonceError) sendNonce(response, error.nonce)
  if (options.errors === 'next') return next(error)

  const body = JSON.stringify(answer.body)
  response.statusCode = answer.status
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  response.setHeader('Content-Length', Buffer.byteLength(body))
  response.end(body)
}

/** What is neither a refusal nor an outage is nobody's but the developer's: 500, and nothing is told of it. */
export function toAnswer(error: unknown, request: TokenRequest, options: ChallengeOptions): Answer {
  const headers = { 'Cache-Control': 'no-store' }
  if (error instanceof UnavailableError) {
    const body = { error: 'temporarily_unavailable', error_description: error.message }
    return {
      status: error.status,
      headers: { ...headers, 'Retry-After': String(error.retryAfterSeconds) },
      body,
    }
  }
  if (!(error instanceof OAuthError)) return { status: 500, headers, body: {} }
  const challenges = toChallenges(error, schemesUsed(error, request), options)
  return {
    status: error.status,
    headers: {
      ...headers,
      'WWW-Authenticate': challenges,
      ...(error instanceof UseDpopNonceError ? { 'DPoP-Nonce': error.nonce } : {}),
    },
    body:
      error.code === undefined
        ? { message: error.message }
        : { error: error.code, error_description: error.message },
  }
}

/** A challenge set before ours, of another scheme, is kept. Each is a field line of its own. */
function addChallenges(response: ServerResponse, challenges: readonly string[]): void {
  const earlier = response.getHeader('WWW-Authenticate')
  const kept = earlier === undefined ? [] : [earlier].flat().map(String)
  response.setHeader('WWW-Authenticate', [...kept, ...challenges])
  exposeFields(response, ['WWW-Authenticate'])
}
