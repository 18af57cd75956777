import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import supertest from 'supertest'
import { createHttpClient } from '../../../lib/core/io/http.js'
import { createSignatureVerification } from '../../../lib/core/issuer/signature.js'
import { resolveOptions } from '../../../lib/core/options/options.js'
import { createTokenIssuer } from '../../../lib/core/token/token-issuer.js'
import { createTestIssuer, type TestIssuer } from '../../../lib/testing/test-issuer.js'
import {
  createClock,
  createOpaqueApi,
  RESOURCE,
  type Clock,
  type OpaqueApi,
} from '../../support/opaque-api.js'

const closing: (() => Promise<unknown>)[] = []
let as: TestIssuer
let clock: Clock

function api(...[of, ...more]: Parameters<typeof createOpaqueApi>): OpaqueApi {
  const created = createOpaqueApi(of, ...more)
  closing.push(() => created.guard.close())
  return created
}

/** The same app on a port of its own, for requests that come together. */
async function listen({ app }: OpaqueApi): Promise<(token: string) => Promise<supertest.Response>> {
  const server: Server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => new Promise((resolve) => server.close(resolve)))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return async (token) => supertest(url).get('/').set('Authorization', `Bearer ${token}`)
}

const statusesOf = (responses: readonly { status: number }[]) => {
  const counts: Record<number, number> = {}
  for (const { status } of responses) counts[status] = (counts[status] ?? 0) + 1
  return counts
}
const health = ({ guard }: OpaqueApi) => guard.health().issuers[0]?.introspection

beforeEach(async () => {
  clock = createClock()
  as = await createTestIssuer()
  closing.push(as.close)
})
afterEach(async () => {
  clock.restore()
  as.heal()
  await Promise.all(closing.splice(0).map((close) => close()))
})

describe('many who ask together', () => {
  it('are answered by one call', async () => {
    const get = await listen(api(as))
    const token = as.issueOpaque()
    const responses = await Promise.all(Array.from({ length: 200 }, () => get(token)))
    expect(statusesOf(responses)).toEqual({ 200: 200 })
    expect(as.count('introspection')).toBe(1)
  })

  it('are told together that there is no answer, and the next one asks anew', async () => {
    const opaque = api(as, { timeoutMs: 150 })
    await opaque.guard.ready()
    const get = await listen(opaque)
    as.fail('introspection', { kind: 'hang' })
    const token = as.issueOpaque()
    const responses = await Promise.all(Array.from({ length: 20 }, () => get(token)))
    expect(statusesOf(responses)).toEqual({ 503: 20 })
    as.heal()
    expect((await get(token)).status).toBe(200)
  })

  it('with a token each are as many calls, up to the limit, beyond which they are answered at once', async () => {
    const opaque = api(as, { maxConcurrent: 3 })
    await opaque.guard.ready()
    const get = await listen(opaque)
    const good = as.issueOpaque()
    await get(good)
    as.fail('introspection', { kind: 'hang' })
    const waiting = ['a', 'b', 'c'].map((name) => get(as.issueOpaque({ token: name })))
    while (as.count('introspection') < 4) await as.nextRequest('introspection')
    expect(health(opaque)).toMatchObject({ inFlight: 3 })
    const refused = await get('d')
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1'])
    expect(opaque.events.at(-1)).toMatchObject({ reason: 'introspection_overloaded' })
    // what is known is not disturbed
    expect((await get(good)).status).toBe(200)
    as.heal()
    expect(statusesOf(await Promise.all(waiting))).toEqual({ 200: 3 })
    expect(health(opaque)).toMatchObject({ inFlight: 0 })
  })
})

