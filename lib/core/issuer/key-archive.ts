/**
 * The last good key set, kept where other nodes find it: for one that starts while its issuer cannot be
 * reached. Who can write there decides who is trusted, so it must be a store that only these nodes can write.
 */
import { sha256 } from '../io/digest.js'
import { StoreError, type Store } from '../io/store.js'

export interface ArchivedKeys {
  readonly document: unknown
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number
}

export interface KeyArchive {
  /** Does not wait, and does not fail: it is for worse times. */
  keep(document: unknown): void
  /** @returns undefined if there is none that is young enough, or the store cannot be reached either */
  recall(): Promise<ArchivedKeys | undefined>
}

export interface KeyArchiveOptions {
  readonly issuer: string
  /** The configured address; undefined: the discovered one. */
  readonly uri: string | undefined
  readonly maxStaleSeconds: number
}

/** @param store in which values are sealed */
export function createKeyArchive(store: Store, options: KeyArchiveOptions): KeyArchive {
  const { issuer, uri, maxStaleSeconds } = options
  const key = `keys:${sha256(JSON.stringify([issuer, uri ?? '']))}`
  const maxStaleMs = maxStaleSeconds * 1000

  async function put(kept: ArchivedKeys): Promise<void> {
    try {
      await store.set(key, JSON.stringify(kept), maxStaleMs)
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
    }
  }

  return {
    keep(document) {
      if (maxStaleMs > 0) void put({ document, fetchedAt: Date.now() })
    },
    async recall() {
      try {
        const text = await store.get(key)
        const kept = text === undefined ? undefined : (JSON.parse(text) as ArchivedKeys)
        return kept && Date.now() - kept.fetchedAt <= maxStaleMs ? kept : undefined
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        return undefined
      }
    },
  }
}
