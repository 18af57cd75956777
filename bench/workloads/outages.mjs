/** W7: the authorization server hangs, is down, or answers 500. Who is served, who is told what, and when? */
import { setTimeout as sleep } from 'node:timers/promises'
import { contestants, OURS, OURS_OPAQUE, PEERS, PEERS_OPAQUE } from '../lib/contestants.mjs'
import { requestOnce } from '../lib/load.mjs'
import { number } from '../lib/options.mjs'
import { startAuthorizationServer, startServer } from '../lib/processes.mjs'
import { countBy, format, formatCounts, markdownTable, quantile } from '../lib/stats.mjs'
import { save } from '../lib/store.mjs'
import { goodToken } from './repeated.mjs'

const patienceMs = number('limit', 45_000)
const MODES = {
  hang: (server) => server.call('set', { jwks: { hang: true }, introspection: { hang: true } }),
  down: (server) => server.call('down'),
  500: (server) => server.call('set', { jwks: { status: 500 }, introspection: { status: 500 } }),
}
const heal = (server, mode) => server.call(mode === 'down' ? 'up' : 'heal')

const RECOVERY_LIMIT_MS = 70_000
/** More than the failures that open the breaker. */
const NEW_TOKENS = 16
const KNOWN_REQUESTS = 200

export async function outages() {
  const title = 'The authorization server hangs, is down, or answers 500'
  const peers = []
  const ours = []
  for (const mode of Object.keys(MODES)) {
    peers.push(...(await comparePeers(mode)))
    ours.push(...(await examineOurs(mode)))
  }
  console.log(`\n## ${title}\n\n${outageTable(peers)}\n\n${ourOutageTable(ours)}`)
  save('W7', { title, patienceMs, peers, ours })
}

const tokenFor = (name, mark, index) =>
  name.startsWith('opaque/') ? `opaque-${mark}-${index}` : goodToken(index)

/** Nothing is cached: a first request, a second, and when is it well again? */
async function comparePeers(mode) {
  const authorizationServer = await startAuthorizationServer()
  const names = contestants([OURS, OURS_OPAQUE, ...PEERS, ...PEERS_OPAQUE])
  const servers = await Promise.all(names.map((name) => startServer(name, { core: '' })))
  await MODES[mode](authorizationServer)
  const ask = (index) =>
    Promise.all(
      servers.map(({ name, port }) =>
        requestOnce({ port, token: tokenFor(name, mode, index), timeoutMs: patienceMs }),
      ),
    )
  const first = await ask(1)
  const second = await ask(2)
  const unhandled = await Promise.all(servers.map((server) => server.call('unhandled')))
  await heal(authorizationServer, mode)
  const recovered = await Promise.all(servers.map((server) => untilServed(server, `${mode}-back`)))
  const rows = servers.map((server, index) => ({
    name: server.name,
    mode,
    first: pick(first[index]),
    second: pick(second[index]),
    recoveredMs: recovered[index],
    unhandled: unhandled[index],
    alive: server.isAlive(),
  }))
  for (const server of servers) await server.stop()
  await authorizationServer.stop()
  return rows
}

const pick = ({ status, ms, challenge, retryAfter }) => ({ status, ms, challenge, retryAfter })

async function untilServed({ name, port }, mark) {
  const startedAt = Date.now()
  for (let index = 0; Date.now() - startedAt < RECOVERY_LIMIT_MS; index += 1) {
    const token = tokenFor(name, mark, index)
    const { status } = await requestOnce({ port, token, timeoutMs: 15_000 })
    if (status === 200) return Date.now() - startedAt
    await sleep(100)
  }
  return null
}

/** What is known keeps being served; the rest is told the truth, in time. */
async function examineOurs(mode) {
  const authorizationServer = await startAuthorizationServer()
  const rows = []
  for (const name of [OURS, OURS_OPAQUE]) {
    const server = await startServer(name, { core: '' })
    const isOpaque = name === OURS_OPAQUE
    const hot = isOpaque ? 'opaque-hot' : goodToken(1)
    const ask = (token) => requestOnce({ port: server.port, token, timeoutMs: patienceMs })
    await ask(hot)
    await MODES[mode](authorizationServer)
    // a JWT of a known key needs nobody; one of a new key, and every new opaque token, does
    const unknown = (index) =>
      isOpaque ? `opaque-${mode}-new-${index}` : goodToken(index, {}, 'rs256-2', { kid: `new-${mode}` })
    const waiting = []
    for (let index = 0; index < NEW_TOKENS; index += 1) waiting.push(ask(unknown(index)))
    const known = []
    for (let index = 0; index < KNOWN_REQUESTS; index += 1) known.push(await ask(hot))
    const told = await Promise.all(waiting)
    const suspended = []
    for (let index = 0; index < 5; index += 1) suspended.push(await ask(unknown(NEW_TOKENS + index)))
    await heal(authorizationServer, mode)
    rows.push({
      name,
      mode,
      known: countBy(known.map((answer) => answer.status)),
      told: countBy(told.map((answer) => answer.status)),
      toldWithinMs: Math.max(...told.map((answer) => answer.ms)),
      suspended: countBy(suspended.map((answer) => answer.status)),
      suspendedMs: quantile(
        suspended.map((answer) => answer.ms),
        0.5,
      ),
      recoveredMs: isOpaque ? await untilServed(server, `${mode}-again`) : null,
      unhandled: await server.call('unhandled'),
    })
    await server.stop()
  }
  await authorizationServer.stop()
  return rows
}

const told = ({ status, ms }) => `${status} (${format(ms, 0)} ms)`

export function outageTable(rows) {
  return markdownTable(
    [
      'contestant',
      'the AS',
      'first request',
      'second request',
      'challenge or Retry-After',
      'served again after ms',
      'remarks',
    ],
    rows.map((row) => [
      row.name,
      row.mode,
      told(row.first),
      told(row.second),
      row.first.retryAfter
        ? `Retry-After: ${row.first.retryAfter}`
        : (row.first.challenge ?? '').slice(0, 60),
      row.recoveredMs ?? 'never',
      [row.alive ? '' : 'crashed', row.unhandled ? `${row.unhandled} unhandled rejections` : '']
        .filter(Boolean)
        .join(', '),
    ]),
  )
}

export function ourOutageTable(rows) {
  return markdownTable(
    [
      '',
      'the AS',
      'known tokens',
      'not knowable',
      'told within ms',
      'once it is known to fail',
      'told in ms',
      'served again after ms',
    ],
    rows.map((row) => [
      row.name,
      row.mode,
      formatCounts(row.known),
      formatCounts(row.told),
      format(row.toldWithinMs, 0),
      formatCounts(row.suspended),
      format(row.suspendedMs),
      row.recoveredMs ?? '',
    ]),
  )
}
