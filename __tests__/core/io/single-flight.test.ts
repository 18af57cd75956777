import { describe, expect, it, jest } from '@jest/globals'
import { createSingleFlight } from '../../../lib/core/io/single-flight.js'

describe('createSingleFlight', () => {
  it('shares one flight among those who ask together', async () => {
    const share = createSingleFlight<object>()
    const start = jest.fn(() => Promise.resolve({}))
    const answers = await Promise.all(Array.from({ length: 50 }, () => share('key', start)))
    expect(start).toHaveBeenCalledTimes(1)
    expect(new Set(answers).size).toBe(1)
  })

  it('flies again for those who come after', async () => {
    const share = createSingleFlight<number>()
    let flights = 0
    const start = () => Promise.resolve((flights += 1))
    expect([await share('key', start), await share('key', start)]).toEqual([1, 2])
  })

  it('shares a failure, and does not keep it', async () => {
    const share = createSingleFlight<string>()
    const start = jest.fn(() => Promise.reject(new Error('down')))
    const both = [share('key', start), share('key', start)]
    expect(await Promise.allSettled(both)).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }])
    expect(start).toHaveBeenCalledTimes(1)
    await expect(share('key', () => Promise.resolve('up'))).resolves.toBe('up')
  })

  it('keeps different keys apart', async () => {
    const share = createSingleFlight<string>()
    const answers = ['a', 'b', '__proto__'].map((key) => share(key, () => Promise.resolve(key)))
    expect(await Promise.all(answers)).toEqual(['a', 'b', '__proto__'])
  })
})
