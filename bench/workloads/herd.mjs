/** W5herd: 200 requests at the same moment with one token that nobody has seen. */
import { contestants, OURS, OURS_OPAQUE, PEERS, PEERS_OPAQUE } from '../lib/contestants.mjs'
import { herd, requestOnce } from '../lib/load.mjs'
import { startAuthorizationServer, startServer } from '../lib/processes.mjs'
import { format, formatCounts, markdownTable } from '../lib/stats.mjs'
import { save } from '../lib/store.mjs'
import { goodToken } from './repeated.mjs'

const COUNT = 200

export async function oneNewTokenAtOnce() {
  const authorizationServer = await startAuthorizationServer()
  const rows = []
  for (const latencyMs of [0, 50]) {
    await authorizationServer.call('set', { jwks: { latencyMs }, introspection: { latencyMs } })
    for (const name of contestants([OURS, OURS_OPAQUE, ...PEERS, ...PEERS_OPAQUE])) {
      const isOpaque = name.startsWith('opaque/')
      rows.push(await stampede(authorizationServer, name, latencyMs, isOpaque, 'warm'))
      if (!isOpaque) rows.push(await stampede(authorizationServer, name, latencyMs, isOpaque, 'no keys yet'))
    }
  }
  await authorizationServer.stop()
  console.log(`\n## ${COUNT} requests at once with one new token\n\n${herdTable(rows)}`)
  save('W5herd', { title: `${COUNT} requests at once with one new token`, rows })
}

async function stampede(authorizationServer, name, latencyMs, isOpaque, state) {
  const server = await startServer(name, { config: { countVerifications: true } })
  const { port, tenant } = server
  if (state === 'warm') await requestOnce({ port, token: isOpaque ? 'opaque-warm' : goodToken(1) })
  await authorizationServer.call('resetStats')
  const verifiedBefore = await server.call('verifications')
  const token = isOpaque ? `opaque-herd${latencyMs}` : goodToken(7)
  const answers = await herd({ port, token, count: COUNT })
  const calls = (await authorizationServer.call('stats'))[tenant]
  const verifications = (await server.call('verifications')) - verifiedBefore
  await server.stop()
  return {
    name,
    latencyMs,
    state,
    verifications,
    introspections: calls?.introspections ?? 0,
    jwks: calls?.jwks ?? 0,
    ...answers,
  }
}

export function herdTable(rows) {
  return markdownTable(
    [
      'contestant',
      'server',
      'latency of the AS, ms',
      'verifications',
      'introspections',
      'key fetches',
      'answers',
      'p50 ms',
      'max ms',
    ],
    rows.map((row) => [
      row.name,
      row.state,
      row.latencyMs,
      row.verifications,
      row.introspections,
      row.jwks,
      formatCounts(row.status),
      format(row.p50),
      format(row.max),
    ]),
  )
}
