import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import {
  createCircuitBreaker,
  type CircuitBreaker,
  type ServiceSign,
} from '../../../lib/core/io/circuit-breaker.js'
import { createClock, type Clock } from '../../support/opaque-api.js'

class Sign extends Error {
  constructor(readonly sign: ServiceSign) {
    super('a sign')
  }
}
class Refused extends Error {
  constructor(
    readonly seconds: number,
    override readonly cause: unknown,
  ) {
    super('refused')
  }
}

const failure = (pauseSeconds = 0) => new Sign({ pauseSeconds })
const fail = (error: Error = failure()) => breaker.run(() => Promise.reject(error))
const succeed = () => breaker.run(() => Promise.resolve('answer'))
/** A call whose end the test decides. */
function begin() {
  const { promise, resolve, reject } = withResolvers<string>()
  const ended = breaker.run(() => promise)
  return { ended, resolve: () => resolve('late answer'), reject: () => reject(failure()) }
}

function withResolvers<T>() {
  const ends = {} as { resolve: (value: T) => void; reject: (error: Error) => void }
  const promise = new Promise<T>((resolve, reject) => Object.assign(ends, { resolve, reject }))
  return { promise, ...ends }
}

let clock: Clock
let breaker: CircuitBreaker

async function open(): Promise<void> {
  for (let time = 0; time < 3; time += 1) await expect(fail()).rejects.toThrow(Sign)
  expect(breaker.health().state).toBe('open')
}

beforeEach(() => {
  clock = createClock()
  breaker = createCircuitBreaker({
    failures: 3,
    trialSeconds: 5,
    judge: (error) => (error as Sign).sign,
    refuse: (seconds, cause) => new Refused(Math.ceil(seconds), cause),
  })
})
afterEach(() => clock.restore())

describe('createCircuitBreaker', () => {
  it('opens after failures in a row and says why and for how long', async () => {
    await open()
    const last = failure()
    await expect(succeed()).rejects.toMatchObject({ seconds: 5, cause: last })
    clock.advance(2)
    await expect(succeed()).rejects.toMatchObject({ seconds: 3 })
    expect(breaker.health()).toEqual({ state: 'open', failures: 3, retryAfterSeconds: 3 })
  })

  it('does not open for failures with an answer between them, good or not as wished', async () => {
    await expect(fail()).rejects.toThrow()
    await expect(fail()).rejects.toThrow()
    await succeed()
    await expect(fail()).rejects.toThrow()
    await expect(fail()).rejects.toThrow()
    await expect(fail(new Sign('answered'))).rejects.toThrow(Sign)
    await expect(fail()).rejects.toThrow()
    expect(breaker.health()).toEqual({ state: 'closed', failures: 1, retryAfterSeconds: 0 })
  })

  it('does not count what never reached the service', async () => {
    await expect(fail()).rejects.toThrow()
    await expect(fail(new Sign('unknown'))).rejects.toThrow()
    expect(breaker.health().failures).toBe(1)
  })

  it('lets one call try it, whose success lets the others through', async () => {
    await open()
    clock.advance(5)
    expect(breaker.health().state).toBe('trial')
    const trial = begin()
    await expect(succeed()).rejects.toMatchObject({ seconds: 1 })
    expect(breaker.health().state).toBe('trial')
    trial.resolve()
    await trial.ended
    expect(breaker.health()).toEqual({ state: 'closed', failures: 0, retryAfterSeconds: 0 })
    await expect(succeed()).resolves.toBe('answer')
  })

  it('waits anew after a trial that failed', async () => {
    await open()
    clock.advance(6)
    await expect(fail()).rejects.toThrow(Sign)
    await expect(succeed()).rejects.toMatchObject({ seconds: 5 })
  })

  it('closes after a trial that was answered otherwise than wished', async () => {
    await open()
    clock.advance(6)
    await expect(fail(new Sign('answered'))).rejects.toThrow(Sign)
    expect(breaker.health().state).toBe('closed')
  })

  it('gives the trial to the next caller if it never reached the service', async () => {
    await open()
    clock.advance(6)
    await expect(fail(new Sign('unknown'))).rejects.toThrow(Sign)
    expect(breaker.health().state).toBe('trial')
    await expect(succeed()).resolves.toBe('answer')
    expect(breaker.health().state).toBe('closed')
  })

  it('gives way to another trial if one hangs', async () => {
    await open()
    clock.advance(5)
    const hanging = begin()
    clock.advance(4)
    await expect(succeed()).rejects.toThrow(Refused)
    clock.advance(1)
    await expect(succeed()).resolves.toBe('answer')
    hanging.reject()
    await expect(hanging.ended).rejects.toThrow(Sign)
    expect(breaker.health()).toMatchObject({ state: 'closed', failures: 0 })
  })

  it('hears nothing in what was asked before it opened', async () => {
    const [toFail, toSucceed] = [begin(), begin()]
    await open()
    clock.advance(4)
    toFail.reject()
    await expect(toFail.ended).rejects.toThrow(Sign)
    expect(breaker.health()).toEqual({ state: 'open', failures: 3, retryAfterSeconds: 1 })
    toSucceed.resolve()
    await toSucceed.ended
    expect(breaker.health().state).toBe('open')
    clock.advance(1)
    await expect(succeed()).resolves.toBe('answer')
  })

  it('is not opened again by the late failures of a hundred calls that hung while it was down', async () => {
    const hanging = Array.from({ length: 100 }, begin)
    await open()
    clock.advance(5)
    await succeed()
    for (const call of hanging) call.reject()
    await Promise.all(hanging.map(({ ended }) => expect(ended).rejects.toThrow(Sign)))
    expect(breaker.health()).toEqual({ state: 'closed', failures: 0, retryAfterSeconds: 0 })
  })

  it('counts each of the calls that fail together', async () => {
    const calls = Array.from({ length: 3 }, begin)
    for (const call of calls) call.reject()
    await Promise.all(calls.map(({ ended }) => expect(ended).rejects.toThrow(Sign)))
    expect(breaker.health().state).toBe('open')
  })

  it('leaves the service alone at once for as long as it asks, but no longer than five minutes', async () => {
    await expect(fail(failure(30))).rejects.toThrow(Sign)
    await expect(succeed()).rejects.toMatchObject({ seconds: 30 })
    clock.advance(30)
    await expect(fail(failure(86_400))).rejects.toThrow(Sign)
    await expect(succeed()).rejects.toMatchObject({ seconds: 300 })
    clock.advance(300)
    await expect(fail(failure(1))).rejects.toThrow(Sign)
    await expect(succeed()).rejects.toMatchObject({ seconds: 5 })
  })

  it('is not kept open by a clock that was set back', async () => {
    await open()
    clock.advance(-3600)
    await expect(succeed()).resolves.toBe('answer')
  })
})
