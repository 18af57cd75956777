/** A value kept fresh: when it is loaded, how often, and what those get who ask while its source fails. */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { UnavailableError } from '../../../lib/core/errors.js'
import { createRefreshedValue, type RefreshedValue } from '../../../lib/core/io/refreshed-value.js'

type Outcome = { value: string; lifetimeSeconds?: number } | Error

const down = (details = {}) => new UnavailableError('keys_unavailable', { found: 'status 500', ...details })
let outcome: Outcome
let loads: number
let value: RefreshedValue<string>

function create(options = {}): RefreshedValue<string> {
  value = createRefreshedValue({
    load: () => {
      loads += 1
      const result = outcome
      return result instanceof Error ? Promise.reject(result) : Promise.resolve(result)
    },
    refreshSeconds: 300,
    maxStaleSeconds: 3600,
    ...options,
  })
  return value
}

const pass = (seconds: number) => jest.advanceTimersByTimeAsync(seconds * 1000)

beforeEach(() => {
  jest.useFakeTimers()
  outcome = { value: 'one' }
  loads = 0
})
afterEach(() => {
  value.close()
  jest.restoreAllMocks()
  jest.useRealTimers()
})

describe('createRefreshedValue', () => {
  it('loads nothing until somebody asks', async () => {
    create()
    await pass(10_000)
    expect(loads).toBe(0)
    expect(value.current()).toBeUndefined()
    expect(value.health()).toEqual({
      state: 'empty',
      ageSeconds: undefined,
      nextRefreshSeconds: undefined,
      failures: 0,
      lastError: undefined,
    })
  })

  it('loads once for all who ask at the same time', async () => {
    create()
    const got = await Promise.all([value.get(), value.get(), value.refresh()])
    expect(got).toEqual(['one', 'one', 'one'])
    expect(loads).toBe(1)
    expect(value.pending).toBeUndefined()
  })

  it('answers at once, without a promise, when it has the value', async () => {
    create()
    await value.get()
    expect(value.get()).toBe('one')
  })

  it('refreshes by itself, up to a tenth earlier than due', async () => {
    create()
    await value.get()
    outcome = { value: 'two' }
    await pass(269)
    expect(loads).toBe(1)
    await pass(31)
    expect(loads).toBe(2)
    expect(value.current()).toBe('two')
    expect(value.health()).toMatchObject({ state: 'fresh', failures: 0 })
  })

  it('spreads the refreshes of a fleet', async () => {
    const random = jest.spyOn(Math, 'random')
    const delays: (number | undefined)[] = []
    for (const draw of [0, 0.5, 0.999]) {
      random.mockReturnValue(draw)
      await create().get()
      delays.push(value.health().nextRefreshSeconds)
      value.close()
    }
    expect(delays).toEqual([300, 285, 270])
  })

  it.each([
    [undefined, 300],
    [0, 300],
    [1, 30],
    [29, 30],
    [120, 120],
    [86_400, 300],
  ])('takes a lifetime of %p s for %d s', async (lifetimeSeconds, seconds) => {
    outcome = lifetimeSeconds === undefined ? { value: 'one' } : { value: 'one', lifetimeSeconds }
    await create().get()
    const next = value.health().nextRefreshSeconds ?? 0
    expect(next).toBeLessThanOrEqual(seconds)
    expect(next).toBeGreaterThanOrEqual(Math.floor(seconds * 0.9))
  })

  it('refreshes before a value that may serve only shortly ceases to', async () => {
    await create({ maxStaleSeconds: 60 }).get()
    for (let minute = 0; minute < 5; minute += 1) {
      await pass(60)
      expect(value.current()).toBe('one')
    }
  })

  it('notices a refresh that is due without a timer: a machine may have slept', async () => {
    await create().get()
    outcome = { value: 'two' }
    jest.setSystemTime(Date.now() + 301_000)
    expect(value.current()).toBe('one')
    expect(loads).toBe(2)
    await value.pending
    expect(value.current()).toBe('two')
  })

  it('asks a failing source ever more rarely, at least every 15 s, and never gives up', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0)
    await create().get()
    outcome = down()
    await pass(300)
    const seen = [loads]
    for (const pause of [0.5, 1, 2, 4, 8, 15, 15, 15]) {
      await pass(pause - 0.1)
      seen.push(loads)
      await pass(0.1)
      seen.push(loads)
    }
    expect(seen).toEqual([2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10])
    expect(value.health()).toMatchObject({ state: 'stale', lastError: 'keys_unavailable: status 500' })
    outcome = { value: 'two' }
    await pass(15)
    expect(value.health()).toMatchObject({ state: 'fresh', failures: 0, lastError: undefined })
    expect(value.current()).toBe('two')
  })

  it('retries although timers are coarser than the clock', async () => {
    // a timer of 512.7 ms ends after 512: that is before the pause does
    jest.spyOn(Math, 'random').mockReturnValue(0.254)
    outcome = down()
    await expect(create().refresh()).rejects.toThrow(UnavailableError)
    outcome = { value: 'one' }
    await pass(0.513)
    expect(value.current()).toBe('one')
  })

  it('keeps a pause after a failure: who asks then is told when it ends, and nothing is loaded', async () => {
    outcome = down()
    await expect(create().refresh()).rejects.toThrow(UnavailableError)
    await pass(0.6)
    await pass(1.2)
    await pass(2.3)
    const before = loads
    const error = await value.refresh().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ reason: 'keys_unavailable', evidence: { found: 'status 500' } })
    expect((error as UnavailableError).retryAfterSeconds).toBeGreaterThanOrEqual(1)
    expect((error as UnavailableError).retryAfterSeconds).toBeLessThanOrEqual(5)
    expect(loads).toBe(before)
  })

  it('leaves a source alone for as long as it asks, within five minutes', async () => {
    outcome = down({ retryAfterSeconds: 100 })
    await expect(create().refresh()).rejects.toThrow(UnavailableError)
    await pass(99)
    await expect(value.refresh()).rejects.toThrow(UnavailableError)
    expect(loads).toBe(1)
    await pass(11)
    expect(loads).toBe(2)
    outcome = down({ retryAfterSeconds: 1_000_000 })
    await pass(110)
    expect(loads).toBe(3)
    await pass(330)
    expect(loads).toBe(4)
  })

  it('serves the last value for maxStaleSeconds, and then none', async () => {
    await create().get()
    outcome = down()
    await pass(3599)
    expect(value.current()).toBe('one')
    expect(value.health().state).toBe('stale')
    await pass(2)
    expect(value.current()).toBeUndefined()
    expect(value.health().state).toBe('expired')
    await expect(value.get()).rejects.toThrow(UnavailableError)
  })

  it('keeps the pause also after an error that is no outage, and shows it', async () => {
    outcome = new RangeError('a fault of ours')
    await expect(create().refresh()).rejects.toThrow(RangeError)
    await expect(value.refresh()).rejects.toThrow(RangeError)
    expect(loads).toBe(1)
    expect(value.health()).toMatchObject({ failures: 1, lastError: 'RangeError: a fault of ours' })
    outcome = { value: 'one' }
    await pass(1)
    expect(value.current()).toBe('one')
  })

  it('refreshes with the next use when told that its source may have moved', async () => {
    await create().get()
    value.expire()
    outcome = { value: 'two' }
    expect(loads).toBe(1)
    expect(value.current()).toBe('one')
    await value.pending
    expect(value.current()).toBe('two')
  })

  it('does not cut a pause short when told that its source may have moved', async () => {
    outcome = down({ retryAfterSeconds: 100 })
    await expect(create().refresh()).rejects.toThrow(UnavailableError)
    value.expire()
    await expect(value.refresh()).rejects.toThrow(UnavailableError)
    expect(loads).toBe(1)
  })

  it('is not held up by a clock that is set back', async () => {
    outcome = down()
    await expect(create().refresh()).rejects.toThrow(UnavailableError)
    jest.setSystemTime(Date.now() - 3_600_000)
    outcome = { value: 'one' }
    await pass(1)
    expect(value.current()).toBe('one')
  })

  it('loads no more once closed', async () => {
    await create().get()
    value.close()
    await pass(10_000)
    expect(loads).toBe(1)
    await expect(value.refresh()).rejects.toMatchObject({ reason: 'closed' })
  })
})
