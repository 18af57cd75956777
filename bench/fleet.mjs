/**
 * Four nodes, one Redis, full load: does it cost throughput that revocations arrive all the time, and how
 * long until one is refused everywhere?
 *
 * From the project's root: `npm run build && node bench/fleet.mjs [--seconds=5] [--rounds=4] [--rate=100]`.
 * Needs redis-server. Windows with and without revocations alternate, so that a machine that changes its
 * speed touches both alike; the ratio is the median over rounds.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import process from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'
import { createTestIssuer } from '../dist/testing/index.js'
import { markdownTable } from './lib/stats.mjs'
import { save } from './lib/store.mjs'

const NODES = 4
const CONNECTIONS = 8

const option = (name, fallback) =>
  Number(process.argv.find((argument) => argument.startsWith(`--${name}=`))?.split('=')[1] ?? fallback)
const seconds = option('seconds', 5)
const rounds = option('rounds', 4)
const rate = option('rate', 100)

const children = []

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function start(command, args, pattern, env = {}) {
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  let text = ''
  for await (const chunk of child.stdout) {
    text += chunk
    const match = pattern.exec(text)
    if (match) return match
  }
  throw new Error(`${command} ended:\n${text}`)
}

async function request(origin, path, token, method = 'GET') {
  const headers = token ? { authorization: `Bearer ${token}` } : {}
  const response = await fetch(origin + path, { method, headers })
  await response.arrayBuffer()
  return response.status
}

/** A closed loop on all nodes. @returns requests per second that were answered 200 */
async function load(origins, tokens, ms) {
  const end = performance.now() + ms
  let answered = 0
  async function client(origin, from) {
    for (let at = from; performance.now() < end; at += 1) {
      const status = await request(origin, '/', tokens[at % tokens.length])
      if (status !== 200) throw new Error(`a good token was answered ${status}`)
      answered += 1
    }
  }
  const clients = origins.flatMap((origin, node) =>
    Array.from({ length: CONNECTIONS }, (_, at) => client(origin, node * 31 + at * 7)),
  )
  await Promise.all(clients)
  return answered / (ms / 1000)
}

let revoked = 0

/** Revokes at one node after the other; every tenth is timed until all others refuse it. */
async function revokeAll(origins, as, ms, delays) {
  const end = performance.now() + ms
  const timed = []
  while (performance.now() < end) {
    const jti = `revoked-${(revoked += 1)}`
    const [here, ...others] = [...origins.slice(revoked % NODES), ...origins.slice(0, revoked % NODES)]
    const token = as.mintJwt({ claims: { jti } })
    const begun = performance.now()
    const posted = request(here, `/revoke/${jti}`, undefined, 'POST')
    if (revoked % 10 === 0) {
      const refusals = others.map(async (origin) => {
        while ((await request(origin, '/', token)) !== 401);
      })
      timed.push(Promise.all(refusals).then(() => delays.push(performance.now() - begun)))
    }
    await posted
    await pause(Math.max(0, 1000 / rate - (performance.now() - begun)))
  }
  await Promise.all(timed)
}

const quantile = (values, q) => [...values].sort((a, b) => a - b)[Math.ceil(values.length * q) - 1]

async function run() {
  const port = await freePort()
  const persistence = ['--save', '', '--appendonly', 'no']
  await start('redis-server', ['--port', String(port), ...persistence], /Ready to accept connections/)
  const as = await createTestIssuer()
  const env = { ISSUER: as.issuer, REDIS_URL: `redis://127.0.0.1:${port}` }
  const node = () => start(process.execPath, ['__tests__/redis/fleet-node.mjs'], /listening on (\S+)/, env)
  const origins = (await Promise.all(Array.from({ length: NODES }, node))).map(([, origin]) => origin)
  const tokens = Array.from({ length: 1000 }, () => as.mintJwt())
  const ms = seconds * 1000
  await load(origins, tokens, ms)

  const ratios = []
  const delays = []
  for (let round = 0; round < rounds; round += 1) {
    const before = await load(origins, tokens, ms)
    const [during] = await Promise.all([load(origins, tokens, ms), revokeAll(origins, as, ms, delays)])
    const after = await load(origins, tokens, ms)
    ratios.push(during / ((before + after) / 2))
    console.log(`round ${round + 1}: ${[before, during, after].map(Math.round).join(' → ')} requests/s`)
  }
  const [p50, p99, max] = [0.5, 0.99, 1].map((q) => quantile(delays, q))
  const markdown = markdownTable(
    ['four nodes, one Redis, all under load', ''],
    [
      ['throughput while revocations arrive, as a ratio to that without', quantile(ratios, 0.5).toFixed(3)],
      ['revocations made', revoked],
      ['timed until refused at all other nodes', delays.length],
      ['p50, p99, max, ms', [p50, p99, max].map((ms) => ms?.toFixed(1)).join(', ')],
    ],
  )
  console.log(markdown)
  save('fleet', { title: 'a revocation reaches every node', markdown, p99Ms: p99 })
  await as.close()
}

try {
  await run()
} finally {
  for (const child of children) child.kill()
}
