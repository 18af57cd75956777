/**
 * What several nodes may share: a log of revocations that each of them reads to its end and then follows, and
 * a memory of statements that were received already. One node alone needs neither from elsewhere.
 */
import { UnavailableError } from '../errors.js'
import { createCache } from '../io/cache.js'
import { sha256 } from '../io/digest.js'
import type { Store } from '../io/store.js'
import type { RevocationRecord } from './record.js'

/** Called by a log for whoever follows it. */
export interface LogFollower {
  /** Each record, in order, from the oldest that is kept; again after a lost connection is harmless. */
  onRecord(record: RevocationRecord): void
  /**
   * Everything appended up to this moment has been handed over (by the log's own word, not because nothing
   * came). Called at least every few seconds while the log is there: it is the proof of freshness.
   */
  onHeartbeat(): void
  /**
   * There was a record, but nobody can tell what it says: anything may have been revoked.
   * @param at seconds since the epoch at which it was appended
   */
  onUnreadable(at: number): void
  /** The log cannot be read at the moment. It goes on by itself, from where it stopped. */
  onFailure(error: unknown): void
  /** All that is known here: a log that lost its records gets them back from those who follow it. */
  known(): Iterable<RevocationRecord>
}

/** An append-only log of revocations, shared by all nodes. It keeps records for at least the life of a token. */
export interface RevocationLog {
  /** Seconds for which records are kept at least. Undefined: for good. */
  readonly retentionSeconds?: number
  /** Resolves when the record is kept where others will find it. Has a deadline of its own. */
  append(record: RevocationRecord): Promise<void>
  /** Replays the log and tails it until the signal aborts; resolves then. */
  follow(follower: LogFollower, signal: AbortSignal): Promise<void>
}

/** Statements that were received already, by a name that is unique for its time. */
export interface SeenOnce {
  /** @param name a digest: short, and telling nothing */
  has(name: string): boolean | Promise<boolean>
  /** Called when its effect is kept, not before: a statement that failed halfway must be taken again. */
  remember(name: string, seconds: number): void | Promise<void>
}

/** A memory that may fail, made one whose failure is an outage: its statement is not taken, and comes again. */
export function createCheckedSeenOnce(shared: SeenOnce): SeenOnce {
  async function orOutage<T>(ask: () => T | Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (cause) {
      // whatever a store's client throws means one thing: it could not be asked
      throw new UnavailableError('revocation_log_unavailable', { name: 'seenOnce', cause })
    }
  }

  return {
    has: (name) => orOutage(() => shared.has(sha256(name))),
    remember: (name, seconds) => orOutage(() => shared.remember(sha256(name), seconds)),
  }
}

const MAX_SEEN = 100_000

/** In the memory of this process. */
export function createSeenOnce(): SeenOnce {
  const seen = createCache<{ until: number }>(MAX_SEEN)
  return {
    has: (name) => seen.get(name, Date.now()) !== undefined,
    remember: (name, seconds) => seen.set(name, { until: Date.now() + seconds * 1000 }),
  }
}

/** In a store that several nodes share. */
export function createSharedSeenOnce(store: Store): SeenOnce {
  const keyOf = (name: string) => `seen:${name}`
  return {
    has: async (name) => (await store.get(keyOf(name))) !== undefined,
    remember: (name, seconds) => store.set(keyOf(name), '', seconds * 1000),
  }
}
