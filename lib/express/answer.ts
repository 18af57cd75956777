/**
 * Tells a refusal or an outage to the client: status, challenge and a body that holds no secret.
 *
 * @see RFC 6750 §3
 * @see RFC 9110 §11.6.1, §15.6.4
 */
import type { ServerResponse } from 'node:http'
import { OAuthError, UnavailableError } from '../core/errors.js'
import { UseDpopNonceError } from '../core/sender-constraint/dpop-errors.js'
import { schemesUsed, toChallenges, type ChallengeOptions } from './challenges.js'
import { exposeFields, sendNonce } from './nonce.js'
import type { ExpressRequest, Next } from './request.js'

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
  response.setHeader('Cache-Control', 'no-store')
  if (error instanceof UnavailableError) response.setHeader('Retry-After', String(error.retryAfterSeconds))
  else challenge(error, request, response, options)
  if (options.errors === 'next') return next(error)

  const body = JSON.stringify(toBody(error))
  response.statusCode = error.status
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  response.setHeader('Content-Length', Buffer.byteLength(body))
  response.end(body)
}

function challenge(
  error: OAuthError,
  request: ExpressRequest,
  response: ServerResponse,
  options: AnswerOptions,
): void {
  addChallenges(response, toChallenges(error, schemesUsed(error, request), options))
  exposeFields(response, ['WWW-Authenticate'])
  if (error instanceof UseDpopNonceError) sendNonce(response, error.nonce)
}

/** A challenge set before ours, of another scheme, is kept. Each is a field line of its own. */
function addChallenges(response: ServerResponse, challenges: readonly string[]): void {
  const earlier = response.getHeader('WWW-Authenticate')
  const kept = earlier === undefined ? [] : [earlier].flat().map(String)
  response.setHeader('WWW-Authenticate', [...kept, ...challenges])
}

function toBody(error: OAuthError | UnavailableError): Record<string, string> {
  if (error instanceof UnavailableError) {
    return { error: 'temporarily_unavailable', error_description: error.message }
  }
  return error.code === undefined
    ? { message: error.message }
    : { error: error.code, error_description: error.message }
}
