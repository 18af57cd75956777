/** All that is known of revocations in one resource server, and what comes to know it. */
import type { SendRequest } from '../io/http.js'
import type { VerifySignature } from '../issuer/signature.js'
import { createRevocationCheck, type RevocationCheck, type RevocationPolicy } from './check.js'
import { createRevocationReport, type OnRevocation } from './effects.js'
import type { IssuerOfTokens } from './issuer-of-tokens.js'
import { createFeeds, type FeedHealth, type Feeds } from './feeds.js'
import { createCheckedSeenOnce, createSeenOnce, type RevocationLog, type SeenOnce } from './ports.js'
import { createRevocationIndex } from './revocation-index.js'
import { createRevocations, type RevocationSink, type RevocationStats } from './revocations.js'
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
  startFeeds({ settings, feeds, revocations, signal: closing.signal })

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
  if (settings.log) followLog(settings.log, { settings, feeds, revocations, signal })
}

function followLog(log: RevocationLog, { feeds, revocations, signal }: Running): void {
  const feed = feeds.open({ name: 'log', heartbeats: true })
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
        },
        onFailure: (error) => feed.failed(error),
      },
      signal,
    ),
  )
}
