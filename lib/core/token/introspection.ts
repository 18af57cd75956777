/**
 * Asks the authorization server what an opaque token is worth, and remembers the answer for a moment.
 *
 * @see RFC 7662 §2 for the exchange, §4 for what may be cached
 */
import type { TokenFacts, TokenSource } from '../access-token.js'
import { InvalidTokenError, UnavailableError } from '../errors.js'
import { createCache } from '../io/cache.js'
import { createCircuitBreaker, type CircuitHealth, type ServiceSign } from '../io/circuit-breaker.js'
import { createHttpClient, type HttpClient, type SendRequest } from '../io/http.js'
import { createSingleFlight } from '../io/single-flight.js'
import type { Store } from '../io/store.js'
import type { KeySource } from '../issuer/jwks.js'
import type { VerifySignature } from '../issuer/signature.js'
import { createClientAuthentication, type ClientCredentials } from './client-authentication.js'
import { createIntrospectionCall, type IntrospectionEndpoint } from './introspection-call.js'
import { judgeAnswer, type IntrospectionExpectations, type Judgement } from './introspection-answer.js'
import { createSignedAnswer, type SignedResponseSettings } from './introspection-jwt.js'
import { createSharedAnswers, type SharedAnswer, type SharedAnswers } from './shared-answers.js'

export interface IntrospectionSettings extends ClientCredentials {
  /** Undefined: discovered. */
  readonly endpoint: string | undefined
  /** Seconds for which a positive answer is believed, never beyond its `exp`. */
  readonly cacheTtlSeconds: number
  /** Seconds for which a negative answer is believed. */
  readonly negativeCacheTtlSeconds: number
  /** Further seconds for which a positive answer serves while the server is down, never beyond its `exp`. */
  readonly staleIfErrorSeconds: number
  /** Milliseconds in which a request has its answer. */
  readonly timeoutMs: number
  /** Positive and negative answers are kept apart, so many of each. */
  readonly cacheMaxEntries: number
  readonly allowMissingAudience: boolean
  /** Whether `token_type_hint=access_token` is sent. */
  readonly tokenTypeHint: boolean
  /** Undefined: answers come as plain JSON. */
  readonly signedResponse: SignedResponseSettings | undefined
  /** Calls under way beyond which requests are answered 503 at once. */
  readonly maxConcurrent: number
  readonly breaker: { readonly failures: number; readonly trialSeconds: number }
}

export interface IntrospectionOptions extends IntrospectionExpectations {
  readonly settings: IntrospectionSettings
  /** The endpoint; rejects with the outage if it cannot be found out. */
  readonly discoverEndpoint: () => IntrospectionEndpoint | Promise<IntrospectionEndpoint>
  /** The issuer's, for signed answers. */
  readonly keys: KeySource
  readonly verifySignature: VerifySignature
  readonly send: SendRequest
  /** Where answers are shared with other nodes, if anywhere. */
  readonly store?: Store | undefined
}

/** What an answer says about a token: the facts, or why it is none for this API. */
export type Verdict =
  { readonly facts: TokenFacts; readonly source: TokenSource } | { readonly refusal: InvalidTokenError }

export interface Introspection {
  /** A verdict of an earlier answer that still holds. */
  recall(digest: string): Verdict | undefined
  /**
   * The verdict of an answer now, or of one that another node just got. Simultaneous callers with one token
   * share one call; those who name a `flight` share only with the callers that name the same, and have the
   * server itself asked.
   * @throws UnavailableError if the server gave no usable answer
   */
  ask(token: string, digest: string, flight?: string): Promise<Verdict>
  /** @throws UnavailableError if the endpoint or the keys of its answers cannot be found out */
  ready(): Promise<void>
  health(): IntrospectionHealth
  close(): Promise<void>
}

export interface IntrospectionHealth {
  readonly circuit: CircuitHealth['state']
  readonly failures: number
  readonly retryAfterSeconds: number
  readonly inFlight: number
  readonly cachedPositive: number
  readonly cachedNegative: number
}

