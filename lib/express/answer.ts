/**
 * Tells a refusal or an outage to the client: status, challenge and a body that holds no secret.
 *
 * @see RFC 6750 §3
 * @see RFC 9110 §11.6.1, §15.6.4
 */
import type { ServerResponse } from 'node:http'
import { formatChallenge } from '../core/challenge.js'
import { OAuthError, UnavailableError } from '../core/errors.js'
import type { Next } from './request.js'

export interface AnswerOptions {
  /** The protection space that challenges name. */
  readonly realm: string
  readonly errors: 'respond' | 'next'
  /** Where the metadata of this API is, if it is served. */
  readonly metadataUrl: string | undefined
}

/** Sets the header fields that the answer needs, then sends it or hands the error on. */
export function answerError(
  error: OAuthError | UnavailableError,
  response: ServerResponse,
  next: Next,
  { realm, errors, metadataUrl }: AnswerOptions,
): void {
  if (response.headersSent) return next(error)
  response.setHeader('Cache-Control', 'no-store')
  if (error instanceof UnavailableError) response.setHeader('Retry-After', String(error.retryAfterSeconds))
  else addChallenge(response, challengeFor(error, realm, metadataUrl))
  if (errors === 'next') return next(error)

  const body = JSON.stringify(toBody(error))
  response.statusCode = error.status
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  response.setHeader('Content-Length', Buffer.byteLength(body))
  response.end(body)
}

function challengeFor(error: OAuthError, realm: string, metadataUrl: string | undefined): string {
  // without credentials there is nothing to say about them (RFC 6750 §3.1)
  const described = error.code === undefined ? {} : { error: error.code, error_description: error.message }
  const further = {
    ...error.parameters,
    ...(metadataUrl === undefined ? {} : { resource_metadata: metadataUrl }),
  }
  // whether a client may come back without its user is between it and the authorization server
  const scope = error.scope.filter((one) => one !== 'offline_access')
  return formatChallenge('Bearer', { realm, ...described, scope, further })
}

/** A challenge set before ours, of another scheme, is kept. */
function addChallenge(response: ServerResponse, challenge: string): void {
  const earlier = response.getHeader('WWW-Authenticate')
  const kept = earlier === undefined ? [] : [earlier].flat().map(String)
  response.setHeader('WWW-Authenticate', kept.length === 0 ? challenge : [...kept, challenge])
}

function toBody(error: OAuthError | UnavailableError): Record<string, string> {
  if (error instanceof UnavailableError) {
    return { error: 'temporarily_unavailable', error_description: error.message }
  }
  return error.code === undefined
    ? { message: error.message }
    : { error: error.code, error_description: error.message }
}
