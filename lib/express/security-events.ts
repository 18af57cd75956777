/**
 * The address to which a transmitter pushes security events, and the polling of one that does not push.
 *
 * @see RFC 8935 §2, RFC 8936 §2
 * @see OpenID Shared Signals Framework 1.0, OpenID CAEP 1.0
 */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { ConfigurationError, UnavailableError } from '../core/errors.js'
import {
  resolvePoll,
  resolveTransmitter,
  type PollOptions,
  type TransmitterOptions,
} from '../core/options/security-event-options.js'
import { startPolling } from '../core/revocation/security-event-poll.js'
import { createSecurityEventReceiver } from '../core/revocation/security-event-receiver.js'
import { SetError } from '../core/revocation/security-event-token.js'
import { BodyError, hasContentType, readRawBody } from './body.js'
import { REVOCATION, type ExpressRequest, type Handler } from './request.js'
import type { ResourceServer } from './resource-server.js'

export type { PollOptions, TransmitterOptions } from '../core/options/security-event-options.js'

/** Options of `securityEvents()`. */
export interface SecurityEventsOptions {
  readonly transmitters: readonly TransmitterOptions[]
  /**
   * The `Authorization` field that the transmitter was told to send, or several while it is changed. Default:
   * none is asked for; each event is signed in any case.
   */
  readonly authorization?: string | readonly string[]
}

export interface SecurityEventsHandler extends Handler {
  /**
   * A `state` to be sent to the transmitter's verification endpoint. The verification event that brings it
   * back proves the stream to be alive (SSF §8.1.4).
   */
  createVerificationState(): string
}

const MAX_BYTES = 64 * 1024

/**
 * Makes the handler of pushed security events (RFC 8935). CAEP `session-revoked` and RISC `account-disabled`
 * and `account-purged` revoke the subject's tokens issued up to then; `credential-change`,
 * `token-claims-change`, `assurance-level-change` and their like make them suspect, to be introspected once.
 *
 * Answers 202 only when the effect is kept. Mount it before `resourceServer`. Not checked here: that the
 * transmitter's stream delivers what you need; subscribe to its events there.
 *
 * @throws ConfigurationError if a transmitter's options are wrong
 * @see RFC 8935, RFC 9493, OpenID CAEP 1.0 §3
 * @example
 * app.post('/events', securityEvents(server, {
 *   transmitters: [{ issuer: 'https://login.example.com', audience: 'https://api.example.com' }],
 * }))
 */
export function securityEvents(
  server: ResourceServer,
  options: SecurityEventsOptions,
): SecurityEventsHandler {
  const plane = server[REVOCATION]
  const given: unknown = (options as Partial<SecurityEventsOptions> | undefined)?.transmitters
  if (!Array.isArray(given) || given.length === 0) {
    throw new ConfigurationError(
      'securityEvents.transmitters',
      `securityEvents: transmitters must be a list. Write transmitters: [{ issuer: 'https://login.example.com', audience: '…' }]`,
    )
  }
  const transmitters = options.transmitters.map((one, index) =>
    resolveTransmitter(one, `securityEvents.transmitters[${index}]`, plane),
  )
  const issuers = [...new Set(transmitters.flatMap(({ tokenIssuers }) => tokenIssuers))]
  const feed = plane.feeds.open({ name: 'security events, pushed', issuers })
  const receiver = createSecurityEventReceiver(plane, transmitters, feed)
  const accepted = options.authorization === undefined ? undefined : [options.authorization].flat()

  async function handle(request: ExpressRequest, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') throw new SetError('invalid_request', 'the method must be POST')
    if (accepted && !isAuthorized(request.headers.authorization, accepted)) {
      throw new SetError('authentication_failed', 'the credentials are not the ones of this stream')
    }
    if (!hasContentType(request, 'application/secevent+jwt')) {
      throw new SetError('invalid_request', 'the content type must be application/secevent+jwt')
    }
    const raw = await readRawBody(request, MAX_BYTES)
    if (!raw) throw new SetError('invalid_request', 'the body was read before by a parser that keeps no text')
    await receiver.receive(raw.toString('utf8').trim())
    response.statusCode = 202
    response.end()
  }

  function securityEvents(...[request, response, next]: Parameters<Handler>): void {
    handle(request, response).catch((error: unknown) => {
      if (error instanceof SetError) return answer(response, error.code, error.message)
      if (error instanceof BodyError) return answer(response, 'invalid_request', error.message)
      if (!(error instanceof UnavailableError)) return next(error)
      response.setHeader('Retry-After', String(error.retryAfterSeconds))
      response.statusCode = 503
      response.end()
    })
  }

  function createVerificationState(): string {
    const state = randomUUID()
    receiver.expect(state)
    return state
  }

  return Object.assign(securityEvents, { createVerificationState })
}

/**
 * Fetches security events from a transmitter (RFC 8936) until the server closes, with the same effects as
 * pushed ones. A poll that leaves nothing behind is a proof of freshness.
 *
 * @throws ConfigurationError if an option is wrong
 * @example
 * pollSecurityEvents(server, {
 *   issuer: 'https://login.example.com',
 *   audience: 'https://api.example.com',
 *   endpoint: 'https://login.example.com/ssf/poll/1',
 *   authorization: () => `Bearer ${accessTokenForTheStream()}`,
 * })
 */
export function pollSecurityEvents(server: ResourceServer, options: PollOptions): void {
  const plane = server[REVOCATION]
  const { transmitter, poll } = resolvePoll(options, 'pollSecurityEvents', plane)
  const issuers = transmitter.tokenIssuers
  const feed = plane.feeds.open({
    name: `security events, polled from ${transmitter.issuer}`,
    issuers,
    heartbeats: true,
  })
  startPolling(plane, createSecurityEventReceiver(plane, [transmitter], feed), feed, poll)
}

/** In a time that does not tell how much of it was right. */
function isAuthorized(given: string | undefined, accepted: readonly string[]): boolean {
  const digest = digestOf(given ?? '')
  return accepted.some((value) => timingSafeEqual(digest, digestOf(value)))
}

function digestOf(value: string): Buffer {
  return createHash('sha256').update(value).digest()
}

/** RFC 8935 §2.3. */
function answer(response: ServerResponse, err: string, description: string): void {
  response.statusCode = 400
  response.setHeader('Content-Type', 'application/json')
  response.setHeader('Content-Language', 'en')
  response.setHeader('Cache-Control', 'no-store')
  response.end(JSON.stringify({ err, description }))
}
