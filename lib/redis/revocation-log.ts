/**
 * Revocations in a stream of Redis, which each node replays from its start and then follows.
 *
 * That nothing came is no proof that nothing was appended: a replica may lag, and a server that takes no
 * writes has nothing to tell. So a turn begins with a small write on the connection that is read from, and
 * ends with a look whether the newest entry known before is still there; only then it counts as complete.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { StoreError } from '../core/io/store.js'
import { parseRecord } from '../core/revocation/parse-record.js'
import type { LogFollower, RevocationLog } from '../core/revocation/ports.js'
import type { RevocationRecord } from '../core/revocation/record.js'
import type { OwnConnection, Redis } from './client.js'
import { PATIENCE_MS, withDeadline, type Commands } from './commands.js'
import type { Vault } from './key-value.js'
import { laterOf, STREAM_START, timeOf, toEntries, toReadEntries, toText, type Entry } from './replies.js'

export interface RevocationLogOptions {
  readonly redis: Redis
  readonly commands: Commands
  readonly prefix: string
  readonly retentionSeconds: number
  /** Undefined: records are legible. */
  readonly vault: Vault | undefined
}

/** A read waits so long for news; freshness is proved as often. */
const WAIT_MS = 500
const BATCH = 1000
const TRIM_EVERY_MS = 60_000
const MAX_PAUSE_MS = 2000
/** Records that could not be appended and are kept for later. Whoever revoked was told of each. */
const MAX_OWED = 10_000

/** What all followers of one log know together. */
interface Shared {
  /** The newest entry that this process appended. */
  appended: string
  /** Records that Redis did not take, as they are written. */
  readonly owed: Set<string>
  trimmedAt: number
}

/** How far one follower has come. */
interface Position {
  last: string
  /** Whether it has been read to its end. */
  isComplete: boolean
  /** Entries up to this one are gone, and that was noticed. */
  lost: string
  /** While a lost log is read anew: what is in it. Undefined: nothing was lost. */
  found: Set<string> | undefined
}

export function createRevocationLog(options: RevocationLogOptions): RevocationLog {
  const { commands, redis, retentionSeconds } = options
  const names = namesOf(options)
  const format = createFormat(options.vault, names.stream)
  const shared: Shared = { appended: STREAM_START, owed: new Set(), trimmedAt: 0 }

  async function put(text: string): Promise<void> {
    const id = toText(await commands.insist(names.stream, 'XADD', names.stream, '*', 'r', format.write(text)))
    if (id === undefined) throw new StoreError('unavailable')
    shared.appended = laterOf(shared.appended, id)
    if (Date.now() - shared.trimmedAt < TRIM_EVERY_MS) return
    shared.trimmedAt = Date.now()
    // by the clock of Redis, which made the id: a node whose clock is ahead must not forget for all
    const oldest = String(Math.max(0, timeOf(id) - retentionSeconds * 1000))
    await commands.insist(names.stream, 'XTRIM', names.stream, 'MINID', '~', oldest)
  }

  async function append(record: RevocationRecord): Promise<void> {
    const text = JSON.stringify(record)
    try {
      await put(text)
      shared.owed.delete(text)
    } catch (error) {
      if (shared.owed.size < MAX_OWED) shared.owed.add(text)
      throw error
    }
  }

  async function follow(follower: LogFollower, signal: AbortSignal): Promise<void> {
    const position: Position = {
      last: STREAM_START,
      isComplete: false,
      lost: STREAM_START,
      found: undefined,
    }
    const tail = createTail({ ...options, names, format, shared, put }, follower, position)
    for (let failures = 0; !isAborted(signal);) {
      try {
        await withOwnConnection(redis, signal, async (connection) => {
          while (!isAborted(signal)) {
            await tail(connection)
            failures = 0
          }
        })
      } catch (error) {
        if (isAborted(signal)) return
        // whatever the client or the server says, the log cannot be read for now
        follower.onFailure(error)
        position.isComplete = false
        failures += 1
        await pauseFor(Math.min(50 * 2 ** failures, MAX_PAUSE_MS) * (0.5 + Math.random() / 2), signal)
      }
    }
  }

  return { retentionSeconds, append, follow }
}

interface TailOptions extends RevocationLogOptions {
  readonly names: ReturnType<typeof namesOf>
  readonly format: Format
  readonly shared: Shared
  readonly put: (text: string) => Promise<void>
}

