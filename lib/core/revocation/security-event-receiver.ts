/** What comes of a security event token, however it was delivered. */
import { meaningOf, nameOf, happenedAt, STREAM_UPDATED, VERIFICATION } from './caep.js'
import type { Feed } from './feeds.js'
import type { JsonObject } from '../issuer/jwt-format.js'
import type { RevocationRecord } from './record.js'
import type { RevocationPlane } from './revocation.js'
import {
  SetError,
  verifySecurityEvent,
  type SecurityEventToken,
  type TransmitterSettings,
} from './security-event-token.js'
import { matchSubject } from './subject-identifiers.js'

export interface SecurityEventReceiver {
  /**
   * Resolves when its effect is kept.
   * @throws SetError if it is not believed @throws UnavailableError if that could not be found out, or kept
   */
  receive(token: string): Promise<void>
  /** A verification event with this `state` is expected from now on. */
  expect(state: string): void
}

/** States that were asked for and did not come back yet. */
const MAX_STATES = 100

export function createSecurityEventReceiver(
  plane: RevocationPlane,
  transmitters: readonly TransmitterSettings[],
  feed: Feed,
): SecurityEventReceiver {
  const { revocations, seenOnce, verifySignature, settings, tell } = plane
  const states = new Set<string>()

  async function receive(token: string): Promise<void> {
    const { transmitter, event } = await verifySecurityEvent(token, transmitters, verifySignature)
    const name = `set ${transmitter.issuer} ${event.jti}`
    if (await seenOnce.has(name)) return
    for (const [type, payload] of event.events) await applyEvent(type, payload, event, transmitter)
    await seenOnce.remember(name, settings.maxTokenLifetimeSeconds)
    feed.event()
  }

  async function applyEvent(
    type: string,
    payload: JsonObject,
    event: SecurityEventToken,
    transmitter: TransmitterSettings,
  ): Promise<void> {
    if (type === VERIFICATION || type === STREAM_UPDATED) {
      if (type === VERIFICATION) verify(payload)
      else if (payload['status'] !== 'enabled') feed.paused()
      return
    }
    const meaning = meaningOf(type, transmitter.events)
    if (meaning === 'ignore') return
    const records = meaning ? await toRecords(meaning, type, payload, event, transmitter) : []
    if (records.length === 0) unmatched(`${nameOf(type)}: ${meaning ? 'no such tokens' : 'unknown event'}`)
    for (const record of records) await revocations.record(record)
  }

  /** A verification that nobody asked for names no state; one that does must be ours (SSF §8.1.4). */
  function verify({ state }: JsonObject): void {
    const isOurs = state === undefined || (typeof state === 'string' && states.delete(state))
    if (!isOurs) throw new SetError('invalid_state', 'its state is not the one that was sent')
    feed.heartbeat()
  }

  async function toRecords(
    meaning: 'revoked' | 'suspect',
    type: string,
    payload: JsonObject,
    event: SecurityEventToken,
    transmitter: TransmitterSettings,
  ): Promise<RevocationRecord[]> {
    const match = await matchSubject(event.subject ?? payload['subject'], {
      ...transmitter,
      findIssuer: (name) => plane.findIssuer(name)?.name,
    })
    const issuedBefore = happenedAt(payload, event.iat)
    return (match?.targets ?? []).map(({ target, isExact }) => ({
      issuer: match?.issuer ?? '',
      target,
      // an event that means fewer tokens than match must not revoke the others
      verdict: isExact ? meaning : 'suspect',
      issuedBefore,
      reason: nameOf(type),
      source: feed.name,
    }))
  }

  function unmatched(detail: string): void {
    tell({ kind: 'feed', feed: feed.name, outcome: 'unmatched', detail })
  }

  return {
    receive,
    expect(state) {
      const [oldest] = states
      if (states.size >= MAX_STATES && oldest !== undefined) states.delete(oldest)
      states.add(state)
    },
  }
}
