/** The contracts of what nodes share, held by what is in memory and by Redis, through each of its clients. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { redisStore, type RedisClient, type RedisStoreOptions } from '../../lib/redis.js'
import {
  createMemoryLog,
  createMemoryStore,
  revocationLogContract,
  storeContract,
} from '../../lib/testing/index.js'
import { describeWithRedis, startRedis, type RedisServer } from '../support/redis-server.js'

// programs are started, and the machine may be busy
jest.setTimeout(30_000)

describe('the store in memory', () => {
  it.each(storeContract(() => ({ store: createMemoryStore(1000) })))('$title', ({ run }) => run())
})

describe('the log in memory', () => {
  it.each(revocationLogContract(() => ({ log: createMemoryLog() })))('$title', ({ run }) => run())
})

const SECRET = 'a secret of at least thirty-two bytes'

interface Opened {
  readonly client: RedisClient
  readonly end: () => unknown
}

const CLIENTS: Readonly<Record<string, (url: string) => Promise<Opened>>> = {
  'node-redis': async (url) => {
    const client = createClient({ url })
    await client.on('error', () => undefined).connect()
    return { client, end: () => client.destroy() }
  },
  'node-redis with RESP 2': async (url) => {
    const client = createClient({ url, RESP: 2 })
    await client.on('error', () => undefined).connect()
    return { client, end: () => client.destroy() }
  },
  ioredis: (url) => {
    const client = new Redis(url, { disconnectTimeout: 100 })
    client.on('error', () => undefined)
    return Promise.resolve({ client, end: () => client.disconnect() })
  },
  'ioredis that connects late and queues nothing': async (url) => {
    const client = new Redis(url, { lazyConnect: true, enableOfflineQueue: false, disconnectTimeout: 100 })
    client.on('error', () => undefined)
    await client.connect()
    return { client, end: () => client.disconnect() }
  },
}

describeWithRedis('the store in Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server.close())

  describe.each(Object.keys(CLIENTS))('through %s', (name) => {
    async function openTwo(options: RedisStoreOptions = {}) {
      const prefix = `${randomUUID()}:`
      const open = CLIENTS[name] as (url: string) => Promise<Opened>
      const [one, another] = await Promise.all([open(server.url), open(server.url)])
      const [first, second] = [one, another].map(({ client }) => redisStore(client, { prefix, ...options }))
      const close = () => Promise.all([one.end(), another.end()])
      return {
        first: first as NonNullable<typeof first>,
        second: second as NonNullable<typeof second>,
        close,
      }
    }

    it.each(
      storeContract(async () => {
        const { first, second, close } = await openTwo()
        return { store: first, other: second, close }
      }),
    )('$title', ({ run }) => run())

    it.each(
      storeContract(async () => {
        const { first, second, close } = await openTwo({ secret: SECRET })
        return { store: first.sealed ?? first, other: second.sealed ?? second, close }
      }),
    )('$title, sealed', ({ run }) => run())

    it.each(
      revocationLogContract(async () => {
        const { first, second, close } = await openTwo()
        return { log: first.log, other: second.log, close }
      }),
    )('$title', ({ run }) => run())

    it.each(
      revocationLogContract(async () => {
        const { first, second, close } = await openTwo({ secret: SECRET })
        return { log: first.log, other: second.log, close }
      }),
    )('$title, sealed', ({ run }) => run())
  })

  it('has no sealed part without a secret', async () => {
    const { client, end } = await (CLIENTS['node-redis'] as (url: string) => Promise<Opened>)(server.url)
    expect(redisStore(client).sealed).toBeUndefined()
    await end()
  })
})

describe('redisStore', () => {
  it.each([
    ['nothing', undefined],
    ['an address', 'redis://localhost'],
    ['a client of something else', { query: () => undefined }],
    ['a sentinel of node-redis', { sendCommand() {}, duplicate() {}, getSentinelNode() {} }],
  ])('refuses %s for a client, and says what to write', (_what, client) => {
    expect(() => redisStore(client as unknown as RedisClient)).toThrow(
      /must be one of node-redis .* or ioredis/,
    )
  })

  it.each([
    [{ prefix: 'a{b}' }, /redisStore\.prefix must be a string without braces/],
    [{ timeoutMs: 5 }, /redisStore\.timeoutMs must be a whole number from 20 to 10000/],
    [{ retentionSeconds: 1 }, /redisStore\.retentionSeconds must be/],
    [{ secret: 'short' }, /redisStore\.secret must be a string or bytes, at least 32 bytes.*not shown/],
    [{ secret: [] }, /redisStore\.secret must be/],
    [{ sekret: SECRET }, /did you mean secret/],
  ])('refuses the options %j', (options, message) => {
    const client = createClient()
    expect(() => redisStore(client, options as RedisStoreOptions)).toThrow(message)
  })
})
