/** Commands with a deadline each, and a pause for a Redis that keeps failing. */
import { createCircuitBreaker } from '../core/io/circuit-breaker.js'
import { withinDeadline } from '../core/io/deadline.js'
import { StoreError } from '../core/io/store.js'
import type { StoreHealth } from '../core/options/store-options.js'
import type { RedisConnection } from './client.js'

export interface Commands {
  /** @throws StoreError (rejects) `unavailable`, whatever went wrong, at once while Redis is left alone */
  run(key: string, ...args: readonly string[]): Promise<unknown>
  /** The same for what no request waits for: it is tried in any case, and has more time. */
  insist(key: string, ...args: readonly string[]): Promise<unknown>
  health(): StoreHealth
}

/** Milliseconds for what no request waits for. */
export const PATIENCE_MS = 2000

const FAILURES = 5
const TRIAL_SECONDS = 1

/** @param timeoutMs milliseconds for one command, the client's own queueing included */
export function createCommands(connection: RedisConnection, timeoutMs: number): Commands {
  let lastError: string | undefined
  const breaker = createCircuitBreaker({
    failures: FAILURES,
    trialSeconds: TRIAL_SECONDS,
    judge: () => ({ pauseSeconds: 0 }),
    refuse: (_seconds, cause) => new StoreError('unavailable', { cause }),
  })

  async function within(limitMs: number, key: string, args: readonly string[]): Promise<unknown> {
    try {
      return await withDeadline(connection, { key, args, timeoutMs: limitMs })
    } catch (cause) {
      // clients throw errors of many kinds, all of them mean that it was not done, or that nobody knows
      lastError = cause instanceof Error ? cause.message : String(cause)
      throw new StoreError('unavailable', { cause })
    }
  }

  return {
    insist: (key, ...args) => within(Math.max(timeoutMs, PATIENCE_MS), key, args),
    run: (key, ...args) => breaker.run(() => within(timeoutMs, key, args)),
    health() {
      const { state, failures } = breaker.health()
      if (failures === 0) return { state: 'working', failures, lastError: undefined }
      return { state: state === 'closed' ? 'failing' : 'suspended', failures, lastError }
    },
  }
}

/** @throws whatever the client throws, or an Error that says that there was no reply */
export function withDeadline(
  connection: RedisConnection,
  {
    key,
    args,
    timeoutMs,
  }: { readonly key: string; readonly args: readonly string[]; readonly timeoutMs: number },
): Promise<unknown> {
  const late = () => new Error(`No reply to ${args[0] ?? ''} within ${timeoutMs} ms`)
  return withinDeadline(connection.send(key, args), timeoutMs, late)
}
