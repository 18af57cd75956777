/** A cluster of three masters: each key lies somewhere else, and what belongs together lies together. */
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Cluster } from 'ioredis'
import { createCluster } from 'redis'
import { redisStore, type RedisClient } from '../../lib/redis.js'
import { createTestIssuer, revocationLogContract, storeContract } from '../../lib/testing/index.js'
import { describeWithRedis, freePort, startRedis, type RedisServer } from '../support/redis-server.js'
import { INTROSPECTION, startSharedApi } from '../support/shared-apis.js'

// programs are started, and the machine may be busy
jest.setTimeout(30_000)

const MASTERS = 3
const servers: RedisServer[] = []

const CLIENTS: Readonly<Record<string, () => Promise<{ client: RedisClient; end(): unknown }>>> = {
  'node-redis': async () => {
    const client = createCluster({ rootNodes: servers.map(({ url }) => ({ url })) })
    await client.on('error', () => undefined).connect()
    return { client, end: () => client.destroy() }
  },
  ioredis: () => {
    const client = new Cluster(servers.map(({ port }) => ({ host: '127.0.0.1', port })))
    client.on('error', () => undefined)
    return Promise.resolve({ client, end: () => client.disconnect() })
  },
}

async function startCluster(): Promise<void> {
  for (let count = 0; count < MASTERS; count += 1) {
    // the bus would else be 10000 above the port, which may be none
    const bus = ['--cluster-port', String(await freePort())]
    servers.push(await startRedis({ args: ['--cluster-enabled', 'yes', ...bus] }))
  }
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`)
  const made = spawnSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'], {
    encoding: 'utf8',
  })
  if (made.status !== 0) throw new Error(made.stdout + made.stderr)
  for (const server of servers) while (!server.cli('CLUSTER', 'INFO').includes('cluster_state:ok'));
}

describeWithRedis('the store in a cluster', () => {
  beforeAll(startCluster, 60_000)
  afterAll(() => Promise.all(servers.map((server) => server.close())))

  describe.each(Object.keys(CLIENTS))('through %s', (name) => {
    async function openTwo() {
      const prefix = `${randomUUID()}:`
      const open = CLIENTS[name] as () => Promise<{ client: RedisClient; end(): unknown }>
      const [one, another] = await Promise.all([open(), open()])
      const close = () => Promise.all([one.end(), another.end()])
      return {
        first: redisStore(one.client, { prefix }),
        second: redisStore(another.client, { prefix }),
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
      revocationLogContract(async () => {
        const { first, second, close } = await openTwo()
        return { log: first.log, other: second.log, close }
      }),
    )('$title', ({ run }) => run())

    it('serves two nodes', async () => {
      const as = await createTestIssuer()
      const { first, second, close } = await openTwo()
      const options = { issuer: as.issuer, introspection: INTROSPECTION }
      const here = await startSharedApi({ ...options, store: first })
      const there = await startSharedApi({ ...options, store: second })
      const opaque = Array.from({ length: 20 }, () => as.issueOpaque())
      for (const token of opaque) expect(await here.get(token)).toEqual([200, undefined])
      for (const token of opaque) expect(await there.get(token)).toEqual([200, undefined])
      expect(as.count('introspection')).toBe(opaque.length)
      await here.server.revocations.revoke({ jti: 'one' })
      await there.answers(as.mintJwt({ claims: { jti: 'one' } }), 401)
      await Promise.all([here.close(), there.close()])
      await close()
      await as.close()
    })
  })
})
