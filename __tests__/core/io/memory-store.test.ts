import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { createMemoryStore } from '../../../lib/core/io/memory-store.js'
import { StoreError } from '../../../lib/core/io/store.js'

const START = 1_700_000_000_000
const at = (ms: number) => jest.spyOn(Date, 'now').mockReturnValue(START + ms)

afterEach(() => {
  jest.restoreAllMocks()
})

describe('createMemoryStore', () => {
  it('sets a value only where there is none, until that one ends', () => {
    const store = createMemoryStore(10)
    at(0)
    expect(store.setIfAbsent('k', 'one', 1500)).toBe(true)
    expect(store.setIfAbsent('k', 'two', 1500)).toBe(false)
    at(1499)
    expect(store.get('k')).toBe('one')
    at(1500)
    expect(store.get('k')).toBeUndefined()
    expect(store.setIfAbsent('k', 'three', 1000)).toBe(true)
    expect(store.get('k')).toBe('three')
  })

  it('sets anew with a new end, and deletes', () => {
    const store = createMemoryStore(10)
    at(0)
    store.set('k', 'one', 1000)
    store.set('k', 'two', 9000)
    at(5000)
    store.set('other', '', 1000)
    expect(store.get('k')).toBe('two')
    store.delete('k')
    store.delete('k')
    expect(store.get('k')).toBeUndefined()
    expect(store.size).toBe(1)
  })

  it('refuses what is new when it is full, and forgets nothing for it', () => {
    const store = createMemoryStore(2)
    at(0)
    store.setIfAbsent('a', '1', 1000)
    store.setIfAbsent('b', '2', 60_000)
    expect(() => store.setIfAbsent('c', '3', 1000)).toThrow(StoreError)
    expect(() => store.set('c', '3', 1000)).toThrow(expect.objectContaining({ code: 'full' }))
    expect(store.setIfAbsent('a', '3', 1000)).toBe(false)
    store.set('b', 'anew', 60_000)
    expect([store.get('a'), store.get('b')]).toEqual(['1', 'anew'])
    at(1000)
    expect(store.setIfAbsent('c', '3', 1000)).toBe(true)
    expect(store.get('b')).toBe('anew')
  })

  it('never holds more than its limit, however long a flood lasts and whatever the ends', () => {
    const store = createMemoryStore(1000)
    let taken = 0
    for (let second = 0; second < 120; second += 1) {
      at(second * 1000)
      for (let index = 0; index < 200; index += 1) {
        try {
          if (store.setIfAbsent(`${second} ${index}`, '', 1000 * (1 + (index % 30)))) taken += 1
        } catch (error) {
          expect(error).toBeInstanceOf(StoreError)
        }
        expect(store.size).toBeLessThanOrEqual(1000)
      }
    }
    expect(taken).toBeGreaterThan(2000)
    at(200_000)
    store.set('last', '', 1000)
    expect(store.size).toBe(1)
  })
})
