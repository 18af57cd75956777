/**
 * Clients of Redis as this package uses them: they send a command, and open a further connection for reads
 * that wait. Told apart by their shape, so that none of them is a dependency.
 */
import { ConfigurationError } from '../core/errors.js'
import { withinDeadline } from '../core/io/deadline.js'

/** A client of node-redis: `createClient()`. */
export interface NodeRedisClient {
  sendCommand(args: string[]): Promise<unknown>
  duplicate(): { connect(): Promise<unknown>; destroy(): void }
}

/** A cluster of node-redis: `createCluster()`. */
export interface NodeRedisCluster {
  sendCommand(firstKey: string | undefined, isReadonly: boolean | undefined, args: string[]): Promise<unknown>
  duplicate(): { connect(): Promise<unknown>; destroy(): void }
  readonly masters: readonly unknown[]
}

/** A client of ioredis: `new Redis()` or `new Cluster()`. */
export interface IoRedisClient {
  call(command: string, args: string[]): Promise<unknown>
  duplicate(): { disconnect(): void }
}

/** What `redisStore` works with. It connects, authenticates and reconnects as its owner told it. */
export type RedisClient = NodeRedisClient | NodeRedisCluster | IoRedisClient

/** A way to Redis, of whatever client. */
export interface RedisConnection {
  /**
   * @param key by which a cluster finds the node
   * @returns the reply, in the shape in which the client gives it
   */
  send(key: string, args: readonly string[]): Promise<unknown>
}

/** A connection that is ours, for reads that wait. */
export interface OwnConnection extends RedisConnection {
  /** Breaks it; what is under way on it may never be answered. */
  close(): void
}

export interface Redis extends RedisConnection {
  /** @throws whatever the client throws (rejects), at the latest after `timeoutMs` milliseconds or on abort */
  open(timeoutMs: number, signal: AbortSignal): Promise<OwnConnection>
}

interface AnyClient {
  on(event: 'error' | 'ready' | 'end', listener: (error?: unknown) => void): unknown
  duplicate(): AnyClient
}

interface AnyNodeRedis extends AnyClient {
  sendCommand(...args: unknown[]): Promise<unknown>
  duplicate(): AnyNodeRedis
  connect(): Promise<unknown>
  destroy(): void
}

interface AnyIoRedis extends AnyClient {
  call(command: string, args: readonly string[]): Promise<unknown>
  duplicate(): AnyIoRedis
  connect(): Promise<unknown>
  disconnect(): void
  readonly status: string
}

/** @throws ConfigurationError if it is none that is known */
export function toRedis(client: unknown): Redis {
  const found = (typeof client === 'object' && client) || {}
  if ('duplicate' in found && typeof found.duplicate === 'function') {
    if ('call' in found && typeof found.call === 'function') return ofIoRedis(found as AnyIoRedis)
    const isSentinel = 'getSentinelNode' in found
    if ('sendCommand' in found && !isSentinel) return ofNodeRedis(found as AnyNodeRedis)
  }
  throw new ConfigurationError(
    'client',
    'redisStore: client must be one of node-redis (createClient, createCluster) or ioredis (Redis, Cluster). ' +
      'Write redisStore(await createClient({ url }).connect())',
  )
}

function ofNodeRedis(client: AnyNodeRedis): Redis {
  const send =
    (through: AnyNodeRedis): RedisConnection['send'] =>
    (key, args) =>
      // a cluster is told the key, and whether a replica will do
      'masters' in through ? through.sendCommand(key, false, [...args]) : through.sendCommand([...args])

  return {
    send: send(client),
    open(timeoutMs, signal) {
      const own = client.duplicate()
      const close = once(() => own.destroy())
      return opened(own, { send: send(own), close }, { timeoutMs, signal, ready: own.connect() })
    },
  }
}

function ofIoRedis(client: AnyIoRedis): Redis {
  const send =
    (through: AnyIoRedis): RedisConnection['send'] =>
    (_key, [command = '', ...args]) =>
      through.call(command, args)

  return {
    send: send(client),
    open(timeoutMs, signal) {
      const own = client.duplicate()
      const close = once(() => own.disconnect())
      return opened(own, { send: send(own), close }, { timeoutMs, signal, ready: untilReady(own) })
    },
  }
}

/** With `lazyConnect` it waits to be told; else it is connecting already. */
async function untilReady(client: AnyIoRedis): Promise<void> {
  if (client.status === 'ready') return
  const ready = new Promise<void>((resolve, reject) => {
    client.on('ready', () => resolve())
    client.on('end', () => reject(new Error('The connection to Redis ended')))
  })
  if (client.status === 'wait') await client.connect()
  await ready
}

interface Opening {
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly ready: Promise<unknown>
}

async function opened(
  client: AnyClient,
  connection: OwnConnection,
  { timeoutMs, signal, ready }: Opening,
): Promise<OwnConnection> {
  // without a listener, a lost connection would end the process; whoever uses it notices by itself
  client.on('error', () => undefined)
  ready.catch(() => undefined)
  const close = () => connection.close()
  signal.addEventListener('abort', close)
  try {
    await withinDeadline(ready, timeoutMs, () => new Error(`No connection to Redis within ${timeoutMs} ms`))
    return connection
  } catch (error) {
    close()
    throw error
  } finally {
    signal.removeEventListener('abort', close)
  }
}

/** Clients throw when they are closed although they closed by themselves. */
function once(close: () => void): () => void {
  return () => {
    try {
      close()
    } catch {
      // closed it is
    }
  }
}