/** An answer as it is remembered; all times in milliseconds since the epoch. */
interface Remembered<V> {
  readonly verdict: V
  readonly askedAt: number
  readonly freshUntil: number
  readonly until: number
}

/** What an answer is worth here; `until`: how long it is believed. */
interface Judged extends Omit<SharedAnswer, 'answer'> {
  readonly judgement: Judgement
  readonly until: number
}

type Positive = Extract<Verdict, { facts: unknown }>
type Negative = Extract<Verdict, { refusal: unknown }>

/** Caches and calls of one issuer's endpoint with one client: nothing of them is shared with another's. */
export function createIntrospection(options: IntrospectionOptions): Introspection {
  const { settings, issuer, discoverEndpoint, keys } = options
  const memory = createMemory(settings)
  const share = createSingleFlight<Verdict>()
  const breaker = createBreaker(issuer, settings)
  const limit = createLimit(issuer, settings)
  const connection = createConnection(options)
  const shared = shareAnswers(options)
  const call = createIntrospectionCall({
    issuer,
    settings,
    discoverEndpoint,
    authenticate: createClientAuthentication(settings, issuer),
    readSignedAnswer:
      settings.signedResponse && createSignedAnswer({ ...options, settings: settings.signedResponse }),
    send: connection.send,
  })

  // from the inside out: ask, unless it keeps failing, unless too many ask already
  const answerFor = (token: string) => limit.run(() => breaker.run(() => call(token)))

  /** An answer that another node got is judged like one of ours, and counts from when it came. */
  function judge(answer: SharedAnswer): Judged {
    const { answeredAt, isShared } = answer
    const vouchedAt = isShared ? answeredAt - CLOCK_SKEW_MS : answeredAt
    const judgement = judgeAnswer(answer.answer, options, vouchedAt)
    return { judgement, answeredAt, isShared, until: memory.freshUntil(judgement, answeredAt) }
  }

  /** @param isFresh what another node was told before will not do */
  async function ask(token: string, isFresh: boolean): Promise<Judged> {
    const question = { token, ask: () => answerFor(token), judge }
    if (!shared) return judge({ answer: await question.ask(), answeredAt: Date.now(), isShared: false })
    return isFresh ? shared.renew(question) : shared.find(question)
  }

  async function askAndRemember(token: string, digest: string, isFresh: boolean): Promise<Verdict> {
    try {
      return memory.remember(digest, await ask(token, isFresh))
    } catch (error) {
      const stale = isDown(error) ? memory.recallStale(digest) : undefined
      if (stale) return stale
      throw error
    }
  }

  return {
    recall: memory.recall,
    ask(token, digest, flight) {
      const isFresh = flight !== undefined
      const key = flight ?? (shared ? `shared ${digest}` : digest)
      return share(key, () => askAndRemember(token, digest, isFresh))
    },
    async ready() {
      await Promise.all([discoverEndpoint(), settings.signedResponse && keys.ready()])
    },
    health() {
      const { state: circuit, failures, retryAfterSeconds } = breaker.health()
      return { circuit, failures, retryAfterSeconds, inFlight: limit.inFlight(), ...memory.sizes() }
    },
    close: () => connection.close(),
  }
}

/** Clocks of two nodes may be apart by so much: an answer of another counts as that much older. */
const CLOCK_SKEW_MS = 5000

function shareAnswers({ settings, issuer, store }: IntrospectionOptions): SharedAnswers | undefined {
  const { cacheTtlSeconds, negativeCacheTtlSeconds, endpoint, timeoutMs } = settings
  if (!store || cacheTtlSeconds + negativeCacheTtlSeconds === 0) return undefined
  return createSharedAnswers({ store, issuer, endpoint, credentials: settings, timeoutMs })
}

