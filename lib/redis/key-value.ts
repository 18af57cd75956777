/** Keys and values in Redis, each for its time. */
import { hkdfSync } from 'node:crypto'
import { createSeal } from '../core/io/seal.js'
import type { Store } from '../core/io/store.js'
import type { Commands } from './commands.js'
import { toText } from './replies.js'

/** @param prefix of all keys */
export function createKeyValue(commands: Commands, prefix: string): Store {
  const run = (...command: [string, ...string[]]) => commands.run(...command)
  const lifetime = (ttlMs: number) => String(Math.max(1, Math.ceil(ttlMs)))

  return {
    async setIfAbsent(key, value, ttlMs) {
      const name = prefix + key
      return toText(await run(name, 'SET', name, value, 'PX', lifetime(ttlMs), 'NX')) === 'OK'
    },
    async get(key) {
      const name = prefix + key
      return toText(await run(name, 'GET', name))
    },
    async set(key, value, ttlMs) {
      const name = prefix + key
      await run(name, 'SET', name, value, 'PX', lifetime(ttlMs))
    },
    async delete(key) {
      const name = prefix + key
      await run(name, 'DEL', name)
    },
  }
}

/** Seals with the first secret, opens with any. */
export interface Vault {
  seal(text: string, context: string): string
  open(sealed: string, context: string): string | undefined
}

export function createVault(secrets: readonly (string | Uint8Array)[]): Vault {
  const seals = secrets.map((secret) => {
    const key = hkdfSync('sha256', secret, '', 'express-resource-server store', 32)
    return createSeal(new Uint8Array(key))
  })
  return {
    seal(text, context) {
      const [first] = seals
      if (!first) throw new TypeError('there is no secret')
      return first.seal(text, context)
    },
    open(sealed, context) {
      for (const seal of seals) {
        const text = seal.open(sealed, context)
        if (text !== undefined) return text
      }
      return undefined
    },
  }
}

/** What cannot be opened is taken for absent: it is none of ours, or of a former secret. */
export function createSealedStore(store: Store, vault: Vault): Store {
  const keyOf = (key: string) => `sealed:${key}`
  return {
    setIfAbsent: (key, value, ttlMs) => store.setIfAbsent(keyOf(key), vault.seal(value, key), ttlMs),
    async get(key) {
      const sealed = await store.get(keyOf(key))
      return sealed === undefined ? undefined : vault.open(sealed, key)
    },
    set: (key, value, ttlMs) => store.set(keyOf(key), vault.seal(value, key), ttlMs),
    delete: (key) => store.delete(keyOf(key)),
  }
}
