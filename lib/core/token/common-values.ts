/**
 * Values that many tokens have in common (who issued them, for whom, with which scopes) are kept once: what is
 * remembered of a token is then mostly its own. Equal values stay equal; only the memory is shared.
 */
import type { JsonObject } from '../issuer/jwt-format.js'

/** Claims whose values recur from token to token. */
const COMMON_CLAIMS = ['iss', 'aud', 'client_id', 'azp', 'cid', 'appid', 'scope', 'scp', 'acr', 'token_type']
/** Beyond this many distinct values nothing recurs, and all are let go. */
const MAX_VALUES = 1000
const MAX_LENGTH = 1024

export interface CommonValues {
  /** The same claims, with recurring strings taken from memory. To be called before they are frozen. */
  shareClaims(claims: JsonObject): void
  /** An equal list, frozen. */
  shareList(list: readonly string[]): string[]
}

export function createCommonValues(): CommonValues {
  const strings = new Map<string, string>()
  const lists = new Map<string, string[]>()

  return {
    shareClaims(claims) {
      const own = claims as Record<string, unknown>
      for (const name of COMMON_CLAIMS) {
        if (!Object.hasOwn(own, name)) continue
        const value = own[name]
        if (typeof value === 'string') own[name] = share(strings, value, () => value)
      }
    },
    // the key is exact: ['a b'] and ['a', 'b'] are two lists
    shareList: (list) => share(lists, JSON.stringify(list), () => Object.freeze([...list]) as string[]),
  }
}

function share<T>(known: Map<string, T>, key: string, create: () => T): T {
  const found = known.get(key)
  if (found !== undefined) return found
  const value = create()
  if (key.length > MAX_LENGTH) return value
  if (known.size >= MAX_VALUES) known.clear()
  known.set(key, value)
  return value
}
