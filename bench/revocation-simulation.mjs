// On paper: a fleet that keeps what was revoked on every node, against one that introspects every token every
// 30 seconds. The memory is that of a real index, filled; the cost of a look-up is measured; the rest is counted.
//
//   npm run build && node --expose-gc bench/revocation-simulation.mjs          (about 20 seconds)
import { randomUUID } from 'node:crypto'
import { createRevocationIndex } from '../dist/core/revocation/revocation-index.js'
import { markdownTable } from './lib/stats.mjs'
import { save } from './lib/store.mjs'

const NODES = 1000
const LIVE_TOKENS = 1_000_000
const LIFETIME_SECONDS = 3600
const INTROSPECT_EVERY_SECONDS = 30
const HEARTBEAT_SECONDS = 1
const HEARTBEAT_BYTES = 100
/** Of all revocations, those that an event names too coarsely: each makes so many tokens suspect. */
const COARSE_SHARE = 0.1
const TOKENS_PER_COARSE_EVENT = 3
/** A suspect token is presented at so many nodes before it expires. */
const NODES_PER_TOKEN = 4
const MICRO_RUNS = 2_000_000

if (!globalThis.gc) throw new Error('run it with node --expose-gc')

const now = Date.now() / 1000
const table = [1000, 100_000].map(simulate)
console.log(`${NODES} nodes, ${LIVE_TOKENS} live tokens of ${LIFETIME_SECONDS} s, on ${process.version}\n`)
const rows = [
  ['revocations an hour', ...table.map((row) => row.perHour)],
  ['entries on each node', ...table.map((row) => row.entries)],
  ['memory on each node', ...table.map((row) => megabytes(row.bytes))],
  ['bytes per entry', ...table.map((row) => Math.round(row.bytes / row.entries))],
  ['one record in the stream, bytes', ...table.map((row) => row.recordBytes)],
  ['stream to each node, bytes/s', ...table.map((row) => Math.round(row.streamPerNode))],
  ['stream to all nodes', ...table.map((row) => `${megabytes(row.streamPerNode * NODES)}/s`)],
  ['replay at the start of a node', ...table.map((row) => megabytes(row.entries * row.recordBytes))],
  ['calls to the authorization server/s', ...table.map((row) => row.callsPerSecond.toFixed(2))],
  ['  introspecting each token every 30 s', ...table.map(() => round(introspecting()))],
  ['  times fewer', ...table.map((row) => round(introspecting() / row.callsPerSecond))],
  ['look-up of a good token, ns', ...table.map((row) => Math.round(row.lookupNs))],
  ['look-up in an empty index, ns', ...table.map((row) => Math.round(row.emptyNs))],
]
const markdown = markdownTable(
  ['', '', ''],
  rows.map(([name, ...values]) => [name.trim(), ...values]),
)
console.log(markdown)
save('revocation-simulation', {
  title: `${NODES} nodes, ${LIVE_TOKENS.toLocaleString('en')} live tokens of ${LIFETIME_SECONDS} s, on paper`,
  markdown,
})

/** One token lives on several nodes: each of them introspects it. At least one does. */
function introspecting() {
  return LIVE_TOKENS / INTROSPECT_EVERY_SECONDS
}

function simulate(perHour) {
  const before = heap()
  const index = createRevocationIndex({ maxEntries: 1_000_000, maxTokenLifetimeSeconds: LIFETIME_SECONDS })
  const records = perHour * (LIFETIME_SECONDS / 3600)
  let recordBytes = 0
  for (let count = 0; count < records; count += 1) {
    const record = recordOf(count)
    if (count < 1000) recordBytes += Buffer.byteLength(JSON.stringify(record)) / Math.min(1000, records)
    index.add(JSON.parse(JSON.stringify(record)))
  }
  const bytes = heap() - before
  const perSecond = perHour / 3600
  return {
    perHour,
    entries: index.size,
    bytes,
    recordBytes: Math.round(recordBytes),
    streamPerNode: perSecond * recordBytes + HEARTBEAT_BYTES / HEARTBEAT_SECONDS,
    callsPerSecond: perSecond * COARSE_SHARE * TOKENS_PER_COARSE_EVENT * NODES_PER_TOKEN,
    lookupNs: measure(index),
    emptyNs: measure(createRevocationIndex({ maxEntries: 1, maxTokenLifetimeSeconds: 1 })),
  }
}

/** A name as it comes from parsed JSON: one flat string, where `randomUUID` leaves a tree of pieces. */
function name() {
  return JSON.parse(`"${randomUUID()}"`)
}

/** Mostly single tokens by `jti`, some sessions, some subjects at a client. */
function recordOf(count) {
  const common = { issuer: 'https://login.example.com', issuedBefore: now, reason: 'logout', source: 'log' }
  if (count % 10 === 0) {
    const target = { kind: 'subject_client', subject: name(), clientId: `client-${count % 50}` }
    return { ...common, target, verdict: 'suspect' }
  }
  if (count % 10 < 4) return { ...common, target: { kind: 'session', sessionId: name() }, verdict: 'revoked' }
  return {
    ...common,
    target: { kind: 'token', jti: name() },
    verdict: 'revoked',
    expiresAt: now + 1800,
  }
}

/** Nanoseconds to find nothing about a good token, as on every request. */
function measure(index) {
  const tokens = Array.from({ length: 1000 }, () => ({
    format: 'jwt',
    subject: name(),
    clientId: 'client-1',
    issuedAt: now + 1,
    claims: { jti: name(), sid: name() },
  }))
  let found = 0
  const run = () => {
    const start = process.hrtime.bigint()
    for (let turn = 0; turn < MICRO_RUNS; turn += 1) {
      const finding = index.isEmpty ? undefined : index.find(tokens[turn % 1000])
      if (finding) found += 1
    }
    return Number(process.hrtime.bigint() - start) / MICRO_RUNS
  }
  run()
  const best = Math.min(run(), run(), run())
  if (found > 0) throw new Error('a good token was found')
  return best
}

function heap() {
  globalThis.gc()
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

function megabytes(bytes) {
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}

function round(value) {
  return Number(value.toPrecision(3))
}
