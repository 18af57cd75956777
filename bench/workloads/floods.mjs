/** W6: floods of bad tokens. What does it cost to refuse them, whom do they hurt, do they reach the issuer? */
import { setTimeout as sleep } from 'node:timers/promises'
import { contestants, OURS, PEERS } from '../lib/contestants.mjs'
import { requestOnce } from '../lib/load.mjs'
import { list } from '../lib/options.mjs'
import { startAuthorizationServer, startLoader, startServer } from '../lib/processes.mjs'
import { countBy, format, formatCounts, markdownTable, median } from '../lib/stats.mjs'
import { save } from '../lib/store.mjs'
import { throughput } from '../lib/throughput.mjs'
import { goodToken } from './repeated.mjs'

const FLOOD_MS = 10_000
const HONEST_REQUESTS = 34

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Tokens that name keys nobody has, each another. */
function unknownKeyTokens(count) {
  const [, claims, signature] = goodToken(0).split('.')
  return Array.from({ length: count }, (_, index) => {
    const kid = `k-${index}-${Math.random().toString(36).slice(2)}`
    return `${encode({ alg: 'RS256', typ: 'at+jwt', kid })}.${claims}.${signature}`
  })
}

function kinds() {
  const past = Math.floor(Date.now() / 1000) - 7200
  const [header, claims] = goodToken(0).split('.')
  return {
    none: { title: 'no token', tokens: [null] },
    garbage: { title: 'rubbish', tokens: ['x'.repeat(800)] },
    header: {
      title: 'a JOSE header and rubbish',
      tokens: [`${header}.${'y'.repeat(400)}.${'z'.repeat(300)}`],
    },
    expired: { title: 'an expired JWT', tokens: [goodToken(0, { iat: past - 60, exp: past })] },
    audience: { title: 'a JWT for another API', tokens: [goodToken(0, { aud: 'https://other.example' })] },
    unknownKey: { title: 'JWTs of unknown keys', tokens: unknownKeyTokens(4000) },
    forged: {
      title: 'a JWT with a wrong signature (which has to be checked)',
      tokens: [`${header}.${claims}.${Buffer.alloc(256, 7).toString('base64url')}`],
    },
  }
}

/** W6: throughput of refusals. */
export async function refusals() {
  const all = kinds()
  const good = { tokens: [goodToken(0)] }
  for (const kind of list('kinds', Object.keys(all))) {
    const job = { tokens: all[kind].tokens }
    await throughput({
      id: `W6-${kind}`,
      title: `Refused: ${all[kind].title}`,
      names: contestants([OURS, 'aa-express', ...PEERS]),
      referenceJob: good,
      warm: good,
      job: () => job,
    })
  }
}

/** W6kid: ten seconds of unknown keys, an honest client meanwhile. */
export async function unknownKeys() {
  const tools = { authorizationServer: await startAuthorizationServer(), loader: await startLoader() }
  const tokens = unknownKeyTokens(20_000)
  const rows = []
  for (const name of contestants([OURS, ...PEERS])) rows.push(await flood(tools, name, tokens))
  await tools.loader.stop()
  await tools.authorizationServer.stop()
  const title = 'Ten seconds of JWTs that name unknown keys, an honest client meanwhile'
  console.log(`\n## ${title}\n\n${unknownKeysTable(rows)}`)
  save('W6kid', { title, rows })
}

async function flood({ authorizationServer, loader }, name, tokens) {
  const server = await startServer(name)
  const { port, tenant } = server
  await requestOnce({ port, token: goodToken(0) })
  await authorizationServer.call('resetStats')
  const flooding = loader.call('run', { port, tokens, connections: 32, ms: FLOOD_MS, graceMs: 65_000 })
  const honest = []
  const pauseMs = FLOOD_MS / HONEST_REQUESTS
  for (let index = 0; index < HONEST_REQUESTS; index += 1) {
    // each a token never seen before, with the key that everybody knows
    const [answer] = await Promise.all([
      requestOnce({ port, token: goodToken(index + 10), timeoutMs: 10_000 }),
      sleep(pauseMs),
    ])
    honest.push(answer)
  }
  const hostile = await flooding
  const calls = (await authorizationServer.call('stats'))[tenant]
  const { rss } = await server.call('memory')
  await server.stop()
  return {
    name,
    jwks: calls?.jwks ?? 0,
    seconds: FLOOD_MS / 1000,
    rejected: hostile.done,
    rps: hostile.rps,
    status: hostile.status,
    honest: countBy(honest.map((answer) => answer.status)),
    honestMedian: median(honest.map((answer) => answer.ms)),
    honestMax: Math.max(...honest.map((answer) => answer.ms)),
    rssMb: rss / 1e6,
  }
}

export function unknownKeysTable(rows) {
  return markdownTable(
    [
      'contestant',
      'key fetches',
      'refused/s',
      'answers',
      'honest answers',
      'their median ms',
      'max ms',
      'RSS MB',
    ],
    rows.map((row) => [
      row.name,
      row.jwks,
      format(row.rps, 0),
      formatCounts(row.status),
      formatCounts(row.honest),
      format(row.honestMedian),
      format(row.honestMax),
      format(row.rssMb, 0),
    ]),
  )
}
