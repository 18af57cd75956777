/**
 * The precise figure for small costs: each contestant's app called in-process (no sockets, but a real
 * IncomingMessage and ServerResponse), a process each, all on one core, in turns of a few milliseconds:
 * REF B REF B …, so that both see the same machine. It resolves about 0.3 µs.
 */
import { contestants, OURS, OURS_OPAQUE, PEERS, PEERS_OPAQUE } from './lib/contestants.mjs'
import { node, number, options } from './lib/options.mjs'
import {
  AUDIENCE,
  contestantConfig,
  contestantFile,
  ISSUER,
  SERVER_CORE,
  start,
  startAuthorizationServer,
} from './lib/processes.mjs'
import { format, markdownTable, median, quantile, range } from './lib/stats.mjs'
import { nodeVersion, save } from './lib/store.mjs'
import { claimsOf, loadKeys, mint, tokenPool } from './lib/tokens.mjs'

const pairs = number('pairs', 150)
const sliceMs = number('slice', 12)
const generations = number('gens', 2)
const WARM_MS = 2500
const MAX_DRIFT = 0.15
/** Only turns in which the machine was about as fast as it gets. */
const FAST = 1.3

const key = loadKeys()['rs256-1']
const JWT = {
  names: [OURS, 'aa-express', 'noop', ...PEERS],
  tokens: [mint(key, claimsOf(ISSUER, AUDIENCE, 0))],
}
const OPAQUE = { names: [OURS_OPAQUE, 'aa-express', ...PEERS_OPAQUE], tokens: ['opaque-1'] }

/** `--mode=jwt` (default), `opaque`, or `zipf` for 512 JWTs in turn. */
export async function inject(mode = options.mode ?? 'jwt') {
  const authorizationServer = await startAuthorizationServer()
  const { names, tokens } = mode === 'opaque' ? OPAQUE : JWT
  const load =
    mode === 'zipf'
      ? { file: tokenPool({ key, issuer: ISSUER, audience: AUDIENCE, count: 512 }), count: 512 }
      : { tokens }
  const rows = []
  for (const name of contestants(names)) rows.push(await compare(name, load))
  rows.sort((a, b) => a.extraUs - b.extraUs)
  await authorizationServer.stop()
  const title = `Called in-process (${mode})`
  console.log(`\n## ${title}, Node ${nodeVersion}\n\n${injectTable(rows)}`)
  save(`inject-${mode}`, { title, rows })
}

const startApp = (name, load) =>
  start(
    'processes/in-process.mjs',
    [contestantFile(name), JSON.stringify({ ...contestantConfig(name), alg: 'RS256', ...load })],
    { core: SERVER_CORE, under: node },
  )

async function compare(name, load) {
  const turns = []
  let refused = 0
  for (let generation = 0; generation < generations; generation += 1) {
    const reference = await startApp('bare-express', load)
    const app = await startApp(name, load)
    await reference.call('run', WARM_MS)
    await app.call('run', WARM_MS)
    let before = await reference.call('run', sliceMs)
    for (let pair = 0; pair < pairs; pair += 1) {
      const own = await app.call('run', sliceMs)
      const after = await reference.call('run', sliceMs)
      const referenceUs = (before.us + after.us) / 2
      const isSteady = Math.abs(before.us - after.us) / referenceUs < MAX_DRIFT
      if (isSteady) turns.push({ referenceUs, extraUs: own.us - referenceUs })
      refused = own.refused
      before = after
    }
    await app.stop()
    await reference.stop()
  }
  const fastest = quantile(
    turns.map((turn) => turn.referenceUs),
    0.1,
  )
  const kept = turns.filter((turn) => turn.referenceUs < fastest * FAST)
  const extra = kept.map((turn) => turn.extraUs)
  return {
    name,
    extraUs: median(extra),
    extraHalf: [quantile(extra, 0.25), quantile(extra, 0.75)],
    referenceUs: median(kept.map((turn) => turn.referenceUs)),
    turns: kept.length,
    tried: pairs * generations,
    refused,
  }
}

export function injectTable(rows) {
  return markdownTable(
    ['contestant', 'extra µs a request', 'middle half', 'reference µs', 'turns'],
    rows.map((row) => [
      row.name,
      format(row.extraUs),
      range(row.extraHalf),
      format(row.referenceUs),
      `${row.turns}/${row.tried}${row.refused ? ` (${row.refused} not 200)` : ''}`,
    ]),
  )
}
