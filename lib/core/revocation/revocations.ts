/** Telling a resource server what was revoked: by hand, or by a feed. */
import { ConfigurationError, UnavailableError } from '../errors.js'
import type { OnRevocation, RevocationOutcome } from './effects.js'
import type { RevocationLog } from './ports.js'
import type { Mark, RevocationRecord, RevocationTarget, RevocationVerdict } from './record.js'
import type { RevocationIndex } from './revocation-index.js'

/**
 * What was revoked. Exactly one of `jti`, `sessionId`, `subject`, `clientId` and `claim` names the tokens, or
 * `subject` and `clientId` together; `issuer` alone names all of its tokens.
 */
export interface Revocation {
  /** Required where several issuers are trusted, and where it is all that is given. */
  readonly issuer?: string
  /** The token with this `jti`. */
  readonly jti?: string
  /** The tokens with this `sid`, whenever they were issued. */
  readonly sessionId?: string
  readonly subject?: string
  readonly clientId?: string
  /** The tokens in which this claim has this value, such as `{ name: 'email', value: 'alice@example.com' }`. */
  readonly claim?: { readonly name: string; readonly value: string }
  /** Seconds since the epoch: tokens issued at or before it are meant. Default: now. */
  readonly issuedBefore?: number
  /**
   * `'revoked'` (default): refused. `'suspect'`: each matching token is introspected once, and the answer
   * counts until the token expires.
   */
  readonly verdict?: RevocationVerdict
  /** For people: shown by `list()` and in events. */
  readonly reason?: string
  /**
   * Seconds since the epoch: the `exp` of the last token that is meant, where it is known; the entry leaves
   * then. Default: `maxTokenLifetimeSeconds` after `issuedBefore`. Danger: too early a moment forgets.
   */
  readonly expiresAt?: number
}

/** An entry of the index, for people. */
export interface ListedRevocation extends RevocationRecord {
  /** Seconds since the epoch at which it was heard of here. */
  readonly heardAt: number
}

export interface RevocationStats {
  readonly issuer: string
  readonly entries: number
  readonly maxEntries: number
  /** Revocations that found no room; all tokens issued up to each of them became suspect. */
  readonly overflows: number
}

export interface Revocations {
  /**
   * Revokes. It counts here when the call returns, and on all nodes soon after the promise resolves, where a
   * log is shared.
   *
   * @throws ConfigurationError (rejects) if it does not say clearly which tokens are meant
   * @throws UnavailableError (rejects) `revocation_log_unavailable` if the shared log did not take it: it
   * counts on this node only, and the call may be repeated
   */
  revoke(revocation: Revocation): Promise<void>
  /** What is revoked or suspect, and may still be alive. */
  list(): IterableIterator<ListedRevocation>
  stats(): readonly RevocationStats[]
}

export interface RevocationsOptions {
  readonly indexes: ReadonlyMap<string, RevocationIndex>
  /** The configured issuer that goes by a name or an alias. */
  readonly findIssuer: (name: string) => string | undefined
  readonly maxEntries: number
  readonly log: RevocationLog | undefined
  readonly tell: OnRevocation
}

export interface RevocationSink extends Revocations {
  /** Takes a record of another node. */
  apply(record: RevocationRecord): RevocationOutcome
  /** Takes a record of a feed: applied, and kept where others find it. @throws UnavailableError */
  record(record: RevocationRecord): Promise<void>
}

