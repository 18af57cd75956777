/**
 * Issuers that a function names when a token of theirs arrives: tenants that come and go. A bounded number is
 * open at a time; of a name that the function does not know nothing is kept but, for a moment, that.
 *
 * @see RFC 8725 §3.8, §3.10: nothing is fetched from an issuer just because a token names it
 */
import { isDeepStrictEqual } from 'node:util'
import { ConfigurationError, UnavailableError } from '../errors.js'
import { createCache } from '../io/cache.js'
import { withinDeadline } from '../io/deadline.js'
import { sha256 } from '../io/digest.js'
import { createSingleFlight } from '../io/single-flight.js'
import { namesOf, type IssuerDirectory, type IssuerSettings } from './trusted-issuers.js'

/** An issuer as the function gave it, and what that comes to. */
export interface ResolvedIssuer<S> {
  readonly given: unknown
  /** @throws ConfigurationError if what was given cannot work */
  readonly toSettings: () => S
}

export interface IssuerResolution<S> {
  /** Undefined: no such issuer. Whatever it throws means that it could not be found out. */
  readonly resolve: (iss: string) => Promise<ResolvedIssuer<S> | undefined>
  /** Issuers open at a time; the one not used for longest is closed first. */
  readonly maxIssuers: number
}

/** What the function said of an issuer, and what that came to at the time: an object that it keeps may change. */
interface Said<S> {
  readonly given: unknown
  readonly settings: S
}

interface OpenIssuer<S, T> {
  readonly issuer: T
  readonly said: Said<S>
  readonly names: readonly string[]
  /** Milliseconds since the epoch at which the function last said so. */
  confirmedAt: number
  /** Milliseconds since the epoch from which the function is asked again. */
  askAgainAt: number
}

/** Seconds after which the function is asked whether the issuer is still one, and still the same. */
const CONFIRM_SECONDS = 60
/** Seconds for which an open issuer serves while the function fails. */
const MAX_UNCONFIRMED_SECONDS = 3600
/** Seconds between two questions while the function fails, and for which a name is remembered as unknown. */
const PAUSE_SECONDS = 10
const MAX_UNKNOWN_NAMES = 1000
/** Milliseconds in which the function has to answer. */
const TIMEOUT_MS = 5000
const MAX_QUESTIONS = 100
/** Characters: a longer name is no issuer's, and not worth a question. */
const MAX_NAME_LENGTH = 1024

