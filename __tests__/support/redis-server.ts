/** Real Redis servers, each with a port and a directory of its own, and wires to them that can be cut. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from '@jest/globals'

const isInstalled = spawnSync('redis-server', ['--version']).status === 0

/** As `describe`, where the program is there; without it a visible skip, which CI does not accept. */
export function describeWithRedis(title: string, tests: () => void): void {
  if (isInstalled) {
    describe(title, tests)
    return
  }
  if (process.env['CI'] === 'true')
    throw new Error('redis-server is not installed: its tests must run under CI')
  describe.skip(`${title} (redis-server is not installed)`, tests)
}

export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Sends one command by redis-cli, and returns what it prints. */
  cli(...args: readonly string[]): string
  /** Ends it at once; what was not written to disk is lost. */
  kill(): Promise<void>
  /** Lets it stand still without closing anything, or go on. */
  freeze(): void
  thaw(): void
  /** Starts it anew on the same port, with what is on disk. */
  start(): Promise<void>
  close(): Promise<void>
}

/** @param persistent writes each command to disk before it answers */
export async function startRedis({
  persistent = false,
  args = [],
}: { readonly persistent?: boolean; readonly args?: readonly string[] } = {}): Promise<RedisServer> {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'redis-'))
  const durability = persistent ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    const all = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      directory,
      '--save',
      '',
      ...durability,
    ]
    child = spawn('redis-server', [...all, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    const starting = child
    await new Promise<void>((resolve, reject) => {
      let text = ''
      starting.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
        if (text.includes('Ready to accept connections')) resolve()
      })
      starting.once('exit', () => reject(new Error(`redis-server ended:\n${text}`)))
    })
  }

  async function kill(): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  await start()
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    cli(...command) {
      const { stdout, stderr, status } = spawnSync('redis-cli', ['-p', String(port), ...command], {
        encoding: 'utf8',
      })
      if (status !== 0) throw new Error(stderr || stdout)
      return stdout.trim()
    },
    kill,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    start,
    async close() {
      await kill()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export interface Wire {
  readonly url: string
  /** Breaks all connections and takes no new ones. */
  cut(): void
  mend(): void
  close(): Promise<void>
}

/** A way to a port of this machine that can be cut. */
export async function startWire(port: number): Promise<Wire> {
  const sockets = new Set<Socket>()
  let isCut = false
  const server: Server = createServer((near) => {
    if (isCut) return void near.destroy()
    const far = connect(port, '127.0.0.1')
    for (const [one, another] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.pipe(another)
      one.on('error', () => another.destroy())
      one.on('close', () => {
        sockets.delete(one)
        another.destroy()
      })
    }
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')

  function cut(): void {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }

  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => {
      isCut = false
    },
    async close() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
