/** A log of revocations in this process: for several resource servers in one, as tests have them. */
import { setTimeout as pause } from 'node:timers/promises'
import type { LogFollower, RevocationLog } from '../core/revocation/ports.js'
import type { RevocationRecord } from '../core/revocation/record.js'

const HEARTBEAT_MS = 100

export function createMemoryLog(): RevocationLog {
  const records: RevocationRecord[] = []
  const followers = new Set<LogFollower>()

  return {
    append(record) {
      records.push(record)
      for (const follower of followers) follower.onRecord(record)
      return Promise.resolve()
    },
    async follow(follower, signal) {
      for (const record of records) follower.onRecord(record)
      followers.add(follower)
      while (!signal.aborted) {
        follower.onHeartbeat()
        await pause(HEARTBEAT_MS, undefined, { signal, ref: false }).catch(() => undefined)
      }
      followers.delete(follower)
    },
  }
}
