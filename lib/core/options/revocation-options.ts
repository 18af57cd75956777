/** The options under `revocation`. */
import { ASYMMETRIC_ALGORITHMS } from '../issuer/signature.js'
import type { OnRevocation } from '../revocation/effects.js'
import { createSharedSeenOnce, type RevocationLog, type SeenOnce } from '../revocation/ports.js'
import type { RevocationSettings } from '../revocation/revocation.js'
import type { RevocationFeed } from '../revocation/run-feed.js'
import type { StatusListSettings } from '../revocation/status-check.js'
import {
  assertOptions,
  callback,
  either,
  integer,
  listOf,
  oneOf,
  rule,
  section,
  type Rules,
} from './rules.js'
import { resolveAlgorithms, type ProfiledOptions } from './security-profile.js'
import { assertKeepsLongEnough, type SharedStore } from './store-options.js'

/** How revoked tokens become known before they expire. Nothing of it is needed to call `server.revocations`. */
export interface RevocationOptions {
  /**
   * Seconds that the knowledge of revocations may lag behind, proved by the heartbeats of feeds. Default:
   * 10 with a shared `log`, else not asked for. Limits 1 to 86400. Without a feed that has heartbeats the knowledge is never fresh.
   */
  readonly maxLagSeconds?: number
  /**
   * What a token is worth while the knowledge lags. `'introspect'`: it is introspected, at most once in
   * `maxLagSeconds`, and without introspection answered 503. `'refuse'`: 503. `'accept'`. Default
   * `'introspect'`. Danger: with `'accept'` a dead feed goes unnoticed by your users.
   */
  readonly whenStale?: 'introspect' | 'refuse' | 'accept'
  /**
   * What a suspect token is worth where its issuer has no introspection. `'unavailable'`: 503. `'refuse'`:
   * 401. `'accept'`. Default `'unavailable'`. Danger: with `'accept'` a coarse event revokes nothing.
   */
  readonly whenUncheckable?: 'unavailable' | 'refuse' | 'accept'
  /**
   * Entries kept for each issuer, some 500 bytes each. Default 250000, limits 1 to 10000000. Beyond it nothing
   * is forgotten: all tokens issued up to then become suspect.
   */
  readonly maxEntries?: number
  /**
   * Seconds that a token of these issuers lives at most; an entry stays that long. Default 86400, limits 60 to
   * 31536000. A token that turns out to be older than an entry that left is suspect.
   */
  readonly maxTokenLifetimeSeconds?: number
  /** Sources of your own. */
  readonly feeds?: readonly RevocationFeed[]
  /** A log that several nodes share. Default: that of `store`, else none: each node knows what it was told itself. */
  readonly log?: RevocationLog
  /** A memory of received statements that several nodes share. Default: in `store`, else in this process. */
  readonly seenOnce?: SeenOnce
  /** Token Status Lists (`status.status_list`). Default on. Danger: with false a token that names a list is accepted whatever the list says. */
  readonly statusList?: false | StatusListOptions
  /** Told of every effect, never with a token. Also on the diagnostics channel `express-resource-server:revocation`. */
  readonly onRevocation?: OnRevocation
}

/** Where status lists are fetched from and how long they count. */
export interface StatusListOptions {
  /**
   * Origins beside the issuer's own that lists may be fetched from, such as `'https://status.example.com'`.
   * Default none. Danger: a token names the so each origin here can be made to receive requests.
   */
  readonly allowedOrigins?: readonly string[]
  /** Accepted signature algorithms. Default: all asymmetric ones. */
  readonly algorithms?: readonly string[]
  /** Statuses beside 0 with which a token is accepted. Default none. Danger: 1 means revoked, 2 suspended. */
  readonly acceptedStatuses?: readonly number[]
  /** Seconds for which a list counts at least, whatever its `ttl`. Default 5, limits 1 to 3600. */
  readonly minTtlSeconds?: number
  /** Seconds for which a list counts at most. Default 900, limits 1 to 86400. */
  readonly maxTtlSeconds?: number
  /** Further seconds for which a list serves while it cannot be fetched anew. Default 0, limits 0 to 86400. Danger: a token revoked meanwhile is accepted. */
  readonly staleIfErrorSeconds?: number
  /** Milliseconds for fetching a list. Default 3000, limits 50 to 60000. */
  readonly timeoutMs?: number
  /** Bytes of a decompressed list. Default 4194304, limits 1024 to 67108864. */
  readonly maxListBytes?: number
  /** Lists kept. Default 100, limits 1 to 10000. */
  readonly maxLists?: number
}

