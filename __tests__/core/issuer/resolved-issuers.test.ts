import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { createResolvedIssuers, type ResolvedIssuer } from '../../../lib/core/issuer/resolved-issuers.js'
import type { IssuerSettings } from '../../../lib/core/issuer/trusted-issuers.js'
import { ConfigurationError } from '../../../lib/index.js'

type Given = {
  readonly issuer: string
  readonly aliases?: readonly string[]
  readonly wrong?: boolean
  readonly v?: number
}

let opened: string[]
let closed: string[]
let asked: string[]

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] })
  opened = []
  closed = []
  asked = []
})

afterEach(() => {
  jest.useRealTimers()
})

function directory(
  answer: (iss: string) => Given | undefined | Promise<Given | undefined>,
  maxIssuers = 100,
) {
  return createResolvedIssuers(
    {
      maxIssuers,
      async resolve(iss): Promise<ResolvedIssuer<IssuerSettings> | undefined> {
        asked.push(iss)
        const given = await answer(iss)
        return given && { given, toSettings: () => toSettings(given) }
      },
    },
    ({ issuer }) => {
      opened.push(issuer)
      return { issuer, close: () => closed.push(issuer) }
    },
  )
}

function toSettings({ issuer, aliases = [], wrong }: Given): IssuerSettings {
  if (wrong) throw new ConfigurationError('issuers().jwks', 'wrong')
  return { issuer, aliases } as unknown as IssuerSettings
}

const known = (iss: string): Given | undefined => (iss.startsWith('https://') ? { issuer: iss } : undefined)

describe('createResolvedIssuers', () => {
  it('asks once about an issuer, and then finds it at once', async () => {
    const issuers = directory(known)
    const [first, second] = await Promise.all([issuers.find('https://a'), issuers.find('https://a')])
    expect(first).toBe(second)
    expect(issuers.find('https://a')).toBe(first)
    expect({ asked, opened }).toEqual({ asked: ['https://a'], opened: ['https://a'] })
  })

  it('remembers for a moment that a name is unknown', async () => {
    const issuers = directory(known)
    expect(await issuers.find('x')).toBeUndefined()
    expect(issuers.find('x')).toBeUndefined()
    expect(asked).toEqual(['x'])
    jest.advanceTimersByTime(10_000)
    expect(await issuers.find('x')).toBeUndefined()
    expect(asked).toEqual(['x', 'x'])
  })

  it('does not ask about a name too long to be one', () => {
    expect(directory(known).find(`https://${'a'.repeat(1024)}`)).toBeUndefined()
    expect(asked).toEqual([])
  })

  it('closes the one not used for longest when there are too many', async () => {
    const issuers = directory(known, 2)
    await issuers.find('https://a')
    await issuers.find('https://b')
    await issuers.find('https://a')
    await issuers.find('https://c')
    expect(closed).toEqual(['https://b'])
    expect(issuers.open.map(({ issuer }) => issuer)).toEqual(['https://a', 'https://c'])
  })

  it('finds an issuer by its aliases too', async () => {
    const issuers = directory(() => ({ issuer: 'https://a', aliases: ['https://mtls.a'] }))
    const found = await issuers.find('https://mtls.a')
    expect(issuers.find('https://a')).toBe(found)
    expect(opened).toEqual(['https://a'])
  })

  it('asks again after a minute, and keeps what has not changed', async () => {
    const issuers = directory(known)
    const found = await issuers.find('https://a')
    jest.advanceTimersByTime(60_000)
    expect(await issuers.find('https://a')).toBe(found)
    expect({ asked: asked.length, opened: opened.length, closed }).toEqual({
      asked: 2,
      opened: 1,
      closed: [],
    })
  })

  it('opens anew what has changed', async () => {
    let v = 1
    const issuers = directory((iss) => ({ issuer: iss, v }))
    await issuers.find('https://a')
    v = 2
    jest.advanceTimersByTime(60_000)
    await issuers.find('https://a')
    expect({ opened, closed }).toEqual({ opened: ['https://a', 'https://a'], closed: ['https://a'] })
  })

  it('stops trusting what is no longer known', async () => {
    let isTenant = true
    const issuers = directory((iss) => (isTenant ? { issuer: iss } : undefined))
    await issuers.find('https://a')
    isTenant = false
    jest.advanceTimersByTime(60_000)
    expect(await issuers.find('https://a')).toBeUndefined()
    expect({ closed, open: issuers.open }).toEqual({ closed: ['https://a'], open: [] })
  })

  it('keeps serving for an hour while the function fails, and asks it rarely', async () => {
    let fails = false
    const issuers = directory((iss) => {
      if (fails) throw new Error('the database is down')
      return { issuer: iss }
    })
    const found = await issuers.find('https://a')
    fails = true
    jest.advanceTimersByTime(60_000)
    expect(await issuers.find('https://a')).toBe(found)
    expect(issuers.find('https://a')).toBe(found)
    expect(asked).toHaveLength(2)
    jest.advanceTimersByTime(3_600_000)
    await expect(issuers.find('https://a')).rejects.toMatchObject({ reason: 'issuer_unresolved' })
  })

  it('is an outage, and not a refusal, if the function throws', async () => {
    const issuers = directory(() => {
      throw new Error('the database is down')
    })
    await expect(issuers.find('https://a')).rejects.toMatchObject({
      name: 'UnavailableError',
      reason: 'issuer_unresolved',
      evidence: { found: 'the database is down' },
    })
  })

  it('is an outage if the function does not answer in time', async () => {
    const issuers = directory(() => new Promise(() => undefined))
    const found = issuers.find('https://a')
    const outcome = expect(found).rejects.toMatchObject({ reason: 'issuer_unresolved' })
    await jest.advanceTimersByTimeAsync(5000)
    await outcome
  })

  it('does not ask a hundred questions and one at a time', async () => {
    const release: (() => void)[] = []
    const issuers = directory((iss) => new Promise((resolve) => release.push(() => resolve({ issuer: iss }))))
    const waiting = Array.from({ length: 100 }, (_, index) => issuers.find(`https://${index}`))
    await expect(issuers.find('https://one.more')).rejects.toMatchObject({ reason: 'issuer_unresolved' })
    for (const one of release) one()
    expect(await Promise.all(waiting.map(async (found) => found))).toHaveLength(100)
  })

  it('is an outage if the options that the function returns cannot work', async () => {
    const issuers = directory((iss) => ({ issuer: iss, wrong: true }))
    await expect(issuers.find('https://a')).rejects.toMatchObject({
      reason: 'issuer_unusable',
      evidence: { name: 'issuers().jwks', found: 'wrong' },
    })
  })

  it('is an outage if the function returns another issuer than it was asked for', async () => {
    const issuers = directory(() => ({ issuer: 'https://b' }))
    await expect(issuers.find('https://a')).rejects.toMatchObject({ reason: 'issuer_unusable' })
    expect(opened).toEqual([])
  })

  it('closes all it has open, and opens no more', async () => {
    const issuers = directory(known)
    await issuers.find('https://a')
    await issuers.close()
    expect(closed).toEqual(['https://a'])
    await expect(issuers.find('https://b')).rejects.toMatchObject({ reason: 'closed' })
  })
})
