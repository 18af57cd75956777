/**
 * How long does a revoked token live on, and what does a request cost? Four ways to protect an API, each asked
 * in-process about one token again and again; the picture is `tradeoff.svg`.
 *
 * From the project's root: `npm run build && node bench/tradeoff.mjs`. The time to refusal of this library is the
 * 99th percentile that `fleet.mjs` has measured among four nodes; that of the others follows from how they work.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { resourceServer } from '../dist/index.js'
import { format, markdownTable } from './lib/stats.mjs'
import { loadAll, nodeVersion, ROOT, save } from './lib/store.mjs'

const LIFETIME_SECONDS = 3600
const CACHE_SECONDS = 30
const REVOKED = 10_000
const ROUNDS = 9

const authorizationServer = spawn(process.execPath, [join(ROOT, 'processes/test-issuer.mjs')], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
const [line] = await once(authorizationServer.stdout, 'data')
const { issuer, jwt, opaque } = JSON.parse(line)

const introspection = { clientId: 'rs', clientSecret: 'rs-secret' }
const create = (options) => resourceServer({ resource: 'https://api.example.com', issuer, ...options })
const ways = [
  { name: 'JWT alone', server: create(), token: jwt, requests: 20_000, refusal: LIFETIME_SECONDS },
  {
    name: 'introspection, each time',
    server: create({ introspection: { ...introspection, cacheTtlSeconds: 0 } }),
    token: opaque,
    requests: 1000,
    refusal: undefined,
  },
  {
    name: `introspection, cached ${CACHE_SECONDS} s`,
    server: create({ introspection: { ...introspection, cacheTtlSeconds: CACHE_SECONDS } }),
    token: opaque,
    requests: 20_000,
    refusal: CACHE_SECONDS,
  },
  { name: 'JWT with revocation', server: create(), token: jwt, requests: 20_000, refusal: fleetSeconds() },
]
const ours = ways.at(-1)
for (let index = 0; index < REVOKED; index += 1)
  await ours.server.revocations.revoke({ jti: `gone-${index}` })
await ours.server.revocations.revoke({ subject: 'mallory' })

for (const way of ways) await ask(way, way.requests)
for (let round = 0; round < ROUNDS; round += 1)
  for (const way of ways) (way.costs ??= []).push(await ask(way, way.requests))
const rows = ways.map(({ name, costs, refusal, seconds }) => ({
  name,
  us: costs.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)],
  // asked each time, it is refused by the very next answer
  refusalSeconds: refusal ?? seconds,
}))
const markdown = markdownTable(
  ['', 'CPU µs a request, all threads', 'a revoked token lives on for, at worst'],
  rows.map(({ name, us, refusalSeconds }) => [name, format(us), duration(refusalSeconds)]),
)
console.log(markdown)
save('tradeoff', { title: 'time to refusal against cost of a request', markdown, rows })
writeFileSync(join(ROOT, 'tradeoff.svg'), draw(rows))
for (const { server } of ways) await server.close()
authorizationServer.kill()

/** CPU microseconds for each of so many requests, one after another. */
async function ask(way, requests) {
  const request = { headers: { authorization: `Bearer ${way.token}` }, method: 'GET', url: '/' }
  const before = process.cpuUsage()
  const begun = performance.now()
  for (let index = 0; index < requests; index += 1) await way.server.authenticate(request)
  const { user, system } = process.cpuUsage(before)
  way.seconds = (performance.now() - begun) / 1000 / requests
  return (user + system) / requests
}

function fleetSeconds() {
  const fleets = loadAll()
    .map(({ results }) => results.fleet)
    .filter(Boolean)
  const fleet = fleets.at(-1)
  if (!fleet) throw new Error('run bench/fleet.mjs first: its figure is the time to refusal among four nodes')
  return fleet.p99Ms / 1000
}

function duration(seconds) {
  if (seconds < 1) return `${format(seconds * 1000)} ms`
  return seconds < 120 ? `${format(seconds)} s` : `${format(seconds / 60)} min (the life of the token)`
}

function draw(points) {
  const [width, height, left, right, top, bottom] = [760, 400, 96, 40, 64, 64]
  const log = (value, [low, high], from, to) =>
    from + ((Math.log10(value) - Math.log10(low)) / (Math.log10(high) - Math.log10(low))) * (to - from)
  const xs = [1, 1000]
  const ys = [0.0001, 10_000]
  const x = (us) => log(us, xs, left, width - right).toFixed(1)
  const y = (seconds) => log(seconds, ys, height - bottom, top).toFixed(1)
  const columns = [1, 10, 100, 1000].map(
    (us) =>
      `<line class="grid" x1="${x(us)}" x2="${x(us)}" y1="${top}" y2="${height - bottom}"/>` +
      `<text class="small" x="${x(us)}" y="${height - bottom + 18}" text-anchor="middle">${us} µs</text>`,
  )
  const lines = [
    [0.001, '1 ms'],
    [0.1, '100 ms'],
    [1, '1 s'],
    [30, '30 s'],
    [3600, '1 h'],
  ].map(
    ([seconds, label]) =>
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${y(seconds)}" y2="${y(seconds)}"/>` +
      `<text class="small" x="${left - 8}" y="${Number(y(seconds)) + 4}" text-anchor="end">${label}</text>`,
  )
  const dots = points.map(({ name, us, refusalSeconds }, index) => {
    const isOurs = index === points.length - 1
    const [cx, cy] = [x(us), y(refusalSeconds)]
    const isFarRight = us > 60
    const [dx, anchor] = isFarRight ? [-14, 'end'] : [14, 'start']
    return (
      `<circle class="${isOurs ? 'own' : 'other'}" cx="${cx}" cy="${cy}" r="${isOurs ? 8 : 6}"/>` +
      `<text class="value${isOurs ? ' ours' : ''}" x="${Number(cx) + dx}" y="${Number(cy) + 5}" text-anchor="${anchor}">${name}</text>`
    )
  })
  const words = points.map(
    (point) => `${point.name}: ${format(point.us)} µs a request, ${duration(point.refusalSeconds)}`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">
<title id="title">How long a revoked token lives on, against the cost of a request</title>
<desc id="desc">${words.join('; ')}. Both axes are logarithmic; lower and further left is better.</desc>
<style>
  text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
  .background { fill: #ffffff }
  .head { font-size: 16px; font-weight: 600 }
  .ours { font-weight: 600 }
  .small { font-size: 11px; fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .value { paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
  .other { fill: #8b96a3 }
  .own { fill: #2da44e }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .background { fill: #0d1117 }
    .small { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .value { stroke: #0d1117 }
    .own { fill: #3fb950 }
  }
</style>
<rect class="background" width="${width}" height="${height}" rx="8"/>
<text class="head" x="16" y="28">A revoked token lives on for …</text>
<text class="small" x="16" y="46">Lower and further left is better; both scales are logarithmic. Node ${nodeVersion.slice(1)}.</text>
${[...columns, ...lines].join('\n')}
${dots.join('\n')}
<text class="small" x="${width - right}" y="${height - 16}" text-anchor="end">CPU time of one request at the API, all threads →</text>
</svg>
`
}