export function createRevocations(options: RevocationsOptions): RevocationSink {
  const { indexes, log, tell } = options

  function apply(record: RevocationRecord): RevocationOutcome {
    const index = indexes.get(record.issuer)
    const outcome = index ? index.add(record) : 'unmatched'
    tell({ kind: 'revocation', outcome: outcome === 'added' ? 'listed' : outcome, record })
    return outcome === 'added' ? 'listed' : outcome
  }

  async function record(entry: RevocationRecord): Promise<void> {
    apply(entry)
    if (!log) return
    try {
      await log.append(entry)
    } catch (cause) {
      // whatever the log's client throws means one thing: the others do not know
      throw new UnavailableError('revocation_log_unavailable', { issuer: entry.issuer, cause })
    }
  }

  return {
    apply,
    record,
    async revoke(revocation) {
      await record(toRecord(revocation, options))
    },
    *list() {
      for (const index of indexes.values()) {
        for (const mark of index.list()) yield toListed(mark)
      }
    },
    stats: () =>
      [...indexes].map(([issuer, { size: entries, overflows }]) => ({
        issuer,
        entries,
        maxEntries: options.maxEntries,
        overflows,
      })),
  }
}

function toRecord(revocation: Revocation, options: RevocationsOptions): RevocationRecord {
  const { issuedBefore = Date.now() / 1000, verdict = 'revoked', reason, expiresAt } = revocation
  const target = toTarget(revocation)
  const issuer = toIssuer(revocation, options)
  const times = [issuedBefore, expiresAt ?? issuedBefore]
  if (!times.every((time) => Number.isFinite(time) && time >= 0 && time < 1e11)) {
    throw misuse('issuedBefore and expiresAt are seconds since the epoch')
  }
  if (!VERDICTS.includes(verdict)) throw misuse(`verdict is 'revoked' or 'suspect'`)
  return {
    issuer,
    target,
    verdict,
    issuedBefore,
    source: 'api',
    ...(reason === undefined ? {} : { reason }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }
}

function toIssuer({ issuer }: Revocation, { indexes, findIssuer }: RevocationsOptions): string {
  const only = indexes.size === 1 ? [...indexes.keys()][0] : undefined
  const found = issuer === undefined ? only : findIssuer(issuer)
  if (found !== undefined) return found
  throw misuse(`issuer must be one of ${JSON.stringify([...indexes.keys()])}, received ${show(issuer)}`)
}

const VERDICTS: readonly unknown[] = ['revoked', 'suspect']
const NAMES = ['jti', 'sessionId', 'subject', 'clientId', 'claim'] as const

/** `revoke({ subject: user.id })` with a user that has none must not revoke everything. */
function toTarget(revocation: Revocation): RevocationTarget {
  const given = NAMES.filter((name) => Object.hasOwn(revocation, name))
  for (const name of given) {
    const value = name === 'claim' ? revocation.claim?.name : revocation[name]
    if (typeof value !== 'string' || value === '') {
      throw misuse(`${name} must be a string that is not empty, received ${show(value)}`)
    }
  }
  const { jti = '', sessionId = '', subject = '', clientId = '', claim } = revocation
  switch (given.join()) {
    case '':
      if (revocation.issuer !== undefined) return { kind: 'issuer' }
      throw misuse(`give one of ${NAMES.join(', ')}, or issuer for all of its tokens`)
    case 'jti':
      return { kind: 'token', jti }
    case 'sessionId':
      return { kind: 'session', sessionId }
    case 'subject':
      return { kind: 'subject', subject }
    case 'clientId':
      return { kind: 'client', clientId }
    case 'subject,clientId':
      return { kind: 'subject_client', subject, clientId }
    case 'claim':
      if (typeof claim?.value === 'string') return { kind: 'claim', name: claim.name, value: claim.value }
      throw misuse('claim needs a name and a value')
    default:
      throw misuse(`${given.join(' and ')} cannot be combined; only subject and clientId can`)
  }
}

function misuse(what: string): ConfigurationError {
  return new ConfigurationError('revocations.revoke', `revocations.revoke: ${what}`)
}

function show(value: unknown): string {
  return (JSON.stringify(value) as string | undefined)?.slice(0, 120) ?? 'undefined'
}

function toListed({ record, heardAt }: Mark): ListedRevocation {
  return { ...record, heardAt: Math.floor(heardAt / 1000) }
}
