/**
 * Minutes of full load while everything happens that happens in a year: keys rotate every 20 s, the
 * authorization server fails for 10 s every 45 s (it hangs, is down, answers 500), one request in twenty is
 * hostile. Every single answer is judged by what could be known when it was given.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { OURS } from './lib/contestants.mjs'
import { connectClient } from './lib/load.mjs'
import { list, number } from './lib/options.mjs'
import { AUDIENCE, ISSUER, startAuthorizationServer, startServer } from './lib/processes.mjs'
import { format, formatCounts, markdownTable, median } from './lib/stats.mjs'
import { nodeVersion, save } from './lib/store.mjs'
import { claimsOf, mint, newKey } from './lib/tokens.mjs'

const DURATION_MS = number('minutes', 10) * 60_000
/** Memory is compared from then on: caches are full and code is compiled. */
const SETTLED_MS = Math.min(60_000, DURATION_MS / 2)
const ROTATE_MS = 20_000
const FAIL_EVERY_MS = 45_000
const FAIL_FOR_MS = 10_000
const SAMPLE_MS = 2_000
const CONNECTIONS = 32
const PATIENCE_MS = 15_000
const USERS = 200
const FAILURES = ['hang', 'down', '500']

/** Small, so that caches are full, and evicting, from the first minute on. */
const CACHE_ENTRIES = 2_000
/** The middleware's own limits, all defaults: how long after an outage it may still say "not now". */
const INTROSPECTION_PAUSE_MS = 5_000 + 2_000
const KEYS_PAUSE_MS = 15_000 + 5_000
/** One look-up of unknown names in so many ms: hostile names may use it up just before a rotation. */
const COOLDOWN_MS = 10_000
const SLACK_MS = 1_000
const MAX_GROWTH = 1.1
/** Wrong answers that are told one by one. */
const SHOWN = 20

export async function soak() {
  const world = await createWorld()
  const run = { world, answers: {}, wrong: [], wrongCount: 0, samples: [], startedAt: Date.now(), count: 0 }
  const isOver = () => Date.now() - run.startedAt >= DURATION_MS
  await Promise.all([
    rotateKeys(world, isOver),
    failAndHeal(world, isOver),
    sampleMemory(run, isOver),
    ...Array.from({ length: CONNECTIONS }, (_, index) => client(run, isOver, index)),
  ])
  const unhandled = await world.server.call('unhandled')
  const isAlive = world.server.isAlive()
  await world.server.stop()
  await world.authorizationServer.stop()
  const result = conclude(run, { unhandled, isAlive })
  save('soak', result)
  console.log(`\n## ${result.title}, Node ${nodeVersion}\n\n${soakTable(result)}`)
  for (const sentence of result.complaints) console.error(sentence)
  if (result.complaints.length > 0) process.exitCode = 1
}

async function createWorld() {
  const authorizationServer = await startAuthorizationServer()
  const world = { authorizationServer, keys: [], failing: undefined, healedAt: 0, failedAt: 0, generation: 0 }
  await rotate(world)
  world.server = await startServer(list('only', [OURS])[0], {
    nodeArgs: ['--expose-gc'],
    config: { cacheMaxEntries: CACHE_ENTRIES },
  })
  return world
}

/** The newest key signs; the one before is still good; the one before that is withdrawn. */
async function rotate(world) {
  world.generation += 1
  const key = newKey(`soak-${world.generation}`, 'ES256')
  const entry = { key, publishedAt: 0, withdrawnAt: Infinity, knownAt: Infinity, tokens: [] }
  for (let user = 0; user < USERS; user += 1) entry.tokens.push(tokenOf(entry, user))
  // the authorization server is steered over IPC, so keys rotate even while it fails
  const remaining = [entry, ...world.keys].slice(0, 2)
  for (const gone of world.keys.slice(1)) gone.withdrawnAt = Math.min(gone.withdrawnAt, Date.now())
  await world.authorizationServer.call('set', { keys: remaining.map((each) => each.key.jwk) })
  entry.publishedAt = Date.now()
  world.keys = [entry, ...world.keys].slice(0, 3)
}

const tokenOf = ({ key }, user, extra) => mint(key, claimsOf(ISSUER, AUDIENCE, user, extra))