describe('a flood of random tokens', () => {
  it('costs one call each, and pushes out no good one', async () => {
    const opaque = api(as, { cacheMaxEntries: 5 })
    const get = await listen(opaque)
    const good = Array.from({ length: 5 }, () => as.issueOpaque())
    for (const token of good) await get(token)
    const bad = Array.from({ length: 50 }, (_, index) => `random-${index}`)
    expect(statusesOf(await Promise.all(bad.map(get)))).toEqual({ 401: 50 })
    expect(as.count('introspection')).toBe(55)
    expect(health(opaque)).toMatchObject({ cachedPositive: 5, cachedNegative: 5 })
    expect(statusesOf(await Promise.all(good.map(get)))).toEqual({ 200: 5 })
    expect(as.count('introspection')).toBe(55)
  })
})

describe('the memory', () => {
  it('can be switched off for either answer', async () => {
    const { get } = api(as, { cacheTtlSeconds: 0, negativeCacheTtlSeconds: 0 })
    const token = as.issueOpaque()
    for (const one of [token, token, 'bad', 'bad']) await get(one)
    expect(as.count('introspection')).toBe(4)
  })

  it('does not hold from before it was made: a clock set back makes `nbf` count again', async () => {
    const { get } = api(as)
    const token = as.issueOpaque({ response: { nbf: Math.floor(Date.now() / 1000) } })
    await get(token).expect(200)
    clock.advance(-3600)
    await get(token).expect(401)
    expect(as.count('introspection')).toBe(2)
  })

  it('hands out the same frozen facts, and a token of its own for each request', async () => {
    const { get, seen } = api(as)
    const token = as.issueOpaque()
    await get(token)
    const first = seen()
    await get(token)
    expect(seen()).not.toBe(first)
    expect(seen().claims).toBe(first.claims)
    expect(seen().token).toBe(token)
    expect([first.source, seen().source]).toEqual(['introspection', 'cache'])
  })

  it('is kept under the digest of the token, never under the token (R7662-12)', async () => {
    const http = createHttpClient()
    closing.push(() => http.close())
    const resolved = resolveOptions({
      resource: RESOURCE,
      issuer: as.issuer,
      introspection: { clientId: 'rs', clientSecret: 'rs-secret' },
    })
    const [settings] = resolved.issuers
    const issuer = createTokenIssuer(settings as NonNullable<typeof settings>, {
      send: http.send,
      sendPublic: http.send,
      verifySignature: createSignatureVerification(),
      refineClaims: undefined,
    })
    closing.push(() => issuer.close())
    const { introspection } = issuer
    const token = as.issueOpaque()
    await introspection?.ask(token, 'digest')
    expect([introspection?.recall('digest'), introspection?.recall(token)]).toEqual([
      expect.objectContaining({ source: 'cache' }),
      undefined,
    ])
    expect(JSON.stringify(introspection?.recall('digest'))).not.toContain(token)
  })

  it('shows no token', async () => {
    const { get, guard, events } = api(as)
    const token = as.issueOpaque()
    await get(token)
    as.fail('introspection', { kind: 'reset' })
    await get(`other-${token}`)
    expect(JSON.stringify([guard.health(), events])).not.toContain(token)
  })
})