/** A client certificate needs connections of its own. */
function createConnection({ settings, send }: IntrospectionOptions): HttpClient {
  const { clientCertificate } = settings
  return clientCertificate
    ? createHttpClient(undefined, clientCertificate)
    : { send, ready: () => Promise.resolve(), close: () => Promise.resolve() }
}

function createLimit(issuer: string, { maxConcurrent }: IntrospectionSettings) {
  let inFlight = 0

  return {
    inFlight: () => inFlight,
    async run<T>(task: () => Promise<T>): Promise<T> {
      if (inFlight >= maxConcurrent) throw new UnavailableError('introspection_overloaded', { issuer })
      inFlight += 1
      try {
        return await task()
      } finally {
        inFlight -= 1
      }
    },
  }
}

/** Bad tokens have a space of their own: a flood of them cannot push out good ones. */
function createMemory(settings: IntrospectionSettings) {
  const positive = createCache<Remembered<Positive>>(settings.cacheMaxEntries)
  const negative = createCache<Remembered<Negative>>(settings.cacheMaxEntries)

  function freshUntil(judgement: Judgement, answeredAt: number): number {
    const seconds = 'refusal' in judgement ? settings.negativeCacheTtlSeconds : settings.cacheTtlSeconds
    return Math.min(judgement.until, answeredAt + seconds * 1000)
  }

  function remember(
    digest: string,
    { judgement, answeredAt: askedAt, isShared, until: end }: Judged,
  ): Verdict {
    if ('refusal' in judgement) {
      // what is known to be bad must not come back as a stale good one
      positive.delete(digest)
      const verdict = { refusal: judgement.refusal }
      negative.set(digest, { verdict, askedAt, freshUntil: end, until: end })
      return verdict
    }
    const { facts } = judgement
    const serveSeconds = settings.cacheTtlSeconds + settings.staleIfErrorSeconds
    const until = Math.min(judgement.until, askedAt + serveSeconds * 1000)
    negative.delete(digest)
    positive.set(digest, { verdict: { facts, source: 'cache' }, askedAt, freshUntil: end, until })
    return { facts, source: isShared ? 'cache' : 'introspection' }
  }

  function recall(digest: string): Verdict | undefined {
    const now = Date.now()
    const known = positive.get(digest, now) ?? negative.get(digest, now)
    // an `nbf` held when it was judged; a clock that was set back since makes the answer one of the future
    return known && known.askedAt <= now && now < known.freshUntil ? known.verdict : undefined
  }

  function recallStale(digest: string): Verdict | undefined {
    const now = Date.now()
    const known = positive.get(digest, now)
    return known && known.askedAt <= now ? { ...known.verdict, source: 'stale' } : undefined
  }

  const sizes = () => ({ cachedPositive: positive.size, cachedNegative: negative.size })
  return { remember, freshUntil, recall, recallStale, sizes }
}

/** Being refused ourselves, or being overloaded, does not make the server a server that is down. */
function isDown(error: unknown): boolean {
  if (!(error instanceof UnavailableError)) return false
  if (error.reason === 'introspection_suspended') return isDown(error.cause)
  return error.reason === 'introspection_unavailable' || error.reason === 'metadata_unavailable'
}

function createBreaker(issuer: string, { breaker }: IntrospectionSettings) {
  return createCircuitBreaker({
    ...breaker,
    judge: toServiceSign,
    refuse: (retryAfterSeconds, cause) =>
      new UnavailableError('introspection_suspended', { issuer, retryAfterSeconds, cause }),
  })
}

/** A token that the server cannot stomach (a 400) says nothing against the server: anybody may send one. */
function toServiceSign(error: unknown): ServiceSign {
  if (!(error instanceof UnavailableError)) return 'unknown'
  switch (error.reason) {
    case 'introspection_unavailable':
    case 'introspection_credentials_refused':
      // 1 is what an outage says where the server said nothing
      return { pauseSeconds: error.retryAfterSeconds > 1 ? error.retryAfterSeconds : 0 }
    case 'introspection_answer_unusable':
      return 'answered'
    default:
      return 'unknown'
  }
}
