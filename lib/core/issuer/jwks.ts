/**
 * The signing keys of one issuer, kept up to date: refreshed ahead of need, looked up at once when a
 * token names a new one, and never fetched more often than the cooldown allows.
 *
 * @see RFC 7517 §4.5, §5
 */
import { invalidToken, UnavailableError } from '../errors.js'
import type { SendRequest } from '../io/http.js'
import { createCache } from '../io/cache.js'
import { sha256 } from '../io/digest.js'
import { createRefreshedValue, type RefreshedValueHealth } from '../io/refreshed-value.js'
import { fetchJson, outage } from './fetch-json.js'
import type { KeyArchive } from './key-archive.js'
import { parseKeySet, selectKeys, type KeyHint, type KeySet, type VerificationKey } from './key-set.js'

export interface JwksSettings {
  /** Seconds between refreshes in the background. */
  readonly refreshSeconds: number
  /** Seconds after a look-up, of an unknown key or of a replaced one, in which no other is made. */
  readonly cooldownSeconds: number
  /** Seconds for which the last good keys serve while the issuer cannot be reached. */
  readonly maxStaleSeconds: number
  /** Milliseconds for fetching the keys. */
  readonly timeoutMs: number
}

export interface JwksOptions {
  readonly issuer: string
  readonly jwks: JwksSettings
  /** The address of the key set; rejects with the outage if it is not known. */
  readonly jwksUri: () => string | Promise<string>
  /** Whether it was the address that could not be had, of which somebody else takes care. */
  readonly isUriMissing: (error: unknown) => boolean
  /** Called when fetching failed: the address may have changed. */
  readonly onFailure: () => void
  /** Where the last good key set is kept beside this process, if anywhere. */
  readonly archive?: KeyArchive | undefined
  readonly send: SendRequest
}

export interface JwksHealth extends RefreshedValueHealth {
  readonly keys: number
  readonly skippedKeys: number
  readonly cooldownSeconds: number
}

export interface KeySource {
  /**
   * The keys that may have signed a token, at once if they are here. A key nobody has heard of is
   * looked up for this very request.
   *
   * @throws InvalidTokenError `unknown_key` if it was looked up in vain
   * @throws UnavailableError if it could not be looked up: the token was not checked
   */
  find(hint: KeyHint): readonly VerificationKey[] | Promise<readonly VerificationKey[]>
  /**
   * Further keys after those failed to verify: a key may have been replaced under its name. Empty if there
   * are none, or if they cannot be fetched now: the key that the issuer last published under this name has
   * spoken, and a forged signature stays a refusal, in a cooldown and in an outage too. A token signed with
   * the replacement is refused until the next fetch, which is not further away than the cooldown.
   *
   * @throws as `find` does if the name is a new one and only keys without a name were tried
   */
  findReplacement(hint: KeyHint, tried: readonly VerificationKey[]): Promise<readonly VerificationKey[]>
  /** Whether what this key verified may still count. */
  mayServe(key: VerificationKey): boolean
  ready(): Promise<void>
  health(): JwksHealth
  close(): void
}

const MAX_BYTES = 1024 * 1024
const MAX_MISSED_NAMES = 1000
/** For so long a name that was looked up in vain is refused while the cooldown forbids to look again. */
const MISS_SECONDS = 60

