/** `server.revocations` and `requireFresh`, over HTTP. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import {
  ConfigurationError,
  REVOCATION_CHANNEL,
  resourceServer,
  type LogFollower,
  type Revocation,
  type RevocationLog,
  type RevocationRecord,
} from '../../lib/index.js'
import { INTROSPECTION, RESOURCE, startRevocationApi, type RevocationApi } from '../support/revocation-api.js'

let api: RevocationApi

afterEach(async () => {
  jest.restoreAllMocks()
  await api.close()
})

const past = () => Math.floor(Date.now() / 1000) - 10

describe('server.revocations.revoke', () => {
  it.each<[string, Revocation, Record<string, unknown>]>([
    ['its jti', { jti: 'j1' }, { jti: 'j1' }],
    ['its session', { sessionId: 's1' }, { sid: 's1' }],
    ['its subject', { subject: 'mallory' }, { sub: 'mallory' }],
    ['its client', { clientId: 'game' }, { client_id: 'game' }],
    ['subject and client', { subject: 'alice', clientId: 'game' }, { client_id: 'game' }],
    ['a claim', { claim: { name: 'email', value: 'a@example.com' } }, { email: 'a@example.com' }],
  ])('refuses a JWT by %s at once, and no other', async (_what, revocation, claims) => {
    api = await startRevocationApi()
    const token = api.as.mintJwt({ claims })
    const other = api.as.mintJwt({ claims: { email: 'b@example.com', sid: 's2' } })
    expect(await api.get(token)).toEqual([200, undefined])
    await api.server.revocations.revoke({ ...revocation, reason: 'stolen' })
    expect(await api.get(token)).toEqual([401, 'revoked'])
    expect(await api.get(other)).toEqual([200, undefined])
    expect(api.answers.at(-1)).toMatchObject({ found: 'stolen', name: 'api' })
  })

  it('refuses all tokens of the issuer that were issued up to now, and takes those issued later', async () => {
    api = await startRevocationApi()
    const before = api.as.mintJwt({ claims: { iat: past() } })
    const after = api.as.mintJwt({ claims: { iat: past() + 5 } })
    await api.server.revocations.revoke({ issuer: api.as.issuer, issuedBefore: past() + 2 })
    expect(await api.get(before)).toEqual([401, 'revoked'])
    expect(await api.get(after)).toEqual([200, undefined])
  })

  it('refuses an opaque token whose good answer is still remembered, without asking', async () => {
    api = await startRevocationApi({ options: { introspection: INTROSPECTION } })
    const token = api.as.issueOpaque({ response: { jti: 'j1', sid: 's1' } })
    expect(await api.get(token)).toEqual([200, undefined])
    await api.server.revocations.revoke({ sessionId: 's1' })
    expect(await api.get(token)).toEqual([401, 'opaque_revoked'])
    expect(api.as.count('introspection')).toBe(1)
  })

  it('asks again about a remembered opaque token that an event may have meant', async () => {
    api = await startRevocationApi({ options: { introspection: INTROSPECTION } })
    const token = api.as.issueOpaque()
    await api.get(token)
    await api.server.revocations.revoke({ jti: 'somebody' })
    expect(await api.get(token)).toEqual([200, undefined])
    expect(api.as.count('introspection')).toBe(2)
    api.as.revoke(token)
    await api.server.revocations.revoke({ jti: 'another' })
    expect(await api.get(token)).toEqual([401, 'inactive'])
  })

  it('tells of every effect, on the channel and to the listener, and lists what is revoked', async () => {
    api = await startRevocationApi()
    const heard: unknown[] = []
    const listen = (event: unknown) => void heard.push(event)
    subscribe(REVOCATION_CHANNEL, listen)
    await api.server.revocations.revoke({ subject: 'alice', issuedBefore: 1_700_000_000, reason: 'left' })
    unsubscribe(REVOCATION_CHANNEL, listen)
    const record = {
      issuer: api.as.issuer,
      target: { kind: 'subject', subject: 'alice' },
      verdict: 'revoked',
      issuedBefore: 1_700_000_000,
      reason: 'left',
      source: 'api',
    }
    expect(heard).toEqual([{ kind: 'revocation', outcome: 'listed', record }])
    expect(api.effects).toEqual(heard)
    expect([...api.server.revocations.list()]).toEqual([{ ...record, heardAt: expect.any(Number) }])
    expect(api.server.health().revocation.indexes).toEqual([
      { issuer: api.as.issuer, entries: 1, maxEntries: 250_000, overflows: 0 },
    ])
  })

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['a subject that is undefined', { subject: undefined }],
    ['an empty jti', { jti: '' }],
    ['a jti and a subject', { jti: 'a', subject: 'b' }],
    ['a foreign issuer', { issuer: 'https://elsewhere.example.com', jti: 'a' }],
    ['milliseconds', { jti: 'a', issuedBefore: Date.now() }],
    ['an unknown verdict', { jti: 'a', verdict: 'maybe' }],
  ])('refuses to guess: %s is misuse', async (_what, revocation) => {
    api = await startRevocationApi()
    await expect(api.server.revocations.revoke(revocation as Revocation)).rejects.toThrow(ConfigurationError)
    expect(api.server.revocations.stats()[0]?.entries).toBe(0)
  })

  it('wants the issuer named where several are trusted, and keeps them apart', async () => {
    api = await startRevocationApi()
    const server = resourceServer({
      resource: RESOURCE,
      issuers: [{ issuer: api.as.issuer, aliases: ['https://old.example.com'] }, 'https://b.example.com'],
    })
    await expect(server.revocations.revoke({ jti: 'a' })).rejects.toThrow(/issuer must be one of/)
    await server.revocations.revoke({ issuer: 'https://old.example.com', jti: 'a' })
    expect(server.revocations.stats().map(({ entries }) => entries)).toEqual([1, 0])
    await server.close()
  })
})

describe('a suspect token', () => {
  const suspect = { subject: 'alice', verdict: 'suspect' } as const

  it('is introspected once, and the answer kept', async () => {
    api = await startRevocationApi({ options: { introspection: INTROSPECTION } })
    const token = api.as.mintJwt()
    api.as.answerIntrospection(() => ({ body: { active: true } }))
    await api.server.revocations.revoke(suspect)
    const both = await Promise.all([api.get(token), api.get(token)])
    expect(both).toEqual([
      [200, undefined],
      [200, undefined],
    ])
    expect(await api.get(token)).toEqual([200, undefined])
    expect(api.as.count('introspection')).toBe(1)
    expect(api.effects.at(-1)).toEqual({ kind: 'suspect', outcome: 'cleared', issuer: api.as.issuer })
  })

  it('is refused for good if the authorization server calls it inactive', async () => {
    api = await startRevocationApi({ options: { introspection: INTROSPECTION } })
    const token = api.as.mintJwt()
    await api.server.revocations.revoke(suspect)
    expect(await api.get(token)).toEqual([401, 'revoked'])
    await api.as.goDown()
    expect(await api.get(token)).toEqual([401, 'revoked'])
    expect(api.as.count('introspection')).toBe(1)
  })

  it('is asked about anew after another event', async () => {
    api = await startRevocationApi({ options: { introspection: INTROSPECTION } })
    const token = api.as.mintJwt()
    api.as.answerIntrospection(() => ({ body: { active: true } }))
    const clock = jest.spyOn(Date, 'now')
    const now = Date.now()
    clock.mockReturnValue(now)
    await api.server.revocations.revoke(suspect)
    clock.mockReturnValue(now + 10)
    expect(await api.get(token)).toEqual([200, undefined])
    clock.mockReturnValue(now + 20)
    await api.server.revocations.revoke(suspect)
    api.as.answerIntrospection(null)
    clock.mockReturnValue(now + 30)
    expect(await api.get(token)).toEqual([401, 'revoked'])
  })

  it('does not go by an answer that was under way when the event came', async () => {
    api = await startRevocationApi({ options: { introspection: INTROSPECTION } })
    const token = api.as.issueOpaque({ response: { jti: 'j' } })
    let release = (): void => undefined
    const until = new Promise<void>((resolve) => (release = resolve))
    api.as.fail('introspection', { kind: 'delay', until }, { times: 1 })
    const asked = api.as.nextRequest('introspection')
    const early = api.get(token)
    await asked
    api.as.revoke(token)
    await api.server.revocations.revoke(suspect)
    release()
    expect(await early).toEqual([401, 'inactive'])
    expect(await api.get(token)).toEqual([401, 'inactive'])
  })

  it('is answered 503 while the authorization server cannot be asked', async () => {
    api = await startRevocationApi({ options: { introspection: INTROSPECTION } })
    const token = api.as.mintJwt()
    await api.get(token)
    await api.server.revocations.revoke(suspect)
    await api.as.goDown()
    expect(await api.get(token)).toEqual([503, 'introspection_unavailable'])
    await api.as.comeBack()
    expect(await api.get(token)).toEqual([401, 'revoked'])
  })

  it.each([
    [undefined, [503, 'revocation_not_checked']],
    ['refuse' as const, [401, 'revoked']],
    ['accept' as const, [200, undefined]],
  ])('without introspection is worth what whenUncheckable says: %s', async (whenUncheckable, expected) => {
    api = await startRevocationApi({
      options: { revocation: whenUncheckable === undefined ? {} : { whenUncheckable } },
    })
    await api.server.revocations.revoke(suspect)
    expect(await api.get(api.as.mintJwt())).toEqual(expected)
  })

  it('stands for everything that a full index could not take', async () => {
    api = await startRevocationApi({ options: { revocation: { maxEntries: 1 } } })
    const token = api.as.mintJwt({ claims: { jti: 'two' } })
    await api.server.revocations.revoke({ jti: 'one' })
    await api.server.revocations.revoke({ jti: 'two' })
    expect(await api.get(token)).toEqual([503, 'revocation_not_checked'])
    expect(api.server.revocations.stats()[0]?.overflows).toBe(1)
  })
})

describe('requireFresh', () => {
  it('asks the authorization server now, about JWTs too; simultaneous requests ask once', async () => {
    api = await startRevocationApi({ options: { introspection: INTROSPECTION } })
    const token = api.as.mintJwt()
    await api.get(token)
    api.as.answerIntrospection(() => ({ body: { active: true } }))
    await Promise.all([api.get(token, '/fresh'), api.get(token, '/fresh'), api.get(token, '/fresh')])
    const together = api.as.count('introspection')
    expect(together).toBeGreaterThanOrEqual(1)
    expect(await api.get(token, '/fresh')).toEqual([200, undefined])
    expect(api.as.count('introspection')).toBe(together + 1)
    expect(await api.get(token)).toEqual([200, undefined])
    expect(api.as.count('introspection')).toBe(together + 1)
    api.as.answerIntrospection(null)
    expect(await api.get(token, '/fresh')).toEqual([401, 'revoked'])
    expect(await api.get(token, '/fresh')).toEqual([401, 'revoked'])
  })

  it('asks about an opaque token whose answer is remembered, and not twice about one that is new', async () => {
    api = await startRevocationApi({ options: { introspection: INTROSPECTION } })
    const token = api.as.issueOpaque()
    expect(await api.get(token, '/fresh')).toEqual([200, undefined])
    expect(api.as.count('introspection')).toBe(1)
    api.as.revoke(token)
    expect(await api.get(token)).toEqual([200, undefined])
    expect(await api.get(token, '/fresh')).toEqual([401, 'inactive'])
    expect(api.as.count('introspection')).toBe(2)
  })

  it('is content with a feed that proved itself lately, and asks when it has not', async () => {
    let heartbeat = (): void => undefined
    api = await startRevocationApi({
      options: {
        introspection: INTROSPECTION,
        revocation: { feeds: [(_emit, controls) => void (heartbeat = controls.heartbeat)] },
      },
    })
    const token = api.as.mintJwt()
    api.as.answerIntrospection(() => ({ body: { active: true } }))
    heartbeat()
    expect(await api.get(token, '/minute')).toEqual([200, undefined])
    expect(api.as.count('introspection')).toBe(0)
    const now = Date.now()
    jest.spyOn(Date, 'now').mockImplementation(() => now + 61_000)
    expect(await api.get(token, '/minute')).toEqual([200, undefined])
    expect(await api.get(token, '/minute')).toEqual([200, undefined])
    expect(api.as.count('introspection')).toBe(1)
  })

  it('answers 503 where nothing proves freshness and nobody can be asked', async () => {
    api = await startRevocationApi()
    expect(await api.get(api.as.mintJwt(), '/minute')).toEqual([503, 'revocation_not_checked'])
  })

  it.each([[undefined], [{}], [{ maxLagSeconds: -1 }], [{ maxLagSeconds: '5' }]])(
    'is misuse with %j',
    async (options) => {
      api = await startRevocationApi()
      const { requireFresh } = await import('../../lib/index.js')
      expect(() => requireFresh(options as { maxLagSeconds: number })).toThrow(/maxLagSeconds must be/)
    },
  )
})

describe('maxLagSeconds', () => {
  const silent = [() => undefined]

  it.each([
    [undefined, [401, 'revoked']],
    ['refuse' as const, [503, 'revocation_stale']],
    ['accept' as const, [200, undefined]],
  ])('is kept as whenStale says: %s', async (whenStale, expected) => {
    const revocation = { maxLagSeconds: 10, feeds: silent, ...(whenStale && { whenStale }) }
    api = await startRevocationApi({ options: { introspection: INTROSPECTION, revocation } })
    expect(await api.get(api.as.mintJwt())).toEqual(expected)
  })

  it('makes simultaneous requests with one token ask once', async () => {
    const revocation = { maxLagSeconds: 10, feeds: silent }
    api = await startRevocationApi({ options: { introspection: INTROSPECTION, revocation } })
    let release = (): void => undefined
    const until = new Promise<void>((resolve) => (release = resolve))
    api.as.fail('introspection', { kind: 'delay', until }, { times: 1 })
    api.as.answerIntrospection(() => ({ body: { active: true } }))
    const token = api.as.mintJwt()
    const asked = api.as.nextRequest('introspection')
    const early = api.get(token)
    await asked
    const later = [api.get(token), api.get(token), api.get(token)]
    release()
    expect(await Promise.all([early, ...later])).toEqual(Array(4).fill([200, undefined]))
    expect(api.as.count('introspection')).toBe(1)
  })

  it('lets the request through while the feed proves itself, and says on it how fresh the knowledge was', async () => {
    let heartbeat = (): void => undefined
    const feeds = [
      (_emit: unknown, controls: { heartbeat: () => void }) => void (heartbeat = controls.heartbeat),
    ]
    api = await startRevocationApi({ options: { revocation: { maxLagSeconds: 10, feeds } } })
    const now = Date.now()
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now)
    heartbeat()
    clock.mockReturnValue(now + 4000)
    const token = api.as.mintJwt()
    const response = await fetch(api.origin, { headers: { authorization: `Bearer ${token}` } })
    expect(await response.json()).toMatchObject({
      revocation: { lagSeconds: 4, checkedAt: Math.floor((now + 4000) / 1000) },
    })
    clock.mockReturnValue(now + 11_000)
    expect(await api.get(token)).toEqual([503, 'revocation_stale'])
    expect(api.server.health().revocation.feeds).toEqual([
      expect.objectContaining({ state: 'working', lastHeartbeatAt: Math.floor(now / 1000) }),
    ])
  })
})

describe('a shared log', () => {
  it('is followed: what other nodes append counts here, and what is revoked here is appended', async () => {
    const appended: RevocationRecord[] = []
    let other: LogFollower | undefined
    const log: RevocationLog = {
      append: (record) => Promise.resolve(void appended.push(record)),
      follow: (follower) => Promise.resolve(void (other = follower)),
    }
    api = await startRevocationApi({ options: { revocation: { log } } })
    const token = api.as.mintJwt({ claims: { jti: 'j1' } })
    expect(await api.get(token)).toEqual([503, 'revocation_stale'])
    other?.onHeartbeat()
    expect(await api.get(token)).toEqual([200, undefined])
    await api.server.revocations.revoke({ jti: 'j2' })
    expect(appended).toMatchObject([{ target: { kind: 'token', jti: 'j2' }, source: 'api' }])
    const record = JSON.parse(JSON.stringify(appended[0]).replaceAll('j2', 'j1')) as RevocationRecord
    other?.onRecord(record)
    expect(await api.get(token)).toEqual([401, 'revoked'])
    other?.onFailure(new Error('cut'))
    expect(api.server.health().revocation.feeds).toMatchObject([
      { name: 'log', state: 'failing', lastError: 'cut' },
    ])
  })

  it('that is down makes revoke() reject, although it counts here', async () => {
    const log: RevocationLog = {
      append: () => Promise.reject(new Error('down')),
      follow: () => Promise.resolve(),
    }
    api = await startRevocationApi({
      options: { revocation: { log, maxLagSeconds: 60, whenStale: 'accept' } },
    })
    await expect(api.server.revocations.revoke({ subject: 'alice' })).rejects.toMatchObject({
      reason: 'revocation_log_unavailable',
    })
    expect(await api.get(api.as.mintJwt())).toEqual([401, 'revoked'])
  })
})

describe('a feed of the user’s own', () => {
  it('revokes what it emits, and stops when the server closes', async () => {
    let stopped = false
    api = await startRevocationApi({
      options: {
        revocation: {
          feeds: [
            async (emit, { signal }) => {
              signal.addEventListener('abort', () => (stopped = true))
              await emit({ jti: 'j1' })
            },
          ],
        },
      },
    })
    expect(await api.get(api.as.mintJwt({ claims: { jti: 'j1' } }))).toEqual([401, 'revoked'])
    await api.server.close()
    expect(stopped).toBe(true)
  })

  it('is started again after it failed, and the failure is shown', async () => {
    let runs = 0
    let restarted = (): void => undefined
    const again = new Promise<void>((resolve) => (restarted = resolve))
    api = await startRevocationApi({
      options: {
        revocation: {
          feeds: [
            function orders() {
              runs += 1
              if (runs === 1) throw new Error('no connection')
              restarted()
            },
          ],
        },
      },
    })
    expect(api.server.health().revocation.feeds).toEqual([
      expect.objectContaining({ name: 'orders', state: 'failing', lastError: 'no connection' }),
    ])
    await again
    expect(runs).toBe(2)
  })
})
