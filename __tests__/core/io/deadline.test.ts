import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { withinDeadline } from '../../../lib/core/io/deadline.js'

const late = () => new Error('late')

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

describe('withinDeadline', () => {
  it('brings what comes in time, and leaves no timer behind', async () => {
    await expect(withinDeadline(Promise.resolve('in time'), 100, late)).resolves.toBe('in time')
    expect(jest.getTimerCount()).toBe(0)
  })

  it('starts no timer for what is already here', async () => {
    const here = withinDeadline('here', 100, late)
    expect(jest.getTimerCount()).toBe(0)
    await expect(here).resolves.toBe('here')
  })

  it('rejects when the time is over', async () => {
    const never = withinDeadline(new Promise(() => undefined), 100, late)
    jest.advanceTimersByTime(99)
    expect(jest.getTimerCount()).toBe(1)
    jest.advanceTimersByTime(1)
    await expect(never).rejects.toThrow('late')
  })

  it('rejects as what it waits for does, and leaves no timer behind', async () => {
    await expect(withinDeadline(Promise.reject(new Error('down')), 100, late)).rejects.toThrow('down')
    expect(jest.getTimerCount()).toBe(0)
  })

  it('waits a moment also where no time is left', async () => {
    await expect(withinDeadline(Promise.resolve('just'), -5, late)).resolves.toBe('just')
  })
})
