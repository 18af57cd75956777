import { describe, expect, it } from '@jest/globals'
import { createCache } from '../../../lib/core/io/cache.js'

describe('createCache', () => {
  it('keeps an entry until its end, and not at it', () => {
    const cache = createCache<{ until: number }>(10)
    cache.set('a', { until: 1000 })
    expect(cache.get('a', 999)).toEqual({ until: 1000 })
    expect(cache.get('a', 1000)).toBeUndefined()
    expect(cache.size).toBe(0)
  })

  it('keeps an endless entry', () => {
    const cache = createCache<{ until: number }>(10)
    cache.set('a', { until: Infinity })
    expect(cache.get('a', Number.MAX_SAFE_INTEGER)).toBeDefined()
  })

  it('lets go of what was used least recently', () => {
    const cache = createCache<{ until: number }>(2)
    const entry = { until: Infinity }
    cache.set('a', entry)
    cache.set('b', entry)
    cache.get('a', 0)
    cache.set('c', entry)
    expect(['a', 'b', 'c'].map((key) => cache.get(key, 0) !== undefined)).toEqual([true, false, true])
    expect(cache.size).toBe(2)
  })

  it('forgets on request', () => {
    const cache = createCache<{ until: number }>(2)
    cache.set('a', { until: Infinity })
    cache.delete('a')
    expect(cache.get('a', 0)).toBeUndefined()
  })

  it('keeps nothing where there is room for nothing', () => {
    const cache = createCache<{ until: number }>(0)
    cache.set('a', { until: Infinity })
    cache.delete('b')
    expect(cache.get('a', 0)).toBeUndefined()
    expect(cache.size).toBe(0)
  })
})