async function rotateKeys(world, isOver) {
  for (;;) {
    await sleepUnless(isOver, ROTATE_MS)
    if (isOver()) return
    await rotate(world)
  }
}

async function failAndHeal(world, isOver) {
  for (let round = 0; ; round += 1) {
    await sleepUnless(isOver, FAIL_EVERY_MS - FAIL_FOR_MS)
    if (isOver()) return
    const mode = FAILURES[round % FAILURES.length]
    world.failedAt = Date.now()
    world.failing = mode
    if (mode === 'down') await world.authorizationServer.call('down')
    else await world.authorizationServer.call('set', { jwks: failure(mode), introspection: failure(mode) })
    await sleepUnless(isOver, FAIL_FOR_MS)
    await world.authorizationServer.call(mode === 'down' ? 'up' : 'heal')
    world.failing = undefined
    world.healedAt = Date.now()
  }
}

const failure = (mode) => (mode === 'hang' ? { hang: true } : { status: 500 })

async function sleepUnless(isOver, ms) {
  const until = Date.now() + ms
  while (!isOver() && Date.now() < until) await sleep(Math.min(200, Math.max(1, until - Date.now())))
}

async function sampleMemory({ world, samples, startedAt }, isOver) {
  while (!isOver()) {
    await sleepUnless(isOver, SAMPLE_MS)
    const memory = await world.server.call('memory')
    if (memory)
      samples.push({ ms: Date.now() - startedAt, heap: memory.heapUsed + memory.external, rss: memory.rss })
  }
}

async function client(run, isOver, index) {
  let connection = await connectClient(run.world.server.port)
  for (let count = index; !isOver(); count += CONNECTIONS) {
    const request = nextRequest(run.world, count)
    const sentAt = Date.now()
    const answer = await connection.request(request.token, PATIENCE_MS)
    judge(run, request, answer, sentAt)
    // a lost connection was judged; the next one shows whether the server lives
    if (!connection.isOpen()) connection = await connectClient(run.world.server.port)
  }
  connection.close()
}

const OPAQUE_BASE = `soak-${process.pid}`

/** Of twenty requests: eleven hot JWTs, three new ones, three hot opaque tokens, two new ones, one hostile. */
function nextRequest(world, count) {
  const [newest, former] = world.keys
  const key = former && count % 3 === 0 ? former : newest
  const user = Math.floor(Math.random() * USERS)
  const turn = count % 20
  if (turn < 11) return { kind: 'JWT again', key, token: key.tokens[user], sub: subjectOf(user) }
  if (turn < 14) {
    const other = 1_000_000 + count
    return { kind: 'JWT new', key, token: tokenOf(key, other), sub: subjectOf(other) }
  }
  if (turn < 17) return opaque('opaque again', `${OPAQUE_BASE}-${user}`)
  if (turn < 19) return opaque('opaque new', `${OPAQUE_BASE}-new-${count}`)
  return hostile(world, count)
}

const subjectOf = (index) => `user-${String(index).padStart(8, '0')}`
const opaque = (kind, name) => ({ kind, token: `opaque-${name}`, sub: `user-${name}` })

/** Bad tokens, with the answers that are right: never 200, and 503 only where somebody had to be asked. */
function hostile({ keys }, count) {
  const [newest, former = newest, withdrawn] = keys
  const token = former.tokens[0]
  const [header, claims, signature] = token.split('.')
  const past = Math.floor(Date.now() / 1000) - 3600
  const unknown = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid: `x-${count}` }))
  const kinds = [
    () => ({ kind: 'no token', token: null, right: [401] }),
    () => ({ kind: 'rubbish', token: `rubbish-${count}`, right: [401, 503] }),
    () => ({ kind: 'malformed JWT', token: `${header}.%%.${signature}`, right: [400] }),
    () => ({ kind: 'expired', token: tokenOf(former, 1, { exp: past, iat: past - 60 }), right: [401] }),
    () => ({
      kind: 'other audience',
      token: tokenOf(former, 1, { aud: 'https://other.example' }),
      right: [401],
    }),
    () => ({ kind: 'forged', token: `${header}.${claims}.${'A'.repeat(86)}`, right: [401, 503] }),
    () => ({
      kind: 'unknown key',
      token: `${unknown.toString('base64url')}.${claims}.${signature}`,
      right: [401, 503],
    }),
    () => ({ kind: 'withdrawn key', token: withdrawn?.tokens[0] ?? null, key: withdrawn, right: [401, 503] }),
  ]
  return { hostile: true, ...kinds[Math.floor(count / 20) % kinds.length]() }
}

