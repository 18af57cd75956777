/** A store that all nodes of an API share, in Redis or Valkey, over a client of yours. */
import type { Store } from './core/io/store.js'
import type { SharedStore, StoreHealth } from './core/options/store-options.js'
import { assertOptions, either, integer, listOf, rule, secret, type Rules } from './core/options/rules.js'
import type { RevocationLog } from './core/revocation/ports.js'
import { toRedis, type RedisClient } from './redis/client.js'
import { createCommands } from './redis/commands.js'
import { createKeyValue, createSealedStore, createVault } from './redis/key-value.js'
import { createRevocationLog } from './redis/revocation-log.js'

export { StoreError, type Store } from './core/io/store.js'
export type { SharedStore, StoreHealth } from './core/options/store-options.js'
export type { IoRedisClient, NodeRedisClient, NodeRedisCluster, RedisClient } from './redis/client.js'

export interface RedisStoreOptions {
  /**
   * What all keys begin with. Default `'ers:'`, without braces. Danger: APIs that use the same prefix hear of
   * each other's revocations, and take each other's proofs for used.
   */
  readonly prefix?: string
  /**
   * Milliseconds for one command, the client's own queue included. Default 500, limits 20 to 10000. Danger: a
   * request whose DPoP proof waits longer is answered 503.
   */
  readonly timeoutMs?: number
  /**
   * Seconds for which revocations are kept, at least `revocation.maxTokenLifetimeSeconds`. Default 90000 (25
   * hours), limits 60 to 40000000. About 200 bytes each. Danger: a node that starts later does not hear of them.
   */
  readonly retentionSeconds?: number
  /**
   * What revocations and key sets are sealed with, at least 32 bytes, the same at all nodes; of a list the first
   * seals and all open, so that it can be changed. Default none: revocations are legible in Redis, whoever can
   * write there can revoke, and key sets of last resort are not kept. Begin to use it at all nodes at once.
   */
  readonly secret?: string | Uint8Array | readonly (string | Uint8Array)[]
}

export interface RedisStore extends SharedStore {
  readonly log: RevocationLog
  /** Undefined without a secret. */
  readonly sealed?: Store
  health(): StoreHealth
}

const MIN_SECRET_BYTES = 32

const sealingSecret = rule(
  `a string or bytes, at least ${MIN_SECRET_BYTES} bytes`,
  'process.env.STORE_SECRET',
  (value) =>
    (typeof value === 'string' || value instanceof Uint8Array) &&
    Buffer.byteLength(value) >= MIN_SECRET_BYTES,
)

const RULES: Rules = {
  prefix: rule('a string without braces', `'orders:'`, isPrefix),
  timeoutMs: integer(20, 10_000, 500),
  retentionSeconds: integer(60, 40_000_000, 90_000),
  secret: secret(either(sealingSecret, listOf(sealingSecret))),
}

/**
 * Makes a store of a client of node-redis (`createClient`, `createCluster`) or ioredis (`Redis`, `Cluster`), for
 * `resourceServer({ store: redisStore(client) })`. Redis 6.2 or later, or Valkey; it must not evict keys
 * (`maxmemory-policy noeviction`).
 *
 * It opens one further connection by `client.duplicate()`, to follow the revocations; `close()` of the resource
 * server closes it. The client itself stays yours: connect it, listen to its errors, close it. Not checked here:
 * whether Redis persists; without, a restart of all nodes together with Redis forgets revocations.
 *
 * @throws ConfigurationError if the client is none that is known, or an option is wrong
 * @example
 * const client = await createClient({ url: process.env.REDIS_URL }).on('error', log).connect()
 * app.use(resourceServer({ resource, issuer, store: redisStore(client) }))
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): RedisStore {
  assertOptions(options, 'redisStore', RULES)
  const { prefix = 'ers:', timeoutMs = 500, retentionSeconds = 90_000 } = options
  const redis = toRedis(client)
  const commands = createCommands(redis, timeoutMs)
  const store = createKeyValue(commands, prefix)
  const vault = options.secret === undefined ? undefined : createVault(toList(options.secret))
  const log = createRevocationLog({ redis, commands, prefix, retentionSeconds, vault })

  return {
    ...store,
    log,
    ...(vault && { sealed: createSealedStore(store, vault) }),
    health: () => commands.health(),
  }
}

function toList(secrets: string | Uint8Array | readonly (string | Uint8Array)[]) {
  return typeof secrets === 'string' || secrets instanceof Uint8Array ? [secrets] : secrets
}

function isPrefix(value: unknown): boolean {
  return typeof value === 'string' && !/[{}]/.test(value)
}
