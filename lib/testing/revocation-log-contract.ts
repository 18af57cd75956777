/** What a log of revocations must do to be shared by several nodes; for adapters of other databases too. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { LogFollower, RevocationLog } from '../core/revocation/ports.js'
import type { RevocationRecord, RevocationTarget } from '../core/revocation/record.js'
import { toCases, type ContractCase } from './contract.js'
import { untilTrue } from './store-contract.js'

/** One log, empty at first, as two nodes see it. */
export interface RevocationLogUnderTest {
  readonly log: RevocationLog
  /** The same records through another connection. Default: `log` itself, which is right for one in memory. */
  readonly other?: RevocationLog
  close?(): unknown
}

const TARGETS: readonly RevocationTarget[] = [
  { kind: 'token', jti: 'jti-1' },
  { kind: 'session', sessionId: 'session-1' },
  { kind: 'subject', subject: 'alice' },
  { kind: 'subject', subject: 'bob', sessionless: true },
  { kind: 'client', clientId: 'app' },
  { kind: 'subject_client', subject: 'alice', clientId: 'app' },
  { kind: 'claim', name: 'email', value: 'älice@example.com' },
  { kind: 'issuer' },
]

/**
 * The contract of `RevocationLog`, as cases that throw.
 *
 * @param open gives an empty log each time
 * @example
 * for (const { title, run } of revocationLogContract(() => openMyLog())) it(title, run)
 */
export function revocationLogContract(
  open: () => RevocationLogUnderTest | Promise<RevocationLogUnderTest>,
): readonly ContractCase[] {
  return toCases(open, {
    'replays what was appended before, in order and unchanged': async ({ log, other = log }) => {
      const records = TARGETS.map((target, index) => recordOf(target, index))
      for (const record of records) await log.append(record)
      await following(other, async (heard) => {
        await untilTrue(() => heard.records.length >= records.length)
        assert.deepEqual(heard.records, records)
      })
    },
    'tells what is appended while it is followed, to every follower': async ({ log, other = log }) => {
      await following(log, (first) =>
        following(other, async (second) => {
          await untilTrue(() => first.heartbeats > 0 && second.heartbeats > 0)
          const record = recordOf({ kind: 'token', jti: randomUUID() })
          await other.append(record)
          await untilTrue(() => first.records.length > 0 && second.records.length > 0)
          assert.deepEqual([first.records, second.records], [[record], [record]])
        }),
      )
    },
    'gives its heartbeat for what was appended before it': async ({ log, other = log }) => {
      await following(other, async (heard) => {
        await untilTrue(() => heard.heartbeats > 0)
        const record = recordOf({ kind: 'token', jti: randomUUID() })
        await log.append(record)
        const before = heard.heartbeats
        await untilTrue(() => heard.heartbeats > before + 1)
        assert.deepEqual(heard.records, [record])
      })
    },
    'goes on giving heartbeats while nothing happens': async ({ log }) => {
      await following(log, (heard) => untilTrue(() => heard.heartbeats >= 3))
    },
    'loses nothing of many': async ({ log, other = log }) => {
      const records = Array.from({ length: 2500 }, (_, index) => recordOf({ kind: 'token', jti: `${index}` }))
      await appendAll(log, records.slice(0, 2000))
      await following(other, async (heard) => {
        await appendAll(log, records.slice(2000))
        await untilTrue(() => heard.records.length >= records.length)
        const names = new Set(heard.records.map(({ target }) => JSON.stringify(target)))
        assert.equal(names.size, records.length)
      })
    },
    'stops when the signal aborts': async ({ log, other = log }) => {
      let heard: Heard | undefined
      await following(other, async (own) => {
        heard = own
        await untilTrue(() => own.heartbeats > 0)
      })
      await log.append(recordOf({ kind: 'token', jti: randomUUID() }))
      assert.deepEqual(heard?.records, [])
    },
  })
}

interface Heard {
  readonly records: RevocationRecord[]
  readonly failures: unknown[]
  heartbeats: number
}

/** Follows a log as long as `use` takes, and waits until it has stopped. */
async function following(log: RevocationLog, use: (heard: Heard) => Promise<void>): Promise<void> {
  const heard: Heard = { records: [], failures: [], heartbeats: 0 }
  const follower: LogFollower = {
    onRecord: (record) => void heard.records.push(record),
    onHeartbeat: () => void (heard.heartbeats += 1),
    onUnreadable: () => void heard.failures.push(new Error('a record could not be read')),
    onFailure: (error) => void heard.failures.push(error),
    known: () => heard.records,
  }
  const stopping = new AbortController()
  const followed = log.follow(follower, stopping.signal)
  try {
    await use(heard)
  } finally {
    stopping.abort()
    await followed
  }
  assert.deepEqual(heard.failures, [])
}

function recordOf(target: RevocationTarget, index = 0): RevocationRecord {
  const issuedBefore = Math.floor(Date.now() / 1000) + 0.25
  return {
    issuer: 'https://login.example.com',
    target,
    verdict: index % 2 ? 'suspect' : 'revoked',
    issuedBefore,
    ...(index % 3 ? { expiresAt: issuedBefore + 3600 } : {}),
    ...(index % 2 ? { reason: 'a reason' } : {}),
    source: 'api',
  }
}

/** So many at a time that a log with a deadline for each keeps it on a busy machine too. */
async function appendAll(log: RevocationLog, records: readonly RevocationRecord[]): Promise<void> {
  for (let at = 0; at < records.length; at += 100) {
    await Promise.all(records.slice(at, at + 100).map((record) => log.append(record)))
  }
}
