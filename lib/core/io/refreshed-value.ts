/**
 * A value that lives elsewhere and is kept here: loaded once for all who wait, refreshed ahead in the
 * background, served for a bounded time while its source is down, and asked for ever more rarely then.
 */
import { UnavailableError } from '../errors.js'

export interface RefreshedValueOptions<T> {
  /** Fetches the value; rejects with the outage, and wants a deadline of its own. */
  readonly load: () => Promise<{ readonly value: T; readonly lifetimeSeconds?: number | undefined }>
  /**
   * Where to look when it cannot be fetched and there is none that may serve, and when that one was fetched
   * (milliseconds since the epoch): it counts from then.
   */
  readonly lastResort?: (() => Promise<{ readonly value: T; readonly at: number } | undefined>) | undefined
  /** Seconds between refreshes; a shorter lifetime given by the source is honoured down to 30 seconds. */
  readonly refreshSeconds: number
  /** Seconds since the last success for which the value may serve. */
  readonly maxStaleSeconds: number
  /** Whether it was something else that failed, which keeps a pause of its own. Default: never. */
  readonly isPassedOn?: (error: unknown) => boolean
}

export interface RefreshedValueHealth {
  readonly state: 'empty' | 'fresh' | 'stale' | 'expired'
  readonly ageSeconds: number | undefined
  readonly nextRefreshSeconds: number | undefined
  readonly failures: number
  readonly lastError: string | undefined
}

export interface RefreshedValue<T> {
  /** The value if it may serve. Starts a refresh in the background when that is due; never waits. */
  current(): T | undefined
  /** The value, loaded first if there is none that may serve. */
  get(): T | Promise<T>
  /** Fetches it anew and waits; simultaneous callers share one fetch. Keeps to the pause after a failure. */
  refresh(): Promise<T>
  /** The refresh under way, if there is one. */
  readonly pending: Promise<T> | undefined
  /** The next use refreshes it: its source may have moved. */
  expire(): void
  health(): RefreshedValueHealth
  close(): void
}

/** An unreachable source is asked again after 0.5, 1, 2, 4 … seconds, at most this many. */
const MAX_PAUSE_SECONDS = 15
/** A source may ask to be left alone for longer, within reason. */
const MAX_ASKED_SECONDS = 300
const MIN_LIFETIME_SECONDS = 30
/** Refreshes come up to a tenth earlier than due, retries up to a tenth later. */
const JITTER = 0.1

export function createRefreshedValue<T>(options: RefreshedValueOptions<T>): RefreshedValue<T> {
  let loaded: { readonly value: T; readonly at: number } | undefined
  let lastError: unknown
  let failures = 0
  let refreshAt = 0
  let pausedUntil = 0
  let pending: Promise<T> | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  // a value that serves for a short time only is refreshed before that time is over
  const longestInterval = Math.max(1, Math.min(options.refreshSeconds, options.maxStaleSeconds * 0.8))

  const mayServe = (now: number) =>
    loaded !== undefined && now - loaded.at <= options.maxStaleSeconds * 1000 ? loaded : undefined

  function schedule(seconds: number, spread: number): void {
    // the jitter keeps a fleet that was started together from asking together
    const delay = seconds * 1000 * (1 + spread * Math.random())
    refreshAt = Date.now() + delay
    clearTimeout(timer)
    if (closed) return
    timer = setTimeout(refreshInBackground, delay)
    timer.unref()
  }

  function accept({ value, lifetimeSeconds }: Awaited<ReturnType<typeof options.load>>): T {
    loaded = { value, at: Date.now() }
    failures = 0
    lastError = undefined
    pausedUntil = 0
    // obeying `no-store` or `max-age=0` to the letter would mean a fetch per request
    const wished = lifetimeSeconds ? Math.max(MIN_LIFETIME_SECONDS, lifetimeSeconds) : options.refreshSeconds
    schedule(Math.min(wished, longestInterval), -JITTER)
    return value
  }

  function fail(error: unknown): Promise<T> {
    lastError = error
    if (options.isPassedOn?.(error)) {
      schedule(Math.max(1, asked(error)), JITTER)
      pausedUntil = 0
      return resort(error)
    }
    failures += 1
    const pause = Math.min(0.5 * 2 ** (failures - 1), MAX_PAUSE_SECONDS)
    // a time that the server itself names is told on, and kept to
    if (asked(error) > pause) schedule(asked(error), 0)
    else schedule(pause, JITTER)
    pausedUntil = refreshAt
    return resort(again(error, pausedUntil - Date.now()))
  }

  async function resort(error: unknown): Promise<T> {
    const found = mayServe(Date.now()) ? undefined : await options.lastResort?.()
    if (!found) throw error
    loaded = found
    return found.value
  }

  function refresh(): Promise<T> {
    const pauseMs = pausedUntil - Date.now()
    return pending || pauseMs <= 0 ? load() : Promise.reject(again(lastError, pauseMs))
  }

  function load(): Promise<T> {
    if (pending) return pending
    if (closed) return Promise.reject(new UnavailableError('closed'))
    pending = options
      .load()
      .then(accept, fail)
      .finally(() => (pending = undefined))
    return pending
  }

  function refreshInBackground(): void {
    // a failure is kept in `lastError`, shown by health() and told to whoever has to wait
    load().catch(() => undefined)
  }

  function current(): T | undefined {
    const now = Date.now()
    const serving = mayServe(now)
    // timers stand still while a machine sleeps: a request notices too
    if (serving && now >= refreshAt && !pending && !closed) refreshInBackground()
    return serving?.value
  }

  return {
    current,
    get: () => current() ?? refresh(),
    refresh,
    get pending() {
      return pending
    },
    expire: () => {
      // the pause after a failure stands: it was the source that failed
      if (lastError === undefined) refreshAt = Math.min(refreshAt, Date.now())
    },
    health() {
      const now = Date.now()
      const isFresh = lastError === undefined
      const state = !loaded ? 'empty' : !mayServe(now) ? 'expired' : isFresh ? 'fresh' : 'stale'
      return {
        state,
        ageSeconds: loaded && Math.round((now - loaded.at) / 1000),
        nextRefreshSeconds: refreshAt ? Math.max(0, Math.round((refreshAt - now) / 1000)) : undefined,
        failures,
        lastError: lastError === undefined ? undefined : describe(lastError),
      }
    },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

/** The same outage, with the pause after which it makes sense to ask again. */
function again(error: unknown, pauseMs: number): unknown {
  if (!(error instanceof UnavailableError) || error.retryAfterSeconds * 1000 >= pauseMs) return error
  const retryAfterSeconds = Math.max(1, pauseMs / 1000)
  return new UnavailableError(error.reason, { ...error.evidence, retryAfterSeconds, cause: error })
}

/** The source's own `Retry-After`, within reason; 1 is only the default of an outage that names none. */
function asked(error: unknown): number {
  return error instanceof UnavailableError && error.retryAfterSeconds > 1
    ? Math.min(error.retryAfterSeconds, MAX_ASKED_SECONDS)
    : 0
}

function describe(error: unknown): string {
  if (!(error instanceof UnavailableError)) return String(error)
  const { found } = error.evidence
  return typeof found === 'string' ? `${error.reason}: ${found}` : error.reason
}
