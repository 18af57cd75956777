/**
 * Asks the authorization server what an opaque token is worth, and remembers the answer for a moment.
 *
 * @see RFC 7662 §2 for the exchange, §4 for what may be cached
 */
import type { TokenFacts } from '../access-token.js'
import { InvalidTokenError, UnavailableError } from '../errors.js'
import { createCache } from '../io/cache.js'
import { createCircuitBreaker } from '../io/circuit-breaker.js'
import type { SendRequest } from '../io/http.js'
import { createSingleFlight } from '../io/single-flight.js'
import { createClientAuthentication, type ClientCredentials } from './client-authentication.js'
import { createIntrospectionCall, type IntrospectionEndpoint } from './introspection-call.js'
import { toFacts, type IntrospectionExpectations } from './introspection-answer.js'

export interface IntrospectionSettings extends ClientCredentials {
  /** Undefined: discovered. */
  readonly endpoint: string | undefined
  /** Seconds for which a positive answer is believed, never beyond its `exp`. */
  readonly cacheTtlSeconds: number
  /** Seconds for which a negative answer is believed. */
  readonly negativeCacheTtlSeconds: number
  /** Milliseconds in which a request has its answer. */
  readonly timeoutMs: number
  /** Positive and negative answers are kept apart, so many of each. */
  readonly cacheMaxEntries: number
  readonly allowMissingAudience: boolean
  /** Whether `token_type_hint=access_token` is sent. */
  readonly tokenTypeHint: boolean
  /** Calls under way beyond which requests are answered 503 at once. */
  readonly maxConcurrent: number
  readonly breaker: { readonly failures: number; readonly trialSeconds: number }
}

export interface IntrospectionOptions extends IntrospectionExpectations {
  readonly settings: IntrospectionSettings
  /** The endpoint; rejects with the outage if it cannot be found out. */
  readonly discoverEndpoint: () => IntrospectionEndpoint | Promise<IntrospectionEndpoint>
  readonly send: SendRequest
}

/** What an answer says about a token: the facts, or why it is none for this API. Holds until a moment. */
export type Verdict =
  | { readonly facts: TokenFacts; readonly until: number }
  | { readonly refusal: InvalidTokenError; readonly until: number }

export interface Introspection {
  /** A verdict of an earlier answer that still holds. */
  recall(digest: string): Verdict | undefined
  /**
   * The verdict of an answer now. Simultaneous callers with one token share one call.
   * @throws UnavailableError if the server gave no usable answer
   */
  ask(token: string, digest: string): Promise<Verdict>
  /** @throws UnavailableError if the endpoint cannot be found out */
  ready(): Promise<void>
  health(): IntrospectionHealth
}

export interface IntrospectionHealth {
  readonly circuit: 'closed' | 'open' | 'trial'
  readonly failures: number
  readonly retryAfterSeconds: number
  readonly inFlight: number
  readonly cachedPositive: number
  readonly cachedNegative: number
}

/** Caches and calls of one issuer's endpoint with one client: nothing of them is shared with another's. */
export function createIntrospection(options: IntrospectionOptions): Introspection {
  const { settings, issuer, discoverEndpoint, send } = options
  // bad tokens have a space of their own: a flood of them cannot push out good ones
  const positive = createCache<Verdict>(settings.cacheMaxEntries)
  const negative = createCache<Verdict>(settings.cacheMaxEntries)
  const share = createSingleFlight<Verdict>()
  const breaker = createBreaker(issuer, settings)
  const authenticate = createClientAuthentication(settings, issuer)
  const call = createIntrospectionCall({ issuer, settings, discoverEndpoint, authenticate, send })
  let inFlight = 0

  async function withinLimit(task: () => Promise<unknown>): Promise<unknown> {
    if (inFlight >= settings.maxConcurrent) throw new UnavailableError('introspection_overloaded', { issuer })
    inFlight += 1
    try {
      return await task()
    } finally {
      inFlight -= 1
    }
  }

  // from the inside out: ask, unless it keeps failing, unless too many ask already
  const answerFor = (token: string) => withinLimit(() => breaker.run(() => call(token)))

  function judge(answer: unknown): Verdict {
    const nowMs = Date.now()
    try {
      const { facts, until } = toFacts(answer, options)
      return { facts, until: Math.min(until, nowMs + settings.cacheTtlSeconds * 1000) }
    } catch (error) {
      if (!(error instanceof InvalidTokenError)) throw error
      return { refusal: error, until: nowMs + settings.negativeCacheTtlSeconds * 1000 }
    }
  }

  async function askAndRemember(token: string, digest: string): Promise<Verdict> {
    const verdict = judge(await answerFor(token))
    const cache = 'facts' in verdict ? positive : negative
    cache.set(digest, verdict)
    return verdict
  }

  return {
    recall: (digest) => positive.get(digest, Date.now()) ?? negative.get(digest, Date.now()),
    ask: (token, digest) => share(digest, () => askAndRemember(token, digest)),
    ready: async () => {
      await discoverEndpoint()
    },
    health() {
      const { state: circuit, failures, retryAfterSeconds } = breaker.health()
      const cached = { cachedPositive: positive.size, cachedNegative: negative.size }
      return { circuit, failures, retryAfterSeconds, inFlight, ...cached }
    },
  }
}

/** A token that the server cannot stomach (a 400) says nothing against the server: anybody may send one. */
const OUTAGES = new Set(['introspection_unavailable', 'introspection_credentials_refused'])

function createBreaker(issuer: string, { breaker }: IntrospectionSettings) {
  return createCircuitBreaker({
    ...breaker,
    isFailure(error) {
      if (!(error instanceof UnavailableError) || !OUTAGES.has(error.reason)) return false
      return { retryAfterSeconds: error.retryAfterSeconds > 1 ? error.retryAfterSeconds : 0 }
    },
    refuse: (retryAfterSeconds) =>
      new UnavailableError('introspection_suspended', { issuer, retryAfterSeconds }),
  })
}
