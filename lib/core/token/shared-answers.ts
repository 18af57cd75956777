/**
 * One question for all nodes: who is first asks the authorization server, the others wait for its answer in
 * the store that they share.
 *
 * The store learns nothing. An answer is looked up by a value derived from the token, and sealed with a key
 * derived from it; both also depend on the credentials of this API, so that neither who can write to the
 * store nor who has a token can make up an answer about it.
 *
 * @see RFC 5869 for the derivation, RFC 7662 §4 for what may be cached
 */
import { createHash, hkdfSync, KeyObject } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { UnavailableError } from '../errors.js'
import { createSeal, type Seal } from '../io/seal.js'
import { StoreError, type Store } from '../io/store.js'
import type { ClientCredentials } from './client-authentication.js'

/** An answer of the authorization server, and when it came (milliseconds since the epoch). */
export interface SharedAnswer {
  readonly answer: unknown
  readonly answeredAt: number
  /** True: it came to another node, by whose clock the time is. */
  readonly isShared: boolean
}

interface Timed {
  /** Milliseconds since the epoch. */
  readonly until: number
}

/** A token, and what its answer is worth to who asks: of type `V`, and until when it may be used. */
export interface Question<V extends Timed> {
  readonly token: string
  /** Asks the authorization server. */
  readonly ask: () => Promise<unknown>
  /** Called once for each answer. */
  readonly judge: (answer: SharedAnswer) => V
}

export interface SharedAnswers {
  /** The answer that one of the nodes has or is getting, else one that is asked for now. */
  find<V extends Timed>(question: Question<V>): Promise<V>
  /** An answer that is asked for now, whatever the others have. They find it afterwards. */
  renew<V extends Timed>(question: Question<V>): Promise<V>
}

export interface SharedAnswersOptions {
  readonly store: Store
  readonly issuer: string
  readonly endpoint: string | undefined
  readonly credentials: ClientCredentials
  /** Milliseconds in which the node that asks has its answer. */
  readonly timeoutMs: number
}

/** A node that asks says so for this long, and says it again; when it dies, another one asks. */
const LEASE_MS = 500
const FIRST_PAUSE_MS = 8
const MAX_PAUSE_MS = 50

interface Place {
  readonly key: string
  readonly lease: string
  readonly seal: Seal
}

/** @returns undefined where this API has no secret that all of its nodes know: nothing could be sealed safely */
export function createSharedAnswers(options: SharedAnswersOptions): SharedAnswers | undefined {
  const salt = saltOf(options)
  return salt && shareSealed(options, salt)
}

function shareSealed({ store, issuer, timeoutMs }: SharedAnswersOptions, salt: Buffer): SharedAnswers {
  function placeOf(token: string): Place {
    const derived = Buffer.from(hkdfSync('sha256', token, salt, 'introspection answer', 64))
    const name = derived.toString('base64url', 0, 32)
    return { key: `answer:${name}`, lease: `asking:${name}`, seal: createSeal(derived.subarray(32)) }
  }

  async function read<V extends Timed>(place: Place, { judge }: Question<V>): Promise<V | undefined> {
    const sealed = await store.get(place.key)
    const text = sealed === undefined ? undefined : place.seal.open(sealed, place.key)
    if (text === undefined) return undefined
    const { answer, answeredAt } = JSON.parse(text) as SharedAnswer
    // another node's clock may be ahead
    const judged = judge({ answer, answeredAt: Math.min(answeredAt, Date.now()), isShared: true })
    return judged.until > Date.now() ? judged : undefined
  }

  /** The answer, once somebody has it, or `ours`: it is for this node to ask. */
  async function findOrClaim<V extends Timed>(place: Place, question: Question<V>): Promise<V | 'ours'> {
    const end = Date.now() + timeoutMs
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, MAX_PAUSE_MS)) {
      const found = await read(place, question)
      if (found) return found
      if (await store.setIfAbsent(place.lease, '', LEASE_MS)) {
        // its last holder may have put down an answer between the two
        return (await read(place, question)) ?? 'ours'
      }
      if (Date.now() >= end) throw new UnavailableError('introspection_unavailable', { issuer })
      await pause(pauseMs, undefined, { ref: false })
    }
  }

  async function askAndKeep<V extends Timed>(place: Place, { ask, judge }: Question<V>): Promise<V> {
    const answer = { answer: await ask(), answeredAt: Date.now(), isShared: false }
    const text = JSON.stringify(answer)
    const judged = judge(answer)
    const lifetimeMs = Math.floor(judged.until - Date.now())
    if (lifetimeMs > 0) {
      await orWithout(() => store.set(place.key, place.seal.seal(text, place.key), lifetimeMs))
    }
    return judged
  }

  async function askHoldingLease<V extends Timed>(place: Place, question: Question<V>): Promise<V> {
    const holdOn = () => void orWithout(() => store.set(place.lease, '', LEASE_MS))
    const holding = setInterval(holdOn, LEASE_MS / 2)
    holding.unref()
    try {
      return await askAndKeep(place, question)
    } finally {
      clearInterval(holding)
      await orWithout(() => store.delete(place.lease))
    }
  }

  return {
    async find(question) {
      const place = placeOf(question.token)
      const found = await orWithout(() => findOrClaim(place, question))
      if (found === 'ours') return askHoldingLease(place, question)
      if (found) return found
      return question.judge({ answer: await question.ask(), answeredAt: Date.now(), isShared: false })
    },
    renew: (question) => askAndKeep(placeOf(question.token), question),
  }
}

/** A store that cannot be reached costs calls, not answers. */
async function orWithout<T>(task: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await task()
  } catch (error) {
    if (error instanceof StoreError) return undefined
    throw error
  }
}

/** Answers of one endpoint to one client are of no use to any other. */
function saltOf({ issuer, endpoint, credentials }: SharedAnswersOptions): Buffer | undefined {
  const { clientId, clientSecret, privateKey, clientCertificate } = credentials
  const secret = clientSecret ?? privateKey ?? clientCertificate?.key
  if (secret === undefined) return undefined
  const text = secret instanceof KeyObject ? secret.export({ format: 'jwk' }) : secret
  const parts = [issuer, endpoint ?? '', clientId ?? '', text]
  return createHash('sha256').update(JSON.stringify(parts)).digest()
}
