/**
 * What operators may hear of: every refusal and every outage, with what was expected and what was found.
 * No event holds a token or a secret.
 */
import { channel } from 'node:diagnostics_channel'
import {
  isThenable,
  OAuthError,
  UnavailableError,
  type OAuthErrorCode,
  type OutageReason,
  type RefusalReason,
} from './errors.js'

interface CommonEvent {
  readonly issuer: string | undefined
  /** The claim, header parameter, member or address in question. */
  readonly name: string | undefined
  readonly expected: unknown
  /** May hold what a stranger wrote into a token: escape it where it is printed. */
  readonly found: unknown
}

/** A request that was answered 400, 401 or 403. */
export interface RefusalEvent extends CommonEvent {
  readonly kind: 'refusal'
  readonly status: 400 | 401 | 403
  readonly error: OAuthErrorCode | undefined
  readonly reason: RefusalReason
}

/** A request that was answered 503. */
export interface OutageEvent extends CommonEvent {
  readonly kind: 'outage'
  readonly status: 503
  readonly reason: OutageReason
  readonly retryAfterSeconds: number
  readonly cause: unknown
}

export type ResourceServerEvent = RefusalEvent | OutageEvent

/**
 * Told of every refusal and outage. Nobody waits for it. What it throws, or what the promise it may return
 * rejects with, becomes a process warning.
 */
export type OnRefusal = (event: ResourceServerEvent) => unknown

/** The names of the diagnostics channels on which events are published. */
export const REFUSAL_CHANNEL = 'express-resource-server:refusal'
export const OUTAGE_CHANNEL = 'express-resource-server:outage'

/** @returns `report(error)`: publishes what happened, and returns it */
export function createReport(
  onRefusal: OnRefusal | undefined,
): (error: OAuthError | UnavailableError) => ResourceServerEvent {
  const refusals = channel(REFUSAL_CHANNEL)
  const outages = channel(OUTAGE_CHANNEL)

  return function report(error) {
    const event = toEvent(error)
    const published = event.kind === 'refusal' ? refusals : outages
    if (published.hasSubscribers) published.publish(event)
    if (onRefusal) notify(onRefusal, event)
    return event
  }
}

function notify(listener: OnRefusal, event: ResourceServerEvent): void {
  try {
    const outcome = listener(event)
    if (isThenable(outcome)) outcome.then(undefined, warn)
  } catch (error) {
    // an answer is on its way to the client; a faulty listener must not turn it into another
    warn(error)
  }
}

function warn(cause: unknown): void {
  process.emitWarning(cause instanceof Error ? cause : new Error('onRefusal failed', { cause }))
}

function toEvent(error: OAuthError | UnavailableError): ResourceServerEvent {
  const { issuer, name, expected, found } = error.evidence
  const common = { issuer, name, expected, found }
  if (error instanceof UnavailableError) {
    const { reason, retryAfterSeconds, cause } = error
    return { kind: 'outage', status: 503, reason, retryAfterSeconds, cause, ...common }
  }
  return { kind: 'refusal', status: error.status, error: error.code, reason: error.reason, ...common }
}