export function createResolvedIssuers<S extends IssuerSettings, T extends { close(): unknown }>(
  { resolve, maxIssuers }: IssuerResolution<S>,
  openIssuer: (settings: S) => T,
): IssuerDirectory<T> {
  // in the order of their last use
  const byIssuer = new Map<string, OpenIssuer<S, T>>()
  const byName = new Map<string, string>()
  const unknown = createCache<{ until: number }>(MAX_UNKNOWN_NAMES)
  const share = createSingleFlight<T | undefined>()
  let questions = 0
  let closed = false

  function find(iss: string): T | undefined | Promise<T | undefined> {
    const now = Date.now()
    const found = recall(iss)
    if (found && now < found.askAgainAt) return found.issuer
    if (iss.length > MAX_NAME_LENGTH || unknown.get(sha256(iss), now)) return undefined
    return share(iss, () => askAndOpen(iss, found !== undefined))
  }

  function recall(iss: string): OpenIssuer<S, T> | undefined {
    const issuer = byName.get(iss)
    const found = issuer === undefined ? undefined : byIssuer.get(issuer)
    if (issuer === undefined || !found) return undefined
    byIssuer.delete(issuer)
    byIssuer.set(issuer, found)
    return found
  }

  async function askAndOpen(iss: string, isOpen: boolean): Promise<T | undefined> {
    let resolved
    try {
      resolved = await ask(iss, isOpen)
    } catch (error) {
      return serveUnconfirmed(iss, error)
    }
    // meanwhile another of its names may have opened it, or closed it
    const former = recall(iss)
    if (!resolved) {
      unknown.set(sha256(iss), { until: Date.now() + PAUSE_SECONDS * 1000 })
      if (former) void shut(former)
      return undefined
    }
    const { given, toSettings } = resolved
    const said = { given, settings: usable(iss, toSettings) }
    return former && isDeepStrictEqual(former.said, said) ? confirm(former) : openNew(said)
  }

  /** A flood of names that nobody knows must not keep those that are open from being asked about. */
  async function ask(iss: string, isOpen: boolean): Promise<ResolvedIssuer<S> | undefined> {
    if (isOpen) return resolveInTime(iss)
    if (questions >= MAX_QUESTIONS) throw new Error(`${MAX_QUESTIONS} questions are under way already`)
    questions += 1
    try {
      return await resolveInTime(iss)
    } finally {
      questions -= 1
    }
  }

  function resolveInTime(iss: string): Promise<ResolvedIssuer<S> | undefined> {
    return withinDeadline(resolve(iss), TIMEOUT_MS, () => new Error(`no answer within ${TIMEOUT_MS} ms`))
  }

  /** That nobody could say does not make a trusted issuer an untrusted one, for a while. */
  function serveUnconfirmed(iss: string, error: unknown): T {
    const now = Date.now()
    const former = recall(iss)
    if (former && now < former.confirmedAt + MAX_UNCONFIRMED_SECONDS * 1000) {
      former.askAgainAt = now + PAUSE_SECONDS * 1000
      return former.issuer
    }
    const found = error instanceof Error ? error.message : typeof error
    throw new UnavailableError('issuer_unresolved', { issuer: iss, name: 'issuers', found, cause: error })
  }

  function confirm(former: OpenIssuer<S, T>): T {
    former.confirmedAt = Date.now()
    former.askAgainAt = former.confirmedAt + CONFIRM_SECONDS * 1000
    return former.issuer
  }

  function openNew(said: Said<S>): T {
    const { settings } = said
    if (closed) throw new UnavailableError('closed', { issuer: settings.issuer })
    const names = namesOf(settings)
    // what it replaces, and whoever went by one of its names
    for (const name of names) {
      const former = byIssuer.get(byName.get(name) ?? '')
      if (former) void shut(former)
    }
    const now = Date.now()
    const askAgainAt = now + CONFIRM_SECONDS * 1000
    const opened = { issuer: openIssuer(settings), said, names, confirmedAt: now, askAgainAt }
    byIssuer.set(settings.issuer, opened)
    for (const name of names) byName.set(name, settings.issuer)
    const [oldest] = byIssuer.values()
    if (byIssuer.size > maxIssuers && oldest) void shut(oldest)
    return opened.issuer
  }

  async function shut({ names, issuer }: OpenIssuer<S, T>): Promise<void> {
    const [name = ''] = names
    byIssuer.delete(name)
    for (const alias of names) byName.delete(alias)
    await issuer.close()
  }

  return {
    find,
    get open() {
      return [...byIssuer.values()].map(({ issuer }) => issuer)
    },
    async close() {
      closed = true
      await Promise.all([...byIssuer.values()].map(shut))
    },
  }
}

/** Wrong options of a tenant are the operator's concern, not that of the client who is the first to notice. */
function usable<S extends IssuerSettings>(iss: string, toSettings: () => S): S {
  try {
    const settings = toSettings()
    if (namesOf(settings).includes(iss)) return settings
    throw new ConfigurationError(
      'issuers',
      `resourceServer: issuers was asked for ${JSON.stringify(iss)} and returned ${JSON.stringify(settings.issuer)}. ` +
        `Return that issuer, or name the other in its aliases`,
    )
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    const { path: name, message: found } = error
    throw new UnavailableError('issuer_unusable', { issuer: iss, name, found, cause: error })
  }
}