describe('the circuit', () => {
  const breaker = { failures: 3, trialSeconds: 10 }
  let opaque: OpaqueApi

  async function open(): Promise<void> {
    as.fail('introspection', { kind: 'status', status: 500 })
    for (const token of ['a', 'b', 'c']) await opaque.get(token).expect(503)
    expect(health(opaque)).toMatchObject({ circuit: 'open', failures: 3, retryAfterSeconds: 10 })
  }

  beforeEach(() => {
    opaque = api(as, { breaker })
  })

  it('spares the server and those who would wait, and says until when', async () => {
    const known = as.issueOpaque()
    await opaque.get(known).expect(200)
    await open()
    clock.advance(4)
    await opaque.get('d').expect(503).expect('Retry-After', '6')
    expect(opaque.events.at(-1)).toMatchObject({ reason: 'introspection_suspended' })
    expect(as.count('introspection')).toBe(4)
    await opaque.get(known).expect(200)
  })

  it('closes after one good trial, without a rush', async () => {
    await open()
    const get = await listen(opaque)
    as.heal()
    const tokens = Array.from({ length: 10 }, () => as.issueOpaque())
    as.resetRequests()
    as.fail('introspection', { kind: 'hang' })
    clock.advance(10)
    const trial = get(tokens[0] ?? '')
    await as.nextRequest('introspection')
    expect(statusesOf(await Promise.all(tokens.slice(1).map(get)))).toEqual({ 503: 9 })
    expect(as.count('introspection')).toBe(1)
    as.heal()
    expect((await trial).status).toBe(200)
    expect(statusesOf(await Promise.all(tokens.map(get)))).toEqual({ 200: 10 })
  })

  it('opens at once for as long as the server asks for', async () => {
    as.fail('introspection', { kind: 'status', status: 503, headers: { 'retry-after': '40' } })
    await opaque.get('a').expect(503).expect('Retry-After', '40')
    as.heal()
    clock.advance(39)
    await opaque.get('a').expect(503).expect('Retry-After', '1')
    expect(as.count('introspection')).toBe(1)
    clock.advance(2)
    await opaque.get(as.issueOpaque()).expect(200)
  })

  it('reads a `Retry-After` that is a date, and tells nobody to stay away for a day', async () => {
    const date = new Date(Date.now() + 30_000).toUTCString()
    as.fail('introspection', { kind: 'status', status: 429, headers: { 'retry-after': date } }, { times: 1 })
    const response = await opaque.get('a').expect(503)
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(28)
    clock.advance(31)
    as.fail('introspection', { kind: 'status', status: 429, headers: { 'retry-after': '86400' } })
    await opaque.get('a').expect(503).expect('Retry-After', '3600')
  })

  it('is not opened by tokens that the server cannot stomach', async () => {
    as.answerIntrospection(() => ({ status: 400, body: { error: 'invalid_request' } }))
    for (const token of ['a', 'b', 'c', 'd']) await opaque.get(token).expect(503)
    expect(health(opaque)).toMatchObject({ circuit: 'closed', failures: 0 })
  })

  it('is one for each issuer', async () => {
    const other = await createTestIssuer()
    closing.push(other.close)
    opaque = api(as, { breaker }, { issuers: [as.issuer, other.issuer] })
    as.fail('introspection', { kind: 'status', status: 500 })
    for (const token of ['a', 'b', 'c']) await opaque.get(token).expect(503)
    await opaque.get(other.issueOpaque()).expect(200)
    expect(opaque.guard.health().issuers.map(({ introspection }) => introspection?.circuit)).toEqual([
      'open',
      'closed',
    ])
  })
})

