/** Introspection answers, used proofs, received statements and last keys, shared by two nodes through Redis. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { createClient } from 'redis'
import type { ResourceServerOptions } from '../../lib/index.js'
import { redisStore, type RedisStore, type RedisStoreOptions } from '../../lib/redis.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/index.js'
import { untilTrue } from '../../lib/testing/store-contract.js'
import { createDpopClient, sha256 } from '../support/dpop.js'
import { describeWithRedis, startRedis, type RedisServer } from '../support/redis-server.js'
import { INTROSPECTION, RESOURCE, startSharedApi, type SharedApi } from '../support/shared-apis.js'

// programs are started, and the machine may be busy
jest.setTimeout(30_000)

const SECRET = 'a secret of at least thirty-two bytes'

let as: TestIssuer
let redis: RedisServer
const closing: (() => unknown)[] = []

beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis.close())
beforeEach(async () => {
  redis.cli('FLUSHALL')
  as = await createTestIssuer()
})
afterEach(async () => {
  jest.restoreAllMocks()
  for (const close of closing.splice(0).reverse()) await close()
  await as.close()
})

async function openStore(options: RedisStoreOptions = {}): Promise<RedisStore> {
  const client = createClient({ url: redis.url })
  await client.on('error', () => undefined).connect()
  closing.push(() => client.destroy())
  return redisStore(client, options)
}

async function startNode(
  options: Partial<ResourceServerOptions> = {},
  storeOptions: RedisStoreOptions = {},
): Promise<SharedApi> {
  const store = await openStore(storeOptions)
  const api = await startSharedApi(
    { issuer: as.issuer, introspection: INTROSPECTION, store, ...options },
    { ready: false },
  )
  closing.push(() => api.close())
  // ready() would also want the authorization server, which is down in some of these tests
  await untilTrue(() => api.server.health().revocation.feeds[0]?.state === 'working')
  return api
}

const asked = () => as.count('introspection')
const keysLike = (pattern: string) => redis.cli('KEYS', pattern).split('\n').filter(Boolean)
/** The time goes on for the nodes; for Redis it does not, so an entry is still there that no longer counts. */
function goOn(seconds: number): void {
  jest.restoreAllMocks()
  const { now } = Date
  jest.spyOn(Date, 'now').mockImplementation(() => now() + seconds * 1000)
}