/** The keys published at an issuer's `jwks_uri`. */
export function createJwks(options: JwksOptions): KeySource {
  const { jwks, issuer } = options
  const cooldownMs = jwks.cooldownSeconds * 1000
  const missed = createCache<{ at: number; until: number }>(MAX_MISSED_NAMES)
  let lookUpAgainAt = 0
  let lookUp: Promise<KeySet> | undefined
  let latest: KeySet | undefined

  const published = createRefreshedValue<KeySet>({
    load: () => loadKeySet(options, latest).then(remember, reportFailure),
    refreshSeconds: jwks.refreshSeconds,
    maxStaleSeconds: jwks.maxStaleSeconds,
    isPassedOn: options.isUriMissing,
    lastResort: recallArchived,
  })

  function remember(loaded: Awaited<ReturnType<typeof loadKeySet>>) {
    latest = loaded.value
    options.archive?.keep(loaded.document)
    return loaded
  }

  async function recallArchived() {
    const kept = await options.archive?.recall()
    const value = kept && parseKeySet(kept.document, latest)
    if (value) latest = value
    return value && { value, at: Math.min(kept.fetchedAt, Date.now()) }
  }

  function reportFailure(error: unknown): never {
    options.onFailure()
    throw error
  }

  function find(hint: KeyHint): readonly VerificationKey[] | Promise<readonly VerificationKey[]> {
    const set = published.current()
    if (!set) return findInFirstSet(hint)
    const keys = selectKeys(set, hint)
    return keys.length > 0 || isNamed(set, hint) ? keys : findNew(hint)
  }

  async function findInFirstSet(hint: KeyHint) {
    const keys = selectKeys(await published.refresh(), hint)
    if (keys.length === 0) throw lookedUpInVain(hint)
    return keys
  }

  async function findNew(
    hint: KeyHint,
    tried: readonly VerificationKey[] = [],
  ): Promise<readonly VerificationKey[]> {
    const now = Date.now()
    const miss = missed.get(nameOf(hint), now)
    if (miss && now < miss.at + cooldownMs) throw unknownKey(hint)
    const keys = await search(hint, tried)
    if (keys === undefined) throw miss ? unknownKey(hint) : notChecked(hint)
    if (keys.length === 0) throw lookedUpInVain(hint)
    return keys
  }

  /** Keys not tried yet, from a set fetched for this request; undefined if the cooldown forbids to fetch. */
  async function search(hint: KeyHint, tried: readonly VerificationKey[]) {
    const select = (set: KeySet) => selectKeys(set, hint).filter((key) => !tried.includes(key))
    // an ordinary refresh under way may bring it, and starts no cooldown
    if (!lookUp && published.pending) {
      const keys = select(await published.pending)
      if (keys.length > 0) return keys
    }
    return lookUp || cooldown() === 0 ? select(await startLookUp()) : undefined
  }

  function startLookUp(): Promise<KeySet> {
    if (lookUp) return lookUp
    lookUp = published.refresh().finally(() => (lookUp = undefined))
    // in the pause after a failure nothing is fetched: there is nothing to cool down from
    if (published.pending) lookUpAgainAt = Date.now() + cooldownMs
    return lookUp
  }

  /** Milliseconds until the next look-up. A clock that was set back lengthens nothing. */
  function cooldown(): number {
    const left = lookUpAgainAt - Date.now()
    return left > 0 && left <= cooldownMs ? left : 0
  }

  function lookedUpInVain(hint: KeyHint) {
    const at = Date.now()
    missed.set(nameOf(hint), { at, until: at + Math.max(MISS_SECONDS * 1000, cooldownMs) })
    return unknownKey(hint)
  }

  const unknownKey = (hint: KeyHint) => invalidToken('unknown_key', { issuer, name: 'kid', found: hint.kid })
  const notChecked = (hint: KeyHint) =>
    new UnavailableError('key_not_checked', {
      issuer,
      name: 'kid',
      found: hint.kid,
      retryAfterSeconds: cooldown() / 1000,
    })

  async function findReplacement(hint: KeyHint, tried: readonly VerificationKey[]) {
    const set = published.current()
    // keys without a name were tried for a name that is new: it still is to be looked up
    if (!set || (hint.kid !== undefined && !isNamed(set, hint))) return findNew(hint, tried)
    try {
      return (await search(hint, tried)) ?? []
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error
      // the last good keys have spoken; that they could not be renewed does not make the signature good
      return []
    }
  }

  return {
    find,
    findReplacement,
    mayServe: (key) => key.isPublished && published.current() !== undefined,
    ready: async () => {
      await published.get()
    },
    health: () => ({
      ...published.health(),
      keys: latest?.keys.length ?? 0,
      skippedKeys: latest?.skipped ?? 0,
      cooldownSeconds: Math.ceil(cooldown() / 1000),
    }),
    close: () => published.close(),
  }
}

/** Keys given in the options: nothing is fetched, and what is not there is not there. */
export function createFixedKeys(issuer: string, set: KeySet): KeySource {
  return {
    find(hint) {
      const keys = selectKeys(set, hint)
      if (keys.length === 0) throw invalidToken('unknown_key', { issuer, name: 'kid', found: hint.kid })
      return keys
    },
    findReplacement: () => Promise.resolve([]),
    mayServe: () => true,
    ready: () => Promise.resolve(),
    health: () => ({
      state: 'fresh',
      ageSeconds: undefined,
      nextRefreshSeconds: undefined,
      failures: 0,
      lastError: undefined,
      keys: set.keys.length,
      skippedKeys: set.skipped,
      cooldownSeconds: 0,
    }),
    close: () => undefined,
  }
}

async function loadKeySet({ issuer, jwks, jwksUri, send }: JwksOptions, former: KeySet | undefined) {
  const startedAt = Date.now()
  const url = await jwksUri()
  const request = {
    url,
    issuer,
    timeoutMs: Math.max(1, jwks.timeoutMs - (Date.now() - startedAt)),
    maxBytes: MAX_BYTES,
    reason: 'keys_unavailable' as const,
    accept: 'application/jwk-set+json, application/json',
  }
  const document = await fetchJson(send, request)
  const value = parseKeySet(document.value, former)
  if (!value) throw outage(request, 'a body that is no JSON Web Key Set')
  return { value, document: document.value, lifetimeSeconds: document.lifetimeSeconds }
}

/** A set in which a name is borne, if only by keys for other algorithms, needs no look-up of that name. */
function isNamed(set: KeySet, hint: KeyHint): boolean {
  return hint.kid !== undefined && set.byKid.has(hint.kid)
}

/** A hostile name may be long: what is remembered of it is short. */
function nameOf({ kid, alg }: KeyHint): string {
  return sha256(`${alg} ${kid ?? ''}`)
}