describe('staleIfErrorSeconds', () => {
  const options = { cacheTtlSeconds: 30, staleIfErrorSeconds: 60 }

  async function goodAtFirst(introspection: Parameters<typeof createOpaqueApi>[1] = options) {
    const opaque = api(as, introspection)
    const token = as.issueOpaque({ expiresInSeconds: 3600 })
    await opaque.get(token).expect(200)
    return { ...opaque, opaque, token }
  }

  it('is none unless it is asked for', async () => {
    const { get, token } = await goodAtFirst({ cacheTtlSeconds: 30 })
    await as.goDown()
    clock.advance(31)
    await get(token).expect(503)
  })

  it('lets a token go on for so long while the server is down, and shows it', async () => {
    const { get, token } = await goodAtFirst()
    await as.goDown()
    clock.advance(31)
    expect((await get(token).expect(200)).body).toMatchObject({ source: 'stale' })
    clock.advance(58)
    expect((await get(token).expect(200)).body).toMatchObject({ source: 'stale' })
    clock.advance(2)
    await get(token).expect(503)
  })

  it('lets it go on while the circuit is open, without a call', async () => {
    const { get, token, opaque } = await goodAtFirst({
      ...options,
      breaker: { failures: 1, trialSeconds: 20 },
    })
    as.fail('introspection', { kind: 'reset' })
    clock.advance(31)
    await get(token).expect(200)
    expect(health(opaque)).toMatchObject({ circuit: 'open' })
    const calls = as.count('introspection')
    expect((await get(token).expect(200)).body).toMatchObject({ source: 'stale' })
    expect(as.count('introspection')).toBe(calls)
  })

  it('asks the server first, and believes a no for good', async () => {
    const { get, token } = await goodAtFirst()
    as.revoke(token)
    clock.advance(31)
    await get(token).expect(401)
    await as.goDown()
    clock.advance(6)
    await get(token).expect(503)
  })

  it('never lets a token outlive its `exp`', async () => {
    const opaque = api(as, options)
    const token = as.issueOpaque({ expiresInSeconds: 40 })
    await opaque.get(token).expect(200)
    await as.goDown()
    clock.advance(35)
    await opaque.get(token).expect(200)
    clock.advance(6)
    await opaque.get(token).expect(503)
  })

  it.each([
    ['our own credentials are refused', { kind: 'status', status: 401 }],
    ['the answer makes no sense', { kind: 'body', body: 'no JSON' }],
  ] as const)('is not for when %s: the server is there', async (_what, fault) => {
    const { get, token } = await goodAtFirst()
    as.fail('introspection', fault)
    clock.advance(31)
    await get(token).expect(503)
  })

  it('is not for when the circuit is open for such a reason', async () => {
    const { get, token } = await goodAtFirst({ ...options, breaker: { failures: 1, trialSeconds: 20 } })
    as.fail('introspection', { kind: 'status', status: 403 })
    clock.advance(31)
    await get(token).expect(503)
    await get(token).expect(503)
  })
})

describe('a connection that is lost', () => {
  it('is made anew once, where it had worked before', async () => {
    const { get } = api(as)
    await get(as.issueOpaque()).expect(200)
    as.fail('introspection', { kind: 'reset' }, { times: 1 })
    await get(as.issueOpaque()).expect(200)
    expect(as.count('introspection')).toBe(3)
  })

  it('is made anew after the server was restarted', async () => {
    const { get } = api(as)
    await get(as.issueOpaque()).expect(200)
    await as.goDown()
    await as.comeBack()
    await get(as.issueOpaque()).expect(200)
  })
})

describe('a bearer token of our own', () => {
  it('that cannot be had is an outage, and no failing of the server', async () => {
    const breaker = { failures: 1, trialSeconds: 10 }
    let token: () => string | Promise<string> = () => Promise.reject(new Error('the vault is closed'))
    const own = await createTestIssuer({ clients: { rs: { bearerToken: 'own' } } })
    closing.push(own.close)
    const opaque = api(own, { bearerToken: () => token(), breaker, timeoutMs: 100 })
    const good = own.issueOpaque()
    await opaque.get(good).expect(503)
    expect(opaque.events.at(-1)).toMatchObject({ reason: 'introspection_credentials_unavailable' })
    token = () => new Promise(() => undefined)
    await opaque.get(good).expect(503)
    expect(opaque.events.at(-1)).toMatchObject({ found: 'bearerToken: no token in time' })
    expect([own.count('introspection'), health(opaque)?.circuit]).toEqual([0, 'closed'])
    token = () => 'own'
    await opaque.get(good).expect(200)
  })
})

describe('ready and health', () => {
  it('find the endpoint ahead of traffic', async () => {
    const { guard } = api(as, {}, { jwt: false })
    await guard.ready()
    expect([as.count('metadata'), as.count('introspection')]).toEqual([1, 0])
  })

  it('say what is the matter', async () => {
    const opaque = api(as)
    expect(health(opaque)).toEqual({
      circuit: 'closed',
      failures: 0,
      retryAfterSeconds: 0,
      inFlight: 0,
      cachedPositive: 0,
      cachedNegative: 0,
    })
    as.fail('introspection', { kind: 'status', status: 500 })
    await opaque.get('a').expect(503)
    expect(health(opaque)).toMatchObject({ failures: 1 })
  })
})
