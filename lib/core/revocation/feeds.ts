/**
 * How fresh the knowledge of revocations is. A feed that only speaks when something happened cannot be told
 * from one that died; so freshness is counted from heartbeats, by which a feed says "that was all so far".
 */
import type { OnRevocation } from './effects.js'

export interface FeedHealth {
  readonly name: string
  /** Issuers whose revocations it tells; undefined: of all. */
  readonly issuers: readonly string[] | undefined
  readonly state: 'waiting' | 'working' | 'failing'
  readonly events: number
  /** Seconds since the epoch; undefined: never yet. */
  readonly lastEventAt: number | undefined
  readonly lastHeartbeatAt: number | undefined
  readonly lastError: string | undefined
}

export interface FeedOptions {
  readonly name: string
  readonly issuers?: readonly string[]
  /** Whether it proves its freshness from the start. Others do so from their first heartbeat on. */
  readonly heartbeats?: boolean
}

export interface Feed {
  readonly name: string
  event(): void
  heartbeat(): void
  /** It cannot be read; its last heartbeat stands. */
  failed(error: unknown): void
  /** Its source said that it stops: nothing heard before proves anything now. */
  paused(): void
}

export interface Feeds {
  open(options: FeedOptions): Feed
  /**
   * Seconds since all feeds with heartbeats for this issuer last proved to be complete. Undefined: there is
   * none; Infinity: one of them has not proved it yet.
   */
  lagSeconds(issuer: string): number | undefined
  health(): readonly FeedHealth[]
}

interface State {
  readonly options: FeedOptions
  counts: boolean
  events: number
  lastEventMs: number | undefined
  lastHeartbeatMs: number | undefined
  lastError: string | undefined
}

export function createFeeds(tell: OnRevocation): Feeds {
  const states: State[] = []

  function open(options: FeedOptions): Feed {
    const counts = options.heartbeats ?? false
    const none = { lastEventMs: undefined, lastHeartbeatMs: undefined, lastError: undefined }
    const state: State = { options, counts, events: 0, ...none }
    states.push(state)
    const { name } = options

    function works(): void {
      if (state.lastError === undefined) return
      state.lastError = undefined
      tell({ kind: 'feed', feed: name, outcome: 'recovered', detail: '' })
    }

    return {
      name,
      event() {
        state.events += 1
        state.lastEventMs = Date.now()
        works()
      },
      heartbeat() {
        state.counts = true
        state.lastHeartbeatMs = Date.now()
        works()
      },
      failed(error) {
        const detail = describe(error)
        if (state.lastError === undefined) tell({ kind: 'feed', feed: name, outcome: 'failed', detail })
        state.lastError = detail
      },
      paused() {
        state.counts = true
        state.lastHeartbeatMs = undefined
      },
    }
  }

  function lagSeconds(issuer: string): number | undefined {
    let lag: number | undefined
    for (const { options, counts, lastHeartbeatMs } of states) {
      if (!counts || (options.issuers && !options.issuers.includes(issuer))) continue
      const own = lastHeartbeatMs === undefined ? Infinity : (Date.now() - lastHeartbeatMs) / 1000
      lag = Math.max(lag ?? 0, own)
    }
    return lag
  }

  return { open, lagSeconds, health: () => states.map(toHealth) }
}

function toHealth({ options, events, lastEventMs, lastHeartbeatMs, lastError }: State): FeedHealth {
  const hasSpoken = lastEventMs !== undefined || lastHeartbeatMs !== undefined
  return {
    name: options.name,
    issuers: options.issuers,
    state: lastError !== undefined ? 'failing' : hasSpoken ? 'working' : 'waiting',
    events,
    lastEventAt: toSeconds(lastEventMs),
    lastHeartbeatAt: toSeconds(lastHeartbeatMs),
    lastError,
  }
}

function toSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.floor(ms / 1000)
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
