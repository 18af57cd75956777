/** All that is known of revocations in one resource server, and what comes to know it. */
import { UnavailableError } from '../errors.js'
import type { SendRequest } from '../io/http.js'
import type { VerifySignature } from '../issuer/signature.js'
import { createRevocationCheck, type RevocationCheck, type RevocationPolicy } from './check.js'
import { createRevocationReport, type OnRevocation } from './effects.js'
import type { IssuerOfTokens } from './issuer-of-tokens.js'
import { createFeeds, type FeedHealth, type Feeds } from './feeds.js'
import { createCheckedSeenOnce, createSeenOnce, type RevocationLog, type SeenOnce } from './ports.js'
import type { RevocationRecord } from './record.js'
import { createRevocationIndex } from './revocation-index.js'
import {
  createRevocations,
  type ListedRevocation,
  type RevocationSink,
  type RevocationStats,
} from './revocations.js'
import { keepRunning, type RevocationFeed } from './run-feed.js'
import { createStatusCheck, type StatusListSettings } from './status-check.js'
import { createSuspects } from './suspects.js'

export interface RevocationSettings extends RevocationPolicy {
  /** Marks kept at most for each issuer. */
  readonly maxEntries: number
  /** Seconds that any token lives. */
  readonly maxTokenLifetimeSeconds: number
  readonly feeds: readonly RevocationFeed[]
  readonly log: RevocationLog | undefined
  readonly seenOnce: SeenOnce | undefined
  /** False: tokens that name a status list are not held against it. */
  readonly statusList: StatusListSettings | false
  readonly onRevocation: OnRevocation | undefined
}

export interface RevocationOptions {
  readonly settings: RevocationSettings
  readonly issuers: readonly IssuerOfTokens[]
  readonly verifySignature: VerifySignature
  readonly send: SendRequest
}

export interface RevocationHealth {
  readonly indexes: readonly RevocationStats[]
  readonly feeds: readonly FeedHealth[]
  /** Suspect tokens whose answers are kept. */
  readonly suspects: number
}

/** What handlers of events work with. */
export interface RevocationPlane extends RevocationCheck {
  readonly revocations: RevocationSink
  readonly feeds: Feeds
  readonly seenOnce: SeenOnce
  readonly issuers: readonly IssuerOfTokens[]
  readonly settings: RevocationSettings
  readonly verifySignature: VerifySignature
  readonly send: SendRequest
  readonly tell: OnRevocation
  /** Aborted by `close()`. */
  readonly signal: AbortSignal
  findIssuer(name: string): IssuerOfTokens | undefined
  /** Resolves when a shared log has been replayed. @throws UnavailableError (rejects) if it cannot be read */
  ready(): Promise<void>
  health(): RevocationHealth
  close(): void
}

const SWEEP_MS = 30_000

export function createRevocation(options: RevocationOptions): RevocationPlane {
  const { settings, issuers, verifySignature, send } = options
  const tell = createRevocationReport(settings.onRevocation)
  const feeds = createFeeds(tell)
  const indexes = new Map(issuers.map(({ name }) => [name, createRevocationIndex(settings)]))
  const suspects = createSuspects(settings, tell)
  const findIssuer = (name: string) =>
    issuers.find((issuer) => issuer.name === name || issuer.aliases.includes(name))
  const revocations = createRevocations({
    ...settings,
    indexes,
    findIssuer: (name) => findIssuer(name)?.name,
    tell,
  })
  const known = issuers.map((issuer) => {
    const index = indexes.get(issuer.name) ?? createRevocationIndex(settings)
    return [issuer.name, { ...issuer, index }] as const
  })
  const checkStatus = settings.statusList && createStatusCheck({ ...options, settings: settings.statusList })
  const check = createRevocationCheck({
    policy: settings,
    issuers: new Map(known),
    feeds,
    suspects,
    checkStatus: checkStatus === false ? undefined : checkStatus,
  })
  const closing = new AbortController()
  const sweeping = setInterval(() => {
    for (const index of indexes.values()) index.sweep()
  }, SWEEP_MS)
  sweeping.unref()
  const running = { settings, feeds, revocations, signal: closing.signal }
  startFeeds(running)
  const log = settings.log && followLog(settings.log, running)

  return {
    ...check,
    revocations,
    feeds,
    seenOnce: createCheckedSeenOnce(settings.seenOnce ?? createSeenOnce()),
    issuers,
    settings,
    verifySignature,
    send,
    tell,
    signal: closing.signal,
    findIssuer,
    ready: async () => log?.replayed(),
    health: () => ({ indexes: revocations.stats(), feeds: feeds.health(), suspects: suspects.size }),
    close() {
      closing.abort()
      clearInterval(sweeping)
    },
  }
}

type Running = Pick<RevocationPlane, 'settings' | 'feeds' | 'revocations' | 'signal'>

function startFeeds({ settings, feeds, revocations, signal }: Running): void {
  for (const [index, run] of settings.feeds.entries()) {
    const feed = feeds.open({ name: run.name || `feed ${index + 1}` })
    void keepRunning(feed, signal, (worked) => {
      const emit: Parameters<RevocationFeed>[0] = async (revocation) => {
        await revocations.revoke(revocation)
        worked()
        feed.event()
      }
      const heartbeat = () => {
        worked()
        feed.heartbeat()
      }
      return run(emit, { signal, heartbeat })
    })
  }
}

/** @returns `replayed()`: resolves once the log has been read to its end, rejects if it fails before */
function followLog(log: RevocationLog, { feeds, revocations, signal }: Running) {
  const feed = feeds.open({ name: 'log', heartbeats: true })
  const waiting = new Set<(cause?: unknown) => void>()
  let isReplayed = false

  function settle(cause?: unknown): void {
    for (const tell of waiting) tell(cause)
    waiting.clear()
  }

  void keepRunning(feed, signal, (worked) =>
    log.follow(
      {
        onRecord(record) {
          revocations.apply(record)
          feed.event()
        },
        onHeartbeat() {
          worked()
          feed.heartbeat()
          isReplayed = true
          settle()
        },
        onUnreadable(at) {
          for (const { issuer } of revocations.stats()) revocations.apply(unreadable(issuer, at))
          feed.failed(new Error('a record of the log cannot be read: tokens issued up to it are suspect'))
        },
        onFailure(error) {
          feed.failed(error)
          settle(error)
        },
        *known() {
          for (const listed of revocations.list()) yield toRecord(listed)
        },
      },
      signal,
    ),
  )

  return {
    async replayed(): Promise<void> {
      if (isReplayed) return
      const cause = await new Promise<unknown>((resolve) => waiting.add(resolve))
      if (cause !== undefined) throw new UnavailableError('revocation_log_unavailable', { cause })
    },
  }
}

/** What it says may be about any token of that time. */
function unreadable(issuer: string, issuedBefore: number): RevocationRecord {
  return { issuer, target: { kind: 'issuer' }, verdict: 'suspect', issuedBefore, source: 'log' }
}

/** When it was heard of here is of no use to others. */
function toRecord(listed: ListedRevocation): RevocationRecord {
  const record: RevocationRecord & { heardAt?: number } = { ...listed }
  delete record.heardAt
  return record
}