/** @returns `tail(connection)`: one turn; when it resolves, what it has read has been handed over */
function createTail(options: TailOptions, follower: LogFollower, position: Position) {
  const { names, format, shared, put, retentionSeconds } = options
  let provedAt = 0

  const ask = (connection: OwnConnection, args: readonly string[], waitMs = 0) =>
    withDeadline(connection, { key: names.stream, args, timeoutMs: PATIENCE_MS + waitMs })

  /** The newest entry that must be there, if any is. */
  function newestKnown(): string | undefined {
    const newest = laterOf(position.last, shared.appended)
    const mayBeTrimmed = timeOf(newest) < Date.now() - retentionSeconds * 900
    return mayBeTrimmed || laterOf(newest, position.lost) === position.lost ? undefined : newest
  }

  /**
   * Asked after each read, of the newest entry before it: a stream that was lost and begun anew goes on with
   * later entries as if nothing had been.
   */
  async function isLost(connection: OwnConnection, newest: string | undefined): Promise<boolean> {
    if (newest === undefined) return false
    const kept = toEntries(await ask(connection, ['XRANGE', names.stream, newest, newest]))
    if (kept.length > 0) return false
    Object.assign(position, { last: STREAM_START, isComplete: false, lost: newest, found: new Set() })
    follower.onFailure(new Error('Redis lost records of the log; what is known here is appended again'))
    // the first node to come appends most of it, the others what is missing then
    await pause(Math.random() * WAIT_MS, undefined, { ref: false })
    return true
  }

  function deliver(entries: readonly Entry[]): void {
    for (const { id, fields } of entries) {
      const text = format.read(fields)
      const record = text === undefined ? undefined : parseRecord(parseJson(text))
      if (record) follower.onRecord(record)
      else follower.onUnreadable(Math.ceil(timeOf(id) / 1000))
      if (record) position.found?.add(nameOf(record))
      position.last = id
    }
  }

  /** What is known here and not there: after a loss, and what could not be appended before. */
  async function settle(): Promise<void> {
    for (const text of shared.owed) {
      await put(text)
      shared.owed.delete(text)
    }
    const { found } = position
    if (!found) return
    const missing = [...follower.known()].filter((record) => !found.has(nameOf(record)))
    for (let at = 0; at < missing.length; at += BATCH) {
      await Promise.all(missing.slice(at, at + BATCH).map((record) => put(JSON.stringify(record))))
    }
    position.found = undefined
  }

  return async function tail(connection: OwnConnection): Promise<void> {
    const isProof = !position.isComplete || Date.now() - provedAt >= WAIT_MS / 2
    if (isProof) {
      provedAt = Date.now()
      await ask(connection, ['SET', names.beat, '', 'PX', '60000'])
    }
    const newest = newestKnown()
    // at first, and after a loss, it is read to its end without waiting for news
    const wait = position.isComplete ? ['BLOCK', String(WAIT_MS)] : []
    const read = ['XREAD', 'COUNT', String(BATCH), ...wait, 'STREAMS', names.stream, position.last]
    const entries = toReadEntries(await ask(connection, read, WAIT_MS))
    deliver(entries)
    if ((isProof || entries.length > 0) && (await isLost(connection, newest))) return
    if (entries.length === BATCH) return
    position.isComplete = true
    await settle()
    if (isProof) follower.onHeartbeat()
  }
}

interface Format {
  write(text: string): string
  read(fields: Readonly<Record<string, string>>): string | undefined
}

function createFormat(vault: Vault | undefined, context: string): Format {
  return {
    write: (text) => vault?.seal(text, context) ?? text,
    read({ r }) {
      return r === undefined || !vault ? r : vault.open(r, context)
    },
  }
}

/** The braces keep both in one slot of a cluster: one connection serves them. */
function namesOf({ prefix, vault }: RevocationLogOptions) {
  const stream = `${prefix}{revocations}${vault ? ':sealed' : ''}`
  return { stream, beat: `${stream}:beat` }
}

/** Records that mean the same tokens; of those the index keeps one. */
function nameOf({ issuer, target, verdict }: RevocationRecord): string {
  return JSON.stringify([issuer, Object.entries(target).sort(), verdict])
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
}

async function withOwnConnection(
  redis: Redis,
  signal: AbortSignal,
  use: (connection: OwnConnection) => Promise<void>,
): Promise<void> {
  const connection = await redis.open(PATIENCE_MS, signal)
  const close = () => connection.close()
  signal.addEventListener('abort', close)
  try {
    await use(connection)
  } finally {
    signal.removeEventListener('abort', close)
    close()
  }
}

/** A function, because the compiler does not know that it changes while something is awaited. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted
}

async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal, ref: false })
  } catch (error) {
    // closing ends the pause
    if (!signal.aborted) throw error
  }
}
