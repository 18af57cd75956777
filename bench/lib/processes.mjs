/** Starts the processes of a run, each pinned to its core, and talks to them over IPC. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import os from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { busyTime, coresBetween } from './machine.mjs'
import { node } from './options.mjs'
import { ROOT } from './store.mjs'

const AUTHORIZATION_SERVER_PORT = Number(process.env.BENCH_AS_PORT ?? 9400)
export const ISSUER = `http://127.0.0.1:${AUTHORIZATION_SERVER_PORT}`
export const AUDIENCE = 'https://api.example.com'

const CAN_PIN = existsSync('/usr/bin/taskset') && os.cpus().length > 1
export const SERVER_CORE = process.env.BENCH_SERVER_CORE ?? '1'
export const LOAD_CORE = process.env.BENCH_LOAD_CORE ?? '0'

const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/**
 * @param {string} script under bench/
 * @returns a process that answers `call(command, value)`; null is the answer of one that has ended
 */
export async function start(script, args, { core, under = process.execPath, nodeArgs = [], env = {} } = {}) {
  const words = [under, ...nodeArgs, join(ROOT, script), ...args]
  const [file, ...rest] = CAN_PIN && core ? ['taskset', '-c', core, ...words] : words
  const child = spawn(file, rest, {
    stdio: ['ignore', 'inherit', process.env.BENCH_VERBOSE ? 'inherit' : 'ignore', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production', ...env },
  })
  children.add(child)
  const waiting = new Map()
  let lastId = 0
  await new Promise((resolveReady, reject) => {
    child.once('exit', (code) => reject(new Error(`${script} ${args[0] ?? ''} ended with ${code}`)))
    child.on('message', ({ ready, id, reply }) => {
      if (ready) return resolveReady()
      waiting.get(id)?.(reply)
      waiting.delete(id)
    })
  })
  child.on('exit', () => {
    children.delete(child)
    for (const answer of waiting.values()) answer(null)
  })
  const isAlive = () => child.exitCode === null && child.signalCode === null

  return {
    isAlive,
    call(command, value) {
      if (!isAlive()) return Promise.resolve(null)
      return new Promise((answer) => {
        lastId += 1
        waiting.set(lastId, answer)
        child.send({ id: lastId, command, value })
      })
    },
    stop() {
      if (!isAlive()) return Promise.resolve()
      return new Promise((stopped) => {
        child.once('exit', stopped)
        child.kill('SIGKILL')
      })
    },
  }
}

export const startAuthorizationServer = () =>
  start('processes/authorization-server.mjs', [String(AUTHORIZATION_SERVER_PORT)], { core: LOAD_CORE })

export const startLoader = () => start('processes/loader.mjs', [], { core: LOAD_CORE })

/** Each contestant asks under a path of its own, so that its calls are counted apart. */
export const tenantOf = (name) => name.replace(/\.mjs$/, '').replace(/[^\w-]/g, '.')

export const contestantFile = (name) =>
  name.endsWith('.mjs') ? resolve(name) : join(ROOT, 'contestants', `${name}.mjs`)

export const contestantConfig = (name) => ({
  name,
  issuer: ISSUER,
  audience: AUDIENCE,
  jwksUri: `${ISSUER}/t/${tenantOf(name)}/jwks`,
  introspectionEndpoint: `${ISSUER}/t/${tenantOf(name)}/introspect`,
  clientId: 'rs-client',
  clientSecret: 'rs-secret',
})

let nextPort = Number(process.env.BENCH_PORT ?? 9500)

/** @param config added to what every contestant is told */
export async function startServer(name, { core = SERVER_CORE, nodeArgs, env, config = {} } = {}) {
  const port = nextPort++
  const all = JSON.stringify({ ...contestantConfig(name), port, ...config })
  const server = await start('processes/server.mjs', [contestantFile(name), all], {
    core,
    under: node,
    ...(nodeArgs && { nodeArgs }),
    ...(env && { env }),
  })
  return { ...server, name, port, tenant: tenantOf(name) }
}

const cpuUs = (before, after) => after.user + after.system - before.user - before.system

/**
 * One window of load on one server.
 * @returns the loader's figures, the server's CPU time per request, and the cores that others used meanwhile
 */
export async function measure({ loader, authorizationServer }, server, job) {
  const busy = busyTime()
  const own = process.cpuUsage()
  const asking = await authorizationServer.call('cpu')
  const before = await server.call('cpu')
  const result = await loader.call('run', { ...job, port: server.port })
  const after = await server.call('cpu')
  const asked = await authorizationServer.call('cpu')
  if (!result || !after) throw new Error(`${server.name} ended under load`)
  const serverUs = cpuUs(before, after)
  const ownUs = cpuUs(own, process.cpuUsage()) + serverUs + cpuUs(asking, asked) + result.loaderUs
  const end = busyTime()
  const ownCores = ownUs / 1000 / (end.at - busy.at)
  return {
    ...result,
    cpuUs: serverUs / result.done,
    foreign: Math.max(0, coresBetween(busy, end) - ownCores || 0),
  }
}

export { sleep }