function judge(run, request, answer, sentAt) {
  const { kind } = request
  run.count += 1
  run.answers[kind] ??= {}
  run.answers[kind][answer.status] = (run.answers[kind][answer.status] ?? 0) + 1
  const complaint = request.hostile
    ? complaintOfHostile(run.world, request, answer)
    : complaintOfGood(run.world, request, answer, sentAt)
  if (!complaint) return
  run.wrongCount += 1
  if (run.wrong.length < SHOWN) {
    const at = ((sentAt - run.startedAt) / 1000).toFixed(1)
    run.wrong.push(`${at} s: ${kind}: ${answer.status}, ${complaint}${answer.body ? `: ${answer.body}` : ''}`)
  }
}

function complaintOfHostile({ keys }, { kind, right, key }, { status }) {
  if (right.includes(status)) return undefined
  // a withdrawn key may serve until the next fetch, which the first token of its successor's successor caused
  const isStillServed = kind === 'withdrawn key' && (!key || keys[0].knownAt > Date.now() - SLACK_MS)
  return isStillServed ? undefined : `right would be ${right.join(' or ')}`
}

function complaintOfGood(world, { kind, key, sub }, { status, body }, sentAt) {
  if (status === 200) {
    if (key) key.knownAt = Math.min(key.knownAt, Date.now())
    const found = JSON.parse(body).sub
    return found === sub ? undefined : `for ${sub} it says ${found}`
  }
  // withdrawn while the request was under way
  if (key && key.withdrawnAt < Date.now() + SLACK_MS) return undefined
  if (status !== 503) return 'a good token is never refused'
  if (key) {
    if (key.knownAt < sentAt) return 'the key was known'
    const knowableAt = Math.max(key.publishedAt + COOLDOWN_MS, world.healedAt + KEYS_PAUSE_MS) + SLACK_MS
    return world.failing || sentAt < knowableAt ? undefined : 'the key could have been known'
  }
  if (world.failing || sentAt < world.healedAt + INTROSPECTION_PAUSE_MS + SLACK_MS) return undefined
  return `${kind}: the authorization server could have been asked`
}

function conclude({ samples, answers, wrong, wrongCount, count }, { unhandled, isAlive }) {
  const settled = samples.filter((sample) => sample.ms >= SETTLED_MS)
  const third = Math.max(1, Math.floor(settled.length / 3))
  const heapOf = (part) => median(part.map((sample) => sample.heap)) / 1e6
  const heap = { early: heapOf(settled.slice(0, third)), late: heapOf(settled.slice(-third)) }
  const complaints = [
    ...wrong,
    ...(wrongCount > wrong.length ? [`… and ${wrongCount - wrong.length} more wrong answers`] : []),
    ...(unhandled ? [`${unhandled} unhandled rejections`] : []),
    ...(isAlive ? [] : ['the server died']),
    ...(heap.late <= heap.early * MAX_GROWTH ? [] : [`the heap grew from ${heap.early} to ${heap.late} MB`]),
  ]
  return {
    title: `${format(DURATION_MS / 60_000)} minutes of full load, rotations, outages and hostile traffic`,
    minutes: DURATION_MS / 60_000,
    requests: count,
    rps: count / (DURATION_MS / 1000),
    wrong: wrongCount,
    unhandled,
    isAlive,
    heapMb: heap,
    rssMb: median(settled.map((sample) => sample.rss)) / 1e6,
    answers,
    complaints,
  }
}

export function soakTable({ requests, rps, wrong, unhandled, heapMb, rssMb, answers }) {
  const summary = markdownTable(
    ['requests', 'requests/s', 'wrong answers', 'unhandled rejections', 'heap MB, early', 'late', 'RSS MB'],
    [
      [
        requests.toLocaleString('en'),
        format(rps, 0),
        wrong,
        unhandled,
        format(heapMb.early, 1),
        format(heapMb.late, 1),
        format(rssMb, 0),
      ],
    ],
  )
  const kinds = Object.entries(answers).map(([kind, counts]) => [kind, formatCounts(counts)])
  return `${summary}\n\n${markdownTable(['token', 'answers'], kinds)}`
}
