/** Look-ups of keys: who causes a fetch, who shares it, and what is answered where none may be made. */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { InvalidTokenError, UnavailableError } from '../../../lib/core/errors.js'
import { createFixedKeys, createJwks, type KeySource } from '../../../lib/core/issuer/jwks.js'
import { parseKeySet, type KeyHint, type VerificationKey } from '../../../lib/core/issuer/key-set.js'
import { createSigningKey, type SigningKey } from '../../../lib/testing/test-issuer.js'

const issuer = 'https://login.example.com'
const JWKS = { refreshSeconds: 300, cooldownSeconds: 10, maxStaleSeconds: 3600, timeoutMs: 5000 }

let published: unknown[]
let isDown: boolean
let fetches: number
let keys: KeySource
const onFailure = jest.fn()

const a = createSigningKey('ES256', 'a')
const hint = (kid?: string, alg = 'ES256'): KeyHint => ({ alg, kid })
const kids = (found: readonly VerificationKey[]) => found.map(({ kid }) => kid)
const pass = (seconds: number) => jest.advanceTimersByTimeAsync(seconds * 1000)
const publish = (...added: SigningKey[]) => (published = added.map(({ publicJwk }) => publicJwk))

beforeEach(() => {
  jest.useFakeTimers()
  publish(a)
  isDown = false
  fetches = 0
  onFailure.mockReset()
  keys = createJwks({
    issuer,
    jwks: JWKS,
    isUriMissing: () => false,
    jwksUri: () => `${issuer}/jwks`,
    onFailure,
    send: () => {
      fetches += 1
      const body = JSON.stringify({ keys: published })
      return Promise.resolve({ status: isDown ? 500 : 200, headers: {}, body })
    },
  })
})
afterEach(() => {
  keys.close()
  jest.useRealTimers()
})

async function reasonOf(promise: unknown): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof InvalidTokenError || error instanceof UnavailableError) return error.reason
    throw error
  }
  return 'found'
}

