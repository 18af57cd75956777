/** One case of memory.mjs. Arguments: who keeps the tokens, and how many. Prints JSON. */
import { createHmac } from 'node:crypto'
import { performance, PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { AUDIENCE, ISSUER } from '../lib/processes.mjs'
import { median } from '../lib/stats.mjs'

const [, , kind, size] = process.argv
const count = Number(size)
const LOOK_UPS = 200_000
const ROUNDS = 5
/** Verified by an HMAC: it is the cheapest way to fill a cache, and leaves the same behind. */
const SECRET = 'a secret of more than thirty-two bytes'

// tokens lie in one buffer outside the heap; each is read as a fresh string, as from the HTTP parser
const header = encode({ alg: 'HS256', typ: 'at+jwt' })
const now = Math.floor(Date.now() / 1000)
const first = `Bearer ${mint(0)}`
const buffer = Buffer.allocUnsafe(first.length * count)
for (let index = 0; index < count; index += 1) {
  buffer.latin1Write(`Bearer ${mint(index)}`, index * first.length)
}
const headerOf = (index) => buffer.latin1Slice(index * first.length, (index + 1) * first.length)

function encode(value) {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function mint(index) {
  const claims = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: `user-${String(index).padStart(8, '0')}`,
    client_id: 's6BhdRkqt3',
    iat: now,
    exp: now + 86_400,
    jti: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    scope: 'openid profile orders:read orders:write invoices:read',
    auth_time: now,
    acr: 'urn:example:acr:1',
    amr: ['pwd', 'otp'],
    org: 'org_01HZX3V9J2',
  }
  const input = `${header}.${encode(claims)}`
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`
}

/** @returns a function of a header's value that says, at once or as a promise, whose the token is */
async function createKeeper() {
  if (kind === 'map of tokens') {
    const known = new Map()
    return function keep(value) {
      const token = value.slice(7)
      let claims = known.get(token)
      if (!claims) {
        claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
        known.set(token, claims)
      }
      return claims.sub
    }
  }
  if (kind === 'fast-jwt-cached') {
    const { createVerifier } = await import('fast-jwt')
    const verify = createVerifier({ key: SECRET, algorithms: ['HS256'], cache: count })
    return (value) => verify(value.slice(7)).sub
  }
  const { resourceServer } = await import('../../dist/index.js')
  const cacheMaxEntries = kind === 'ours' ? count : 0
  const protect = resourceServer({
    resource: AUDIENCE,
    issuer: ISSUER,
    jwt: { secret: SECRET, cacheMaxEntries },
  })
  const response = { setHeader() {}, getHeader() {}, end() {} }
  return function keep(value) {
    const request = {
      method: 'GET',
      url: '/',
      headers: { authorization: value },
      rawHeaders: ['Authorization', value],
    }
    let isDone = false
    let resolve
    protect(request, response, () => {
      isDone = true
      resolve?.(request.auth?.subject)
    })
    return isDone ? request.auth.subject : new Promise((settled) => (resolve = settled))
  }
}

let longestPauseMs = 0
new PerformanceObserver((entries) => {
  for (const { duration, detail } of entries.getEntries()) {
    // those that we ask for ourselves do not count
    if (!(detail.flags & 4)) longestPauseMs = Math.max(longestPauseMs, duration)
  }
}).observe({ entryTypes: ['gc'] })

/** @returns the longest pause since the last time */
async function takePause() {
  await sleep(50)
  const pause = longestPauseMs
  longestPauseMs = 0
  return pause
}

async function collected() {
  globalThis.gc()
  globalThis.gc()
  await sleep(20)
  globalThis.gc()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heap: heapUsed + external, rss }
}

function loop(work) {
  const times = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedAt = performance.now()
    for (let index = 0; index < LOOK_UPS; index += 1) work(order[index])
    times.push(((performance.now() - startedAt) * 1000) / LOOK_UPS)
  }
  return median(times)
}

const order = Uint32Array.from({ length: LOOK_UPS }, () => Math.floor(Math.random() * count))
const keep = await createKeeper()
const before = await collected()
await takePause()
const startedAt = performance.now()
for (let index = 0; index < count; index += 1) {
  const subject = await keep(headerOf(index))
  if (!subject?.startsWith('user-')) throw new Error(`token ${index} was not accepted`)
  if (index % 1024 === 0) await nextTurn()
}
const firstUseUs = ((performance.now() - startedAt) * 1000) / count
const fillingPauseMs = await takePause()
const after = await collected()
await takePause()

// reading alone, then reading and looking up: at once, or it was not remembered
const readUs = loop((index) => headerOf(index).length)
const lookUpUs =
  kind === 'nothing kept'
    ? NaN
    : loop((index) => {
        if (typeof keep(headerOf(index)) !== 'string') throw new Error(`token ${index} was not remembered`)
      }) - readUs
await takePause()

// a server at work makes garbage beside: is the collector held up by what is remembered?
let garbage
for (let index = 0; index < LOOK_UPS; index += 1) {
  await keep(headerOf(order[index]))
  garbage = JSON.parse(`{"a":[${index},${index + 1}],"b":{"c":"${'x'.repeat(index % 200)}"}}`)
  if (index % 256 === 0) await nextTurn()
}
const servingPauseMs = await takePause()
void garbage
const figures = {
  heapBytes: (after.heap - before.heap) / count,
  rssBytes: (after.rss - before.rss) / count,
  lookUpUs,
  firstUseUs,
  fillingPauseMs,
  servingPauseMs,
}
console.log(JSON.stringify(figures))
process.exit(0)