const RULES: Rules = {
  maxLagSeconds: integer(1, 86_400, 10),
  whenStale: oneOf(['introspect', 'refuse', 'accept']),
  whenUncheckable: oneOf(['unavailable', 'refuse', 'accept']),
  maxEntries: integer(1, 10_000_000, 250_000),
  maxTokenLifetimeSeconds: integer(60, 31_536_000, 86_400),
  feeds: listOf(callback),
  log: port('a RevocationLog', ['append', 'follow']),
  seenOnce: port('a SeenOnce', ['has', 'remember']),
  statusList: either(oneOf([false]), section),
  onRevocation: callback,
}

const STATUS_LIST_RULES: Rules = {
  allowedOrigins: listOf(rule('an origin', `'https://status.example.com'`, isOrigin)),
  algorithms: listOf(oneOf(ASYMMETRIC_ALGORITHMS)),
  acceptedStatuses: listOf(integer(1, 255, 3)),
  minTtlSeconds: integer(1, 3600, 5),
  maxTtlSeconds: integer(1, 86_400, 900),
  staleIfErrorSeconds: integer(0, 86_400, 0),
  timeoutMs: integer(50, 60_000, 3000),
  maxListBytes: integer(1024, 67_108_864, 4_194_304),
  maxLists: integer(1, 10_000, 100),
}

/** @throws ConfigurationError */
export function resolveRevocation(
  given: RevocationOptions = {},
  { store, securityProfile }: ProfiledOptions & { readonly store?: SharedStore } = {},
): RevocationSettings {
  assertOptions(given, 'revocation', RULES)
  const log = given.log ?? store?.log
  assertKeepsLongEnough(log, given.maxTokenLifetimeSeconds ?? 86_400)
  return {
    maxLagSeconds: given.maxLagSeconds ?? (log && 10),
    whenStale: given.whenStale ?? 'introspect',
    whenUncheckable: given.whenUncheckable ?? 'unavailable',
    maxEntries: given.maxEntries ?? 250_000,
    maxTokenLifetimeSeconds: given.maxTokenLifetimeSeconds ?? 86_400,
    feeds: given.feeds ?? [],
    log,
    seenOnce: given.seenOnce ?? (store && createSharedSeenOnce(store)),
    statusList:
      given.statusList === false ? false : resolveStatusList(given.statusList ?? {}, securityProfile),
    onRevocation: given.onRevocation,
  }
}

function resolveStatusList(
  given: StatusListOptions,
  profile: ProfiledOptions['securityProfile'],
): StatusListSettings {
  assertOptions(given, 'revocation.statusList', STATUS_LIST_RULES)
  return {
    allowedOrigins: given.allowedOrigins ?? [],
    algorithms: resolveAlgorithms(
      given.algorithms,
      ASYMMETRIC_ALGORITHMS,
      'revocation.statusList.algorithms',
      profile,
    ),
    acceptedStatuses: given.acceptedStatuses ?? [],
    minTtlSeconds: given.minTtlSeconds ?? 5,
    maxTtlSeconds: given.maxTtlSeconds ?? 900,
    staleIfErrorSeconds: given.staleIfErrorSeconds ?? 0,
    timeoutMs: given.timeoutMs ?? 3000,
    maxListBytes: given.maxListBytes ?? 4_194_304,
    maxLists: given.maxLists ?? 100,
  }
}

function port(what: string, methods: readonly string[]) {
  return rule(what, '{ … }', (value) => {
    const methodsOf = value as Record<string, unknown> | null
    return section.accepts(value) && methods.every((name) => typeof methodsOf?.[name] === 'function')
  })
}

function isOrigin(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && new URL(value).origin === value
}