describe('find', () => {
  it('answers at once when the key is here', async () => {
    await keys.ready()
    expect(keys.find(hint('a'))).toHaveLength(1)
  })

  it('fetches for an unknown name, a second after an ordinary refresh too', async () => {
    await keys.ready()
    publish(a, createSigningKey('ES256', 'b'))
    await pass(1)
    expect(kids(await keys.find(hint('b')))).toEqual(['b'])
    expect(fetches).toBe(2)
  })

  it('takes the new key from an ordinary refresh under way, which starts no cooldown', async () => {
    await keys.ready()
    publish(a, createSigningKey('ES256', 'b'))
    jest.setSystemTime(Date.now() + 300_000)
    expect(kids(await keys.find(hint('a')))).toEqual(['a'])
    expect(kids(await keys.find(hint('b')))).toEqual(['b'])
    expect(fetches).toBe(2)
    expect(keys.health().cooldownSeconds).toBe(0)
  })

  it('refuses a name looked up in vain, and says of another that it was not checked', async () => {
    await keys.ready()
    expect(await reasonOf(keys.find(hint('x')))).toBe('unknown_key')
    expect(await reasonOf(keys.find(hint('x')))).toBe('unknown_key')
    expect(await reasonOf(keys.find(hint('y')))).toBe('key_not_checked')
    expect(fetches).toBe(2)
    expect(keys.health().cooldownSeconds).toBe(10)
  })

  it('forgets a name looked up in vain: after the cooldown it is looked up again', async () => {
    await keys.ready()
    await reasonOf(keys.find(hint('b')))
    publish(a, createSigningKey('ES256', 'b'))
    await pass(9.9)
    expect(await reasonOf(keys.find(hint('b')))).toBe('unknown_key')
    await pass(0.1)
    expect(await reasonOf(keys.find(hint('b')))).toBe('found')
  })

  it('knows a name again that somebody else has fetched', async () => {
    await keys.ready()
    await reasonOf(keys.find(hint('b')))
    publish(a, createSigningKey('ES256', 'b'))
    await pass(10)
    await reasonOf(keys.find(hint('other')))
    expect(await reasonOf(keys.find(hint('b')))).toBe('found')
  })

  it('goes on refusing several names looked up in vain, although only one is looked up again at a time', async () => {
    await keys.ready()
    await reasonOf(keys.find(hint('x')))
    await pass(10)
    await reasonOf(keys.find(hint('y')))
    for (let second = 0; second < 40; second += 1) {
      expect(await reasonOf(keys.find(hint('x')))).toBe('unknown_key')
      expect(await reasonOf(keys.find(hint('y')))).toBe('unknown_key')
      await pass(1)
    }
    expect(fetches).toBe(2 + 1 + 3)
  })

  it('fetches once a cooldown for thousands of names in many algorithms, whether it finds anything or not', async () => {
    await keys.ready()
    const algs = ['RS256', 'RS384', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA']
    for (let round = 1; round <= 3; round += 1) {
      const names = Array.from({ length: 3000 }, (_, index) => hint(`${round}-${index}`, algs[index % 7]))
      const reasons = await Promise.all(names.map((name) => reasonOf(keys.find(name))))
      expect(new Set(reasons)).toEqual(new Set(['unknown_key']))
      expect(await reasonOf(keys.find(hint('late')))).toBe('key_not_checked')
      expect(fetches).toBe(1 + round)
      expect(keys.find(hint('a'))).toHaveLength(1)
      await pass(10)
    }
  })

  it('says of unknown names that they were not checked while the server is down, and finds them after it', async () => {
    await keys.ready()
    isDown = true
    expect(await reasonOf(keys.find(hint('b')))).toBe('keys_unavailable')
    expect(await reasonOf(keys.find(hint('c')))).toBe('key_not_checked')
    expect(keys.find(hint('a'))).toHaveLength(1)
    expect(fetches).toBe(2)
    isDown = false
    publish(a, createSigningKey('ES256', 'b'))
    await pass(1)
    expect(await reasonOf(keys.find(hint('b')))).toBe('found')
    await pass(10)
    expect(keys.health()).toMatchObject({ state: 'fresh', cooldownSeconds: 0 })
  })

  it('starts no cooldown for a look-up that the pause after a failure forbade', async () => {
    await keys.ready()
    isDown = true
    await pass(600)
    expect(await reasonOf(keys.find(hint('b')))).toBe('keys_unavailable')
    expect(keys.health().cooldownSeconds).toBe(0)
  })

  it('looks up a token without kid that no key fits, under the same cooldown', async () => {
    await keys.ready()
    expect(await reasonOf(keys.find(hint(undefined, 'RS256')))).toBe('unknown_key')
    expect(await reasonOf(keys.find(hint(undefined, 'RS256')))).toBe('unknown_key')
    expect(await reasonOf(keys.find(hint(undefined, 'ES512')))).toBe('key_not_checked')
    expect(kids(await keys.find(hint()))).toEqual(['a'])
  })

  it('is not locked out by a clock that is set back', async () => {
    await keys.ready()
    await reasonOf(keys.find(hint('x')))
    jest.setSystemTime(Date.now() - 3_600_000)
    publish(a, createSigningKey('ES256', 'b'))
    expect(await reasonOf(keys.find(hint('b')))).toBe('found')
  })
})

describe('findReplacement', () => {
  it('brings the key that now stands under a known name', async () => {
    await keys.ready()
    const tried = await keys.find(hint('a'))
    publish(createSigningKey('ES256', 'a'))
    const replacement = await keys.findReplacement(hint('a'), tried)
    expect(kids(replacement)).toEqual(['a'])
    expect(replacement[0]).not.toBe(tried[0])
    expect(keys.mayServe(tried[0]!)).toBe(false)
    expect(keys.mayServe(replacement[0]!)).toBe(true)
  })

  it('shares the cooldown with unknown names, in both directions', async () => {
    await keys.ready()
    const tried = await keys.find(hint('a'))
    expect(await keys.findReplacement(hint('a'), tried)).toEqual([])
    expect(await reasonOf(keys.find(hint('x')))).toBe('key_not_checked')
    expect(fetches).toBe(2)
    await pass(10)
    expect(await reasonOf(keys.find(hint('x')))).toBe('unknown_key')
    expect(await keys.findReplacement(hint('a'), tried)).toEqual([])
    expect(fetches).toBe(3)
  })

  it('has none in the cooldown: the key last published has spoken; after it the new one is found', async () => {
    await keys.ready()
    const tried = await keys.find(hint('a'))
    await keys.findReplacement(hint('a'), tried)
    publish(createSigningKey('ES256', 'a'))
    expect(await keys.findReplacement(hint('a'), tried)).toEqual([])
    await pass(10)
    expect(await keys.findReplacement(hint('a'), tried)).toHaveLength(1)
  })

  it('has none while the server is down: a forged signature stays a refusal', async () => {
    await keys.ready()
    isDown = true
    expect(await keys.findReplacement(hint('a'), await keys.find(hint('a')))).toEqual([])
  })

  it('brings new keys for a token without kid', async () => {
    await keys.ready()
    const tried = await keys.find(hint())
    publish(createSigningKey('ES256', 'b'))
    expect(kids(await keys.findReplacement(hint(), tried))).toEqual(['b'])
  })

  it('is honest about a new name for which only keys without a name were tried', async () => {
    published = [{ ...a.publicJwk, kid: undefined }]
    await keys.ready()
    const tried = await keys.find(hint('b'))
    expect(kids(tried)).toEqual([undefined])
    expect(await reasonOf(keys.findReplacement(hint('b'), tried))).toBe('unknown_key')
    expect(await reasonOf(keys.findReplacement(hint('c'), tried))).toBe('key_not_checked')
    expect(fetches).toBe(2)
  })

  it('brings a key for another algorithm that was added under a known name', async () => {
    await keys.ready()
    expect(await keys.find(hint('a', 'EdDSA'))).toEqual([])
    publish(a, createSigningKey('EdDSA', 'a'))
    expect(await keys.findReplacement(hint('a', 'EdDSA'), [])).toHaveLength(1)
  })
})

describe('mayServe', () => {
  it('holds for the same key through refreshes, until it is withdrawn', async () => {
    await keys.ready()
    const [key] = await keys.find(hint('a'))
    await pass(300)
    expect(fetches).toBe(2)
    expect((await keys.find(hint('a')))[0]).toBe(key)
    expect(keys.mayServe(key!)).toBe(true)
    publish()
    await pass(300)
    expect(keys.mayServe(key!)).toBe(false)
  })

  it('ends when the keys are too old', async () => {
    await keys.ready()
    const [key] = await keys.find(hint('a'))
    isDown = true
    await pass(3600)
    expect(keys.mayServe(key!)).toBe(true)
    await pass(1)
    expect(keys.mayServe(key!)).toBe(false)
    expect(onFailure).toHaveBeenCalled()
  })
})

describe('createFixedKeys', () => {
  it('fetches nothing, and what is not there is not there', async () => {
    const fixed = createFixedKeys(issuer, parseKeySet({ keys: published })!)
    await fixed.ready()
    expect(await fixed.find(hint('a'))).toHaveLength(1)
    expect(() => fixed.find(hint('b'))).toThrow(InvalidTokenError)
    expect(await fixed.findReplacement(hint('a'), [])).toEqual([])
    expect(fixed.health()).toMatchObject({ state: 'fresh', keys: 1, skippedKeys: 0 })
    fixed.close()
  })
})
