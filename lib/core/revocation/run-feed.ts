/** Keeps a source of revocations running: one that fails is started again, ever more rarely. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Feed } from './feeds.js'
import type { Revocation } from './revocations.js'

/** What a source of the user's is given. */
export interface FeedControls {
  /** Aborted by `close()`. */
  readonly signal: AbortSignal
  /** Says that everything up to now has been emitted. Freshness is counted from it. */
  readonly heartbeat: () => void
}

/**
 * A source of revocations. It runs until the signal aborts; if it throws, it is started again after 1, 2,
 * 4 … 60 seconds; if it returns, it has set up all it needs.
 */
export type RevocationFeed = (
  emit: (revocation: Revocation) => Promise<void>,
  controls: FeedControls,
) => void | Promise<void>

const MAX_PAUSE_SECONDS = 60

/** @param task runs once; `worked()` says that it is well, so that the next failure is the first again */
export async function keepRunning(
  feed: Feed,
  signal: AbortSignal,
  task: (worked: () => void) => void | Promise<void>,
): Promise<void> {
  let failures = 0
  const worked = () => {
    failures = 0
  }
  while (!isClosing(signal)) {
    try {
      await task(worked)
      return
    } catch (error) {
      if (isClosing(signal)) return
      // a source is foreign code: whatever it throws, it has failed and is started again
      feed.failed(error)
      failures += 1
      await waitFor(Math.min(2 ** (failures - 1), MAX_PAUSE_SECONDS), signal)
    }
  }
}

/** A function, because the compiler does not know that it changes while something is awaited. */
function isClosing(signal: AbortSignal): boolean {
  return signal.aborted
}

async function waitFor(seconds: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(seconds * 1000, undefined, { signal, ref: false })
  } catch (error) {
    // closing ends the pause
    if (!signal.aborted) throw error
  }
}
