import diagnosticsChannel from 'node:diagnostics_channel'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { InvalidTokenError, MissingTokenError, UnavailableError } from '../../lib/core/errors.js'
import {
  createReport,
  OUTAGE_CHANNEL,
  REFUSAL_CHANNEL,
  type ResourceServerEvent,
} from '../../lib/core/events.js'

const expired = new InvalidTokenError('expired', { issuer: 'i', name: 'exp', expected: 'later', found: 1 })
const outage = new UnavailableError('keys_unavailable', {
  issuer: 'i',
  retryAfterSeconds: 3,
  cause: new Error('x'),
})

const REFUSED = {
  kind: 'refusal',
  status: 401,
  error: 'invalid_token',
  reason: 'expired',
  issuer: 'i',
  name: 'exp',
  expected: 'later',
  found: 1,
}
const OUT = {
  kind: 'outage',
  status: 503,
  reason: 'keys_unavailable',
  retryAfterSeconds: 3,
  cause: outage.cause,
  issuer: 'i',
  name: undefined,
  expected: undefined,
  found: undefined,
}

afterEach(() => void jest.restoreAllMocks())

describe('createReport', () => {
  it('tells the listener of refusals and outages, with evidence', () => {
    const heard: ResourceServerEvent[] = []
    const report = createReport((event) => heard.push(event))
    expect(report(expired)).toEqual(REFUSED)
    expect(report(outage)).toEqual(OUT)
    expect(heard).toEqual([REFUSED, OUT])
  })

  it('has no error code where there were no credentials', () => {
    expect(createReport(undefined)(new MissingTokenError())).toMatchObject({
      error: undefined,
      reason: 'missing_token',
    })
  })

  it('publishes on a channel for refusals and one for outages', () => {
    const heard: unknown[] = []
    const listen = (event: unknown, name: unknown) => void heard.push([name, event])
    diagnosticsChannel.subscribe(REFUSAL_CHANNEL, listen)
    diagnosticsChannel.subscribe(OUTAGE_CHANNEL, listen)
    const report = createReport(undefined)
    report(expired)
    report(outage)
    diagnosticsChannel.unsubscribe(REFUSAL_CHANNEL, listen)
    diagnosticsChannel.unsubscribe(OUTAGE_CHANNEL, listen)
    report(expired)
    expect(heard).toEqual([
      ['express-resource-server:refusal', REFUSED],
      ['express-resource-server:outage', OUT],
    ])
  })

  it('turns what a listener throws into a process warning', () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const fault = new Error('the log is full')
    expect(createReport(throwing(fault))(expired)).toEqual(REFUSED)
    expect(warned).toHaveBeenCalledWith(fault)
  })

  it.each(['text', undefined, Object.create(null) as object])(
    'turns also what is no error into one: %p',
    (thrown) => {
      const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
      createReport(throwing(thrown))(expired)
      expect(warned).toHaveBeenCalledWith(
        expect.objectContaining({ message: 'onRefusal failed', cause: thrown }),
      )
    },
  )

  it('turns what a listener’s promise rejects with into a process warning', async () => {
    const fault = new Error('the log is away')
    const warning = new Promise((resolve) => jest.spyOn(process, 'emitWarning').mockImplementation(resolve))
    createReport(() => Promise.reject(fault))(expired)
    expect(await warning).toBe(fault)
  })
})

function throwing(thrown: unknown): () => never {
  return () => {
    throw thrown
  }
}
