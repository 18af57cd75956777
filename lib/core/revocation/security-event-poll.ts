/**
 * Security events fetched from the transmitter: for APIs that cannot be reached from outside. Each poll that
 * brings nothing more proves that nothing was missed.
 *
 * @see RFC 8936 §2
 */
import { setTimeout as pause } from 'node:timers/promises'
import { UnavailableError } from '../errors.js'
import type { HttpResponse } from '../io/http.js'
import { isObject } from './claims.js'
import type { Feed } from './feeds.js'
import type { RevocationPlane } from './revocation.js'
import { keepRunning } from './run-feed.js'
import type { SecurityEventReceiver } from './security-event-receiver.js'
import { SetError } from './security-event-token.js'

export interface PollSettings {
  readonly endpoint: string
  /** The `Authorization` field of each poll, asked for anew each time; undefined: none. */
  readonly authorization: (() => string | Promise<string>) | undefined
  /** Seconds between polls that brought nothing. 0: the transmitter holds the answer back (long polling). */
  readonly intervalSeconds: number
  readonly timeoutMs: number
  readonly maxEvents: number
}

/** What a poll tells of the ones before. */
interface Receipts {
  ack: string[]
  /** By `jti`, which the transmitter chooses: on an object, one name would be lost. */
  setErrs: Map<string, { err: string; description: string }>
}

const MAX_BYTES = 4 * 1024 * 1024

/** Polls until the server closes; a transmitter that fails is asked ever more rarely. */
export function startPolling(
  plane: RevocationPlane,
  receiver: SecurityEventReceiver,
  feed: Feed,
  settings: PollSettings,
): void {
  let receipts: Receipts = { ack: [], setErrs: new Map() }
  const { signal } = plane

  async function poll(): Promise<{ readonly received: number; readonly isMore: boolean }> {
    const sent = receipts
    const answer = readAnswer(await post(sent))
    // what was told is told; what comes again is acknowledged again
    receipts = { ack: [], setErrs: new Map() }
    for (const [jti, token] of answer.sets) await take(jti, token)
    return { received: answer.sets.length, isMore: answer.isMore }
  }

  async function take(jti: string, token: unknown): Promise<void> {
    try {
      if (typeof token !== 'string') throw new SetError('invalid_request', 'it is no string')
      await receiver.receive(token)
      receipts.ack.push(jti)
    } catch (error) {
      // an outage of ours: neither acknowledged nor refused, so it comes again
      if (!(error instanceof SetError)) throw error
      receipts.setErrs.set(jti, { err: error.code, description: error.message })
    }
  }

  async function post({ ack, setErrs }: Receipts): Promise<HttpResponse> {
    const authorization = await settings.authorization?.()
    const body = JSON.stringify({
      maxEvents: settings.maxEvents,
      returnImmediately: settings.intervalSeconds > 0,
      ack,
      ...(setErrs.size > 0 && { setErrs: Object.fromEntries(setErrs) }),
    })
    return plane.send({
      url: settings.endpoint,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(authorization !== undefined && { authorization }),
      },
      body,
      timeoutMs: settings.timeoutMs,
      maxBytes: MAX_BYTES,
    })
  }

  void keepRunning(feed, signal, async (worked) => {
    while (!signal.aborted) {
      const { received, isMore } = await poll()
      worked()
      if (!isMore) feed.heartbeat()
      // at once where there is more, and where receipts wait to be told
      if (received === 0 && !isMore) await waitFor(settings.intervalSeconds * 1000, signal)
    }
  })
}

function readAnswer({ status, body }: HttpResponse) {
  const value = status === 200 ? parse(body) : undefined
  const sets = isObject(value) ? (value['sets'] ?? {}) : undefined
  if (!isObject(value) || !isObject(sets)) {
    throw new UnavailableError('revocation_not_checked', { name: 'poll', found: `status ${status}` })
  }
  return { sets: Object.entries(sets), isMore: value['moreAvailable'] === true }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    // a SyntaxError is the parser's way to say "not JSON"
    return undefined
  }
}

async function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal, ref: false })
  } catch (error) {
    // closing ends the pause
    if (!signal.aborted) throw error
  }
}
