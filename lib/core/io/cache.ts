/** A bounded memory of entries that know when they end; the least recently used leaves first. */
import { LRUCache } from 'lru-cache'

/** An entry names its own end, so that it costs no second table and follows the wall clock. */
export interface Expiring {
  /** Milliseconds since the epoch from which the entry must not be used. */
  readonly until: number
}

export interface Cache<V extends Expiring> {
  /** The entry, unless it has ended; one that has is dropped. */
  get(key: string, nowMs: number): V | undefined
  set(key: string, entry: V): void
  delete(key: string): void
  readonly size: number
}

/** @param maxEntries 0 keeps nothing. */
export function createCache<V extends Expiring>(maxEntries: number): Cache<V> {
  if (maxEntries === 0)
    return { get: () => undefined, set: () => undefined, delete: () => undefined, size: 0 }
  const entries = new LRUCache<string, V>({ max: maxEntries })

  return {
    get(key, nowMs) {
      const entry = entries.get(key)
      if (entry === undefined || nowMs < entry.until) return entry
      entries.delete(key)
      return undefined
    },
    set: (key, entry) => void entries.set(key, entry),
    delete: (key) => void entries.delete(key),
    get size() {
      return entries.size
    },
  }
}
