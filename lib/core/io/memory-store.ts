/**
 * A store in this process. It never forgets early: unlike a cache it refuses new entries when it is full,
 * since dropping an old one could let something pass a second time.
 */
import { StoreError, type Store } from './store.js'

interface Entry {
  readonly value: string
  /** Milliseconds since the epoch from which it is gone. */
  readonly until: number
}

export interface MemoryStore extends Store {
  setIfAbsent(key: string, value: string, ttlMs: number): boolean
  get(key: string): string | undefined
  set(key: string, value: string, ttlMs: number): void
  delete(key: string): void
  /** Entries held, those included that have ended and were not cleared away yet. */
  readonly size: number
}

/** @param maxEntries beyond which nothing new is taken */
export function createMemoryStore(maxEntries: number): MemoryStore {
  const entries = new Map<string, Entry>()
  // keys by the second in which they end: what has ended is found without looking at what has not
  const endings = new Map<number, Set<string>>()
  let clearedAt = 0

  function clearEnded(now: number): void {
    const second = Math.floor(now / 1000)
    if (second === clearedAt) return
    clearedAt = second
    for (const [ending, keys] of endings) {
      if (ending > second) continue
      endings.delete(ending)
      for (const key of keys) entries.delete(key)
    }
  }

  function find(key: string, now: number): Entry | undefined {
    const entry = entries.get(key)
    return entry && now < entry.until ? entry : undefined
  }

  function put(key: string, value: string, until: number, now: number): void {
    clearEnded(now)
    remove(key)
    if (entries.size >= maxEntries) throw new StoreError('full')
    entries.set(key, { value, until })
    const ending = endingOf(until)
    const keys = endings.get(ending)
    if (keys) keys.add(key)
    else endings.set(ending, new Set([key]))
  }

  function remove(key: string): void {
    const entry = entries.get(key)
    if (!entry) return
    entries.delete(key)
    endings.get(endingOf(entry.until))?.delete(key)
  }

  return {
    setIfAbsent(key, value, ttlMs) {
      const now = Date.now()
      if (find(key, now)) return false
      put(key, value, now + ttlMs, now)
      return true
    },
    get: (key) => find(key, Date.now())?.value,
    set(key, value, ttlMs) {
      const now = Date.now()
      put(key, value, now + ttlMs, now)
    },
    delete: remove,
    get size() {
      return entries.size
    },
  }
}

/** The first whole second, since the epoch, at which it is gone. */
function endingOf(until: number): number {
  return Math.ceil(until / 1000)
}