describeWithRedis('introspection answers in Redis', () => {
  it('are asked for once, however many requests come to however many nodes', async () => {
    const nodes = await Promise.all([startNode(), startNode(), startNode()])
    const token = as.issueOpaque()
    const all = await Promise.all(nodes.flatMap((node) => Array.from({ length: 20 }, () => node.get(token))))
    expect(all.every(([status]) => status === 200)).toBe(true)
    expect(asked()).toBe(1)
  })

  it('are used by a node that did not ask, good or bad', async () => {
    const [here, there] = [await startNode(), await startNode()]
    const [good, bad] = [as.issueOpaque(), 'unknown-token']
    expect([await here.get(good), await here.get(bad)]).toEqual([
      [200, undefined],
      [401, 'inactive'],
    ])
    expect([await there.get(good), await there.get(bad)]).toEqual([
      [200, undefined],
      [401, 'inactive'],
    ])
    expect(asked()).toBe(2)
  })

  it('are judged anew by each node', async () => {
    const [here, there] = [await startNode(), await startNode({ audience: 'https://other.example.com' })]
    const token = as.issueOpaque()
    expect(await here.get(token)).toEqual([200, undefined])
    expect(await there.get(token)).toEqual([401, 'opaque_audience_mismatch'])
    expect(asked()).toBe(1)
  })

  it('do not outlive their time, nor the token', async () => {
    const revocation = { maxLagSeconds: 3600 }
    const [here, there] = [await startNode({ revocation }), await startNode({ revocation })]
    const [long, short] = [as.issueOpaque(), as.issueOpaque({ expiresInSeconds: 10 })]
    await here.get(long)
    await here.get(short)
    const times = keysLike('ers:answer:*').map((key) => Number(redis.cli('PTTL', key)))
    expect(Math.max(...times)).toBeLessThanOrEqual(30_000)
    expect(Math.min(...times)).toBeLessThanOrEqual(10_000)
    goOn(11)
    expect(await there.get(short)).toEqual([401, 'opaque_expired'])
    expect(await there.get(long)).toEqual([200, undefined])
    expect(asked()).toBe(3)
    goOn(31)
    expect(await here.get(long)).toEqual([200, undefined])
    expect(asked()).toBe(4)
  })

  it('do not help against a revocation', async () => {
    const [here, there] = [await startNode(), await startNode()]
    await Promise.all([here.server.ready(), there.server.ready()])
    const [one, other] = ['j1', 'j2'].map((jti) => as.issueOpaque({ response: { jti, sid: jti } }))
    await here.get(one as string)
    await here.get(other as string)
    as.revoke(one as string)
    as.revoke(other as string)
    await here.server.revocations.revoke({ jti: 'j1' })
    await there.answers(one as string, 401)
    await here.server.revocations.revoke({ sessionId: 'j2', verdict: 'suspect' })
    await there.answers(other as string, 401)
    expect(await here.get(other as string)).toEqual([401, 'inactive'])
  })

  it('are asked for by another node when the first one dies', async () => {
    const node = await startNode()
    const token = as.issueOpaque()
    await node.get(token)
    const [key = ''] = keysLike('ers:answer:*')
    redis.cli('DEL', key)
    redis.cli('SET', key.replace('answer', 'asking'), '', 'PX', '300')
    const another = await startNode()
    expect(await another.get(token)).toEqual([200, undefined])
    expect(asked()).toBe(2)
  })

  it('of a server that is down are not kept, and it is asked again', async () => {
    const [here, there] = [await startNode(), await startNode()]
    const token = as.issueOpaque()
    as.fail('introspection', { kind: 'status', status: 500 }, { times: 1 })
    expect(await here.get(token)).toEqual([503, 'introspection_unavailable'])
    expect(await there.get(token)).toEqual([200, undefined])
  })

  it('tell nothing to who reads them without the token', async () => {
    const node = await startNode()
    const token = as.issueOpaque({ subject: 'alice-in-wonderland', clientId: 'a-certain-app' })
    await node.get(token)
    const keys = keysLike('*').filter((key) => !key.endsWith(':beat'))
    expect(keys).toHaveLength(1)
    const [key = ''] = keys
    const sealed = redis.cli('GET', key)
    for (const text of [key, sealed, Buffer.from(sealed, 'base64url').toString('latin1')]) {
      expect(text).not.toMatch(/alice|certain|active|read/)
      expect(text).not.toContain(token)
      expect(text).not.toContain(sha256(token))
    }
  })

  it('cannot be made up, nor put in the place of another', async () => {
    const node = await startNode()
    const [good, bad] = [as.issueOpaque(), as.issueOpaque()]
    as.revoke(bad)
    await node.get(good)
    const [goodKey = ''] = keysLike('ers:answer:*')
    await node.get(bad)
    const badKey = keysLike('ers:answer:*').find((key) => key !== goodKey) ?? ''
    redis.cli('SET', badKey, redis.cli('GET', goodKey))
    const another = await startNode()
    expect(await another.get(bad)).toEqual([401, 'inactive'])
    redis.cli('SET', badKey, 'made up')
    const third = await startNode()
    expect(await third.get(bad)).toEqual([401, 'inactive'])
  })

  it('are of no use to another client', async () => {
    const other = await createTestIssuer({ clients: { rs: 'rs-secret', other: 'other-secret' } })
    closing.push(() => other.close())
    const issuer = other.issuer
    const here = await startNode({ issuer })
    const there = await startNode({
      issuer,
      introspection: { clientId: 'other', clientSecret: 'other-secret' },
    })
    const token = other.issueOpaque()
    expect([await here.get(token), await there.get(token)]).toEqual([
      [200, undefined],
      [200, undefined],
    ])
    expect(other.count('introspection')).toBe(2)
  })
})

