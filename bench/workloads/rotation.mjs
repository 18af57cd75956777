/** W8: a new signing key appears. How many good tokens are refused until it is known? */
import { setTimeout as sleep } from 'node:timers/promises'
import { contestants, OURS, PEERS } from '../lib/contestants.mjs'
import { requestOnce } from '../lib/load.mjs'
import { list } from '../lib/options.mjs'
import { startAuthorizationServer, startServer } from '../lib/processes.mjs'
import { formatCounts, markdownTable } from '../lib/stats.mjs'
import { save } from '../lib/store.mjs'
import { goodToken } from './repeated.mjs'

const GIVE_UP_MS = 75_000
const ENOUGH = 5

export async function newKey() {
  const rows = []
  // some peers go blind for 30 seconds after a fetch: one run within that time, one after it
  for (const seconds of list('seconds', '1,40'.split(',')).map(Number)) rows.push(...(await rotate(seconds)))
  const title = 'A new signing key appears: a token of it and one of the old key about every 100 ms'
  console.log(`\n## ${title}\n\n${rotationTable(rows)}`)
  save('W8', { title, rows })
}

async function rotate(secondsBefore) {
  const authorizationServer = await startAuthorizationServer()
  const servers = await Promise.all(
    contestants([OURS, ...PEERS]).map((name) => startServer(name, { core: '' })),
  )
  const rotatesAt = Date.now() + secondsBefore * 1000
  for (let index = 0; index === 0 || Date.now() < rotatesAt; index += 1) {
    await Promise.all(servers.map(({ port }) => requestOnce({ port, token: goodToken(index) })))
    await sleep(500)
  }
  await authorizationServer.call('resetStats')
  await authorizationServer.call('set', { kids: ['rs256-2', 'rs256-1'] })
  const found = await Promise.all(servers.map(untilAccepted))
  const stats = await authorizationServer.call('stats')
  for (const server of servers) await server.stop()
  await authorizationServer.stop()
  return servers.map(({ name, tenant }, index) => ({
    name,
    secondsBefore,
    jwks: stats[tenant]?.jwks ?? 0,
    ...found[index],
  }))
}

async function untilAccepted({ port }) {
  const startedAt = Date.now()
  const result = { acceptedAfterMs: null, newKey: {}, oldKey: {} }
  const count = (counts, { status }) => (counts[status] = (counts[status] ?? 0) + 1)
  while (Date.now() - startedAt < GIVE_UP_MS && (result.newKey[200] ?? 0) < ENOUGH) {
    const answer = await requestOnce({ port, token: goodToken(3, {}, 'rs256-2'), timeoutMs: 20_000 })
    if (answer.status === 200) result.acceptedAfterMs ??= Date.now() - startedAt
    count(result.newKey, answer)
    count(result.oldKey, await requestOnce({ port, token: goodToken(4), timeoutMs: 20_000 }))
    await sleep(100)
  }
  return result
}

export function rotationTable(rows) {
  return markdownTable(
    [
      'contestant',
      'keys fetched so many s before',
      'accepted after ms',
      'answers, new key',
      'answers, old key',
      'key fetches',
    ],
    rows.map((row) => [
      row.name,
      row.secondsBefore,
      row.acceptedAfterMs ?? 'not within 75 s',
      formatCounts(row.newKey),
      formatCounts(row.oldKey),
      row.jwks,
    ]),
  )
}
