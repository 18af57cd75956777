/** Redis goes away, comes back, stands still, or loses what it had. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals'
import { createClient } from 'redis'
import { redisStore, type RedisStore, type RedisStoreOptions } from '../../lib/redis.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/index.js'
import {
  describeWithRedis,
  startRedis,
  startWire,
  type RedisServer,
  type Wire,
} from '../support/redis-server.js'
import { INTROSPECTION, startSharedApi, type SharedApi } from '../support/shared-apis.js'
import type { ResourceServerOptions } from '../../lib/index.js'

// programs are started, and the machine may be busy
jest.setTimeout(30_000)

let as: TestIssuer
let redis: RedisServer
const closing: (() => unknown)[] = []

beforeAll(async () => {
  as = await createTestIssuer()
})
afterAll(() => as.close())
beforeEach(async () => {
  redis = await startRedis({ persistent: true })
})
afterEach(async () => {
  redis.thaw()
  as.heal()
  for (const close of closing.splice(0).reverse()) await close()
  await redis.close()
})

async function openStore(url = redis.url, options: RedisStoreOptions = {}): Promise<RedisStore> {
  const client = createClient({ url, socket: { reconnectStrategy: 50 } })
  await client.on('error', () => undefined).connect()
  closing.push(() => client.destroy())
  return redisStore(client, { timeoutMs: 300, ...options })
}

async function startNode(
  store: RedisStore,
  options: Partial<ResourceServerOptions> = {},
  { ready = true } = {},
): Promise<SharedApi> {
  const api = await startSharedApi({ issuer: as.issuer, store, ...options }, { ready })
  closing.push(() => api.close())
  return api
}

const STREAM = 'ers:{revocations}'
const isFailure = (effect: { kind: string; outcome: string }) =>
  effect.kind === 'feed' && effect.outcome === 'failed'
const isRecovery = (effect: { kind: string; outcome: string }) =>
  effect.kind === 'feed' && effect.outcome === 'recovered'
const tokenWith = (jti: string) => as.mintJwt({ claims: { jti } })
const stale = { maxLagSeconds: 1, whenStale: 'refuse' } as const

describeWithRedis('revocations by Redis', () => {
  it('reach every node', async () => {
    const [here, there] = [await startNode(await openStore()), await startNode(await openStore())]
    const token = tokenWith('one')
    expect(await there.get(token)).toEqual([200, undefined])
    await here.server.revocations.revoke({ jti: 'one' })
    await there.answers(token, 401)
    expect(await there.get(token)).toEqual([401, 'revoked'])
  })

  it('reach a node that starts later, before its first request', async () => {
    const here = await startNode(await openStore())
    await here.server.revocations.revoke({ jti: 'earlier' })
    const there = await startNode(await openStore())
    expect(await there.get(tokenWith('earlier'))).toEqual([401, 'revoked'])
  })

  it('are kept over a restart of Redis, and go on after it', async () => {
    const [here, there] = [await startNode(await openStore()), await startNode(await openStore())]
    await here.server.revocations.revoke({ jti: 'before' })
    await redis.kill()
    await there.effect(isFailure)
    await redis.start()
    await Promise.all([here.effect(isRecovery), there.effect(isRecovery)])
    await here.server.revocations.revoke({ jti: 'after' })
    await there.answers(tokenWith('after'), 401)
    expect(await there.get(tokenWith('before'))).toEqual([401, 'revoked'])
    const late = await startNode(await openStore())
    expect(await late.get(tokenWith('before'))).toEqual([401, 'revoked'])
  })

  it('that came while a node was cut off are heard when it is back', async () => {
    const wire = await startWire(redis.port)
    closing.push(() => wire.close())
    const here = await startNode(await openStore())
    const there = await startNode(await openStore(wire.url), { revocation: stale })
    wire.cut()
    await there.effect(isFailure)
    await here.server.revocations.revoke({ jti: 'meanwhile' })
    // it does not know, and says so: nothing is accepted on knowledge older than it may be
    await there.answers(tokenWith('other'), 503)
    expect(await there.get(tokenWith('meanwhile'))).toEqual([503, 'revocation_stale'])
    wire.mend()
    await there.effect(isRecovery)
    expect(await there.get(tokenWith('meanwhile'))).toEqual([401, 'revoked'])
    expect(await there.get(tokenWith('other'))).toEqual([200, undefined])
  })

  it('that could not be told are told later, and whoever revoked knows of it', async () => {
    const wire: Wire = await startWire(redis.port)
    closing.push(() => wire.close())
    const here = await startNode(await openStore(wire.url))
    const there = await startNode(await openStore())
    wire.cut()
    const outage = { name: 'UnavailableError', reason: 'revocation_log_unavailable' }
    await expect(here.server.revocations.revoke({ jti: 'owed' })).rejects.toMatchObject(outage)
    expect(await here.get(tokenWith('owed'))).toEqual([401, 'revoked'])
    expect(await there.get(tokenWith('owed'))).toEqual([200, undefined])
    wire.mend()
    await there.answers(tokenWith('owed'), 401)
  })

  it('are not forgotten when Redis loses everything, and a node that starts then hears of them', async () => {
    const [here, there] = [await startNode(await openStore()), await startNode(await openStore())]
    await here.server.revocations.revoke({ jti: 'kept' })
    await there.answers(tokenWith('kept'), 401)
    redis.cli('FLUSHALL')
    await Promise.all([here.effect(isFailure), there.effect(isFailure)])
    await Promise.all([here.effect(isRecovery), there.effect(isRecovery)])
    expect(await there.get(tokenWith('kept'))).toEqual([401, 'revoked'])
    const late = await startNode(await openStore())
    expect(await late.get(tokenWith('kept'))).toEqual([401, 'revoked'])
  })

  it('are not forgotten when Redis loses everything and new ones come before that is noticed', async () => {
    const wire = await startWire(redis.port)
    closing.push(() => wire.close())
    const here = await startNode(await openStore(wire.url))
    await here.server.revocations.revoke({ jti: 'old' })
    wire.cut()
    await here.effect(isFailure)
    redis.cli('FLUSHALL')
    const there = await startNode(await openStore())
    await there.server.revocations.revoke({ jti: 'new' })
    wire.mend()
    await here.answers(tokenWith('new'), 401)
    await there.answers(tokenWith('old'), 401)
  })

  it('are not forgotten when that happens between two reads of one connection', async () => {
    const here = await startNode(await openStore())
    await here.server.revocations.revoke({ jti: 'old' })
    const record = { issuer: as.issuer, target: { kind: 'token', jti: 'new' }, verdict: 'revoked' }
    const text = JSON.stringify({ ...record, issuedBefore: 1, source: 'x' })
    redis.cli(
      'EVAL',
      `redis.call('FLUSHALL') redis.call('XADD', KEYS[1], '*', 'r', ARGV[1])`,
      '1',
      STREAM,
      text,
    )
    await here.effect(isFailure)
    await here.effect(isRecovery)
    const late = await startNode(await openStore())
    expect(await late.get(tokenWith('old'))).toEqual([401, 'revoked'])
    expect(await late.get(tokenWith('new'))).toEqual([401, 'revoked'])
  })

  it('of which one cannot be read make older tokens suspect: nothing is skipped', async () => {
    const here = await startNode(await openStore(), { introspection: INTROSPECTION })
    const token = as.issueOpaque({ response: { sub: 'alice', client_id: 'app', jti: 'j', sid: 's' } })
    expect(await here.get(token)).toEqual([200, undefined])
    as.revoke(token)
    expect(await here.get(token)).toEqual([200, undefined])
    redis.cli('XADD', STREAM, '*', 'r', '{"target":{"kind":"of tomorrow"}}')
    await here.answers(token, 401)
  })

  it('count for nothing where they were not sealed with the secret', async () => {
    const secret = 'a secret of at least thirty-two bytes'
    const here = await startNode(await openStore(redis.url, { secret }))
    const forged = { issuer: as.issuer, target: { kind: 'token', jti: 'forged' }, verdict: 'revoked' }
    redis.cli('XADD', STREAM, '*', 'r', JSON.stringify({ ...forged, issuedBefore: 1, source: 'x' }))
    await here.server.revocations.revoke({ jti: 'true' })
    const there = await startNode(
      await openStore(redis.url, { secret: ['another secret of thirty-two bytes!', secret] }),
    )
    expect(await there.get(tokenWith('true'))).toEqual([401, 'revoked'])
    expect(await there.get(tokenWith('forged'))).toEqual([200, undefined])
    expect(redis.cli('XRANGE', `${STREAM}:sealed`, '-', '+')).not.toContain('true')
  })

  it('do not count as fresh on a server that takes no writes', async () => {
    const here = await startNode(await openStore(), { revocation: stale })
    expect(await here.get(tokenWith('any'))).toEqual([200, undefined])
    redis.cli('REPLICAOF', '127.0.0.1', '1')
    await here.answers(tokenWith('any'), 503)
    expect(here.server.health().revocation.feeds[0]).toMatchObject({ name: 'log', state: 'failing' })
    redis.cli('REPLICAOF', 'NO', 'ONE')
    await here.answers(tokenWith('any'), 200)
  })
})

describeWithRedis('while Redis is down', () => {
  it('a node starts, says that it is not ready, and goes by whenStale', async () => {
    const store = await openStore()
    await redis.kill()
    const node = await startNode(store, { revocation: stale }, { ready: false })
    await expect(node.server.ready()).rejects.toMatchObject({ reason: 'revocation_log_unavailable' })
    expect(await node.get(tokenWith('any'))).toEqual([503, 'revocation_stale'])
    await redis.start()
    await node.answers(tokenWith('any'), 200)
  })

  it('opaque tokens are introspected by each node itself', async () => {
    const node = await startNode(await openStore(), { introspection: INTROSPECTION })
    redis.freeze()
    expect(await node.get(as.issueOpaque())).toEqual([200, undefined])
    redis.thaw()
  })

  it('health says so, and that it is over', async () => {
    const store = await openStore()
    const node = await startNode(store, { introspection: { ...INTROSPECTION, negativeCacheTtlSeconds: 0 } })
    expect(node.server.health().store).toEqual({ state: 'working', failures: 0, lastError: undefined })
    redis.freeze()
    for (let round = 0; round < 5; round += 1) await node.get(as.issueOpaque())
    expect(node.server.health().store).toMatchObject({ state: 'suspended', lastError: expect.any(String) })
    redis.thaw()
    while (node.server.health().store?.state !== 'working') await node.get(as.issueOpaque())
  })
})