describeWithRedis('used proofs in Redis', () => {
  it('are good once at all nodes together', async () => {
    const [here, there] = [await startNode(), await startNode()]
    const client = createDpopClient()
    const token = as.mintJwt({ claims: { cnf: client.cnf } })
    const proof = client.proof({ token, url: `${RESOURCE}/` })
    const headers = { authorization: `DPoP ${token}`, dpop: proof }
    expect(await here.get(token, headers)).toEqual([200, undefined])
    expect(await there.get(token, headers)).toEqual([401, 'dpop_proof_replayed'])
  })

  it('cannot be told from new ones while it is down: 503', async () => {
    const down = await startRedis()
    closing.push(() => down.close())
    const client = createClient({ url: down.url })
    await client.on('error', () => undefined).connect()
    closing.push(() => client.destroy())
    const node = await startNode({ store: redisStore(client, { timeoutMs: 100 }) })
    await down.kill()
    const dpop = createDpopClient()
    const token = as.mintJwt({ claims: { cnf: dpop.cnf } })
    const headers = { authorization: `DPoP ${token}`, dpop: dpop.proof({ token, url: `${RESOURCE}/` }) }
    expect(await node.get(token, headers)).toEqual([503, 'replay_memory_unavailable'])
    expect(await node.get(as.mintJwt())).toEqual([200, undefined])
  })
})

describeWithRedis('the keys of last resort in Redis', () => {
  it('let a node start while the authorization server is down', async () => {
    await (await startNode({}, { secret: SECRET })).get(as.mintJwt())
    await as.goDown()
    const late = await startNode({}, { secret: SECRET })
    expect(await late.get(as.mintJwt())).toEqual([200, undefined])
    expect(late.server.health().issuers[0]?.keys).toMatchObject({ state: 'stale' })
  })

  it('are not older than maxStaleSeconds', async () => {
    await (await startNode({}, { secret: SECRET })).get(as.mintJwt())
    await as.goDown()
    goOn(3601)
    const late = await startNode({}, { secret: SECRET })
    expect(await late.get(as.mintJwt())).toEqual([503, 'metadata_unavailable'])
  })

  it('are not asked while the authorization server answers', async () => {
    const former = as.mintJwt()
    await (await startNode({}, { secret: SECRET })).get(former)
    as.rotateKeys()
    const late = await startNode({}, { secret: SECRET })
    expect(await late.get(former)).toEqual([401, 'unknown_key'])
  })

  it.each([
    ['without a secret', {}],
    ['with another secret', { secret: 'another secret of at least thirty-two bytes' }],
  ])('do not count %s: who can write to Redis must not decide whom to trust', async (_how, options) => {
    await (await startNode({}, { secret: SECRET })).get(as.mintJwt())
    await as.goDown()
    const late = await startNode({}, options)
    expect(await late.get(as.mintJwt())).toEqual([503, 'metadata_unavailable'])
  })
})

describe('the option store', () => {
  it.each([
    [{ store: {} }, /store must be a store, received .* Write store: redisStore\(client\)/],
    [{ store: 'redis://localhost' }, /store must be a store/],
  ])('refuses %j', async (options, message) => {
    const given = { issuer: 'https://login.example.com', ...options } as unknown as ResourceServerOptions
    await expect(startSharedApi(given, { ready: false })).rejects.toThrow(message)
  })

  it('refuses a log that forgets before tokens have expired', async () => {
    const store = redisStore(createClient(), { retentionSeconds: 3600 })
    const given = { issuer: 'https://login.example.com', store }
    await expect(startSharedApi(given, { ready: false })).rejects.toThrow(
      /maxTokenLifetimeSeconds must be at most the retentionSeconds of the log, 3600/,
    )
  })
})
