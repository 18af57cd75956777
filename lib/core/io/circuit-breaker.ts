/**
 * A service that keeps failing is left alone for a while, instead of making every caller wait for its
 * deadline; then one call tries it, and only its success lets the others through again.
 */

export interface CircuitBreakerOptions {
  /** Failures in a row that open the circuit. */
  readonly failures: number
  /** Seconds until a trial. */
  readonly trialSeconds: number
  /** Whether an error speaks against the service, and for how many seconds it wants to be left alone. */
  readonly isFailure: (error: unknown) => false | { readonly retryAfterSeconds: number }
  /** The error for callers that are not let through. */
  readonly refuse: (retryAfterSeconds: number) => Error
}

/** A service may ask to be left alone for longer; nobody is locked out for an hour by one answer. */
const MAX_PAUSE_SECONDS = 300

export interface CircuitBreaker {
  run<T>(task: () => Promise<T>): Promise<T>
  health(): { state: 'closed' | 'open' | 'trial'; failures: number; retryAfterSeconds: number }
}

export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  let failures = 0
  let opensAt = 0
  let trial = false

  const isOpen = () => failures >= options.failures || opensAt > 0
  const remaining = () => Math.max(0, opensAt - Date.now()) / 1000

  function recordSuccess(): void {
    failures = 0
    opensAt = 0
  }

  function recordFailure(error: unknown): void {
    const verdict = options.isFailure(error)
    // it answered, although not as wished: that is no reason to leave it alone
    if (verdict === false) return recordSuccess()
    failures += 1
    const asked = Math.min(verdict.retryAfterSeconds, MAX_PAUSE_SECONDS)
    const pause = failures >= options.failures ? Math.max(options.trialSeconds, asked) : asked
    if (pause > 0) opensAt = Date.now() + pause * 1000
  }

  return {
    async run(task) {
      if (isOpen()) {
        if (remaining() > 0) throw options.refuse(remaining())
        if (trial) throw options.refuse(1)
        trial = true
      }
      const wasTrial = trial
      try {
        const answer = await task()
        recordSuccess()
        return answer
      } catch (error) {
        recordFailure(error)
        throw error
      } finally {
        if (wasTrial) trial = false
      }
    },
    health() {
      const state = !isOpen() ? 'closed' : trial || remaining() === 0 ? 'trial' : 'open'
      return { state, failures, retryAfterSeconds: Math.ceil(remaining()) }
    },
  }
}
