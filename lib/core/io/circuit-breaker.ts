/**
 * A service that keeps failing is left alone for a while, instead of making every caller wait for its
 * deadline; then one call tries it, and only its success lets the others through again.
 */

export interface CircuitBreakerOptions {
  /** Failures in a row that open the circuit. */
  readonly failures: number
  /** Seconds until a trial. */
  readonly trialSeconds: number
  /** What an error tells about the service. */
  readonly judge: (error: unknown) => ServiceSign
  /** The error for callers that are not let through. `cause` is the failure that opened the circuit. */
  readonly refuse: (retryAfterSeconds: number, cause: unknown) => Error
}

/**
 * `answered`: it is there, although it did not answer as wished. `unknown`: it was never asked.
 * Else it failed, and may want to be left alone for so many seconds at once.
 */
export type ServiceSign = 'answered' | 'unknown' | { readonly pauseSeconds: number }

/** A service may ask to be left alone for longer; nobody is locked out for an hour by one answer. */
const MAX_PAUSE_SECONDS = 300

export interface CircuitBreaker {
  run<T>(task: () => Promise<T>): Promise<T>
  health(): CircuitHealth
}

export interface CircuitHealth {
  readonly state: 'closed' | 'open' | 'trial'
  /** Failures in a row. */
  readonly failures: number
  /** Seconds until the next trial; 0 where calls are let through. */
  readonly retryAfterSeconds: number
}

/** The time between two changes. What was begun in one tells nothing in another. */
interface Period {
  readonly isOpen: boolean
  /** Milliseconds since the epoch from which a trial may begin. */
  trialAt: number
  onTrial: boolean
  /** The failure that opened the circuit. */
  readonly cause: unknown
}

export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  let failures = 0
  let period = newPeriod()

  function close(): void {
    failures = 0
    if (period.isOpen) period = newPeriod()
  }

  function open(pauseSeconds: number, cause: unknown): void {
    period = { isOpen: true, trialAt: Date.now() + pauseSeconds * 1000, onTrial: false, cause }
  }

  function recordFailure(pauseSeconds: number, error: unknown): void {
    failures += 1
    const asked = Math.min(pauseSeconds, MAX_PAUSE_SECONDS)
    const isTooMany = failures >= options.failures || period.isOpen
    const pause = isTooMany ? Math.max(options.trialSeconds, asked) : asked
    if (pause > 0) open(pause, error)
  }

  function record(sign: ServiceSign, error: unknown): void {
    if (sign === 'answered') return close()
    if (sign !== 'unknown') return recordFailure(sign.pauseSeconds, error)
    // a trial that never reached the service leaves the trial to the next caller
    if (period.isOpen) open(0, period.cause)
  }

  /** @throws what `refuse` makes, unless the circuit is closed or this call may try it. */
  function admit(): void {
    if (!period.isOpen) return
    const remaining = remainingSeconds(period)
    if (remaining > 0) throw options.refuse(period.onTrial ? 1 : remaining, period.cause)
    period.onTrial = true
    // a trial that hangs gives way to another
    period.trialAt = Date.now() + options.trialSeconds * 1000
  }

  return {
    async run(task) {
      admit()
      const begun = period
      try {
        const answer = await task()
        if (begun === period) close()
        return answer
      } catch (error) {
        if (begun === period) record(options.judge(error), error)
        throw error
      }
    },
    health() {
      if (!period.isOpen) return { state: 'closed', failures, retryAfterSeconds: 0 }
      const retryAfterSeconds = Math.ceil(remainingSeconds(period))
      const state = period.onTrial || retryAfterSeconds === 0 ? 'trial' : 'open'
      return { state, failures, retryAfterSeconds }
    },
  }
}

function newPeriod(): Period {
  return { isOpen: false, trialAt: 0, onTrial: false, cause: undefined }
}

/** A clock that was set back must not keep the circuit open: longer than the longest pause is none. */
function remainingSeconds({ trialAt }: Period): number {
  const remaining = (trialAt - Date.now()) / 1000
  return remaining > 0 && remaining <= MAX_PAUSE_SECONDS ? remaining : 0
}
