/** Every contestant once: what does it answer to a good token and to bad ones? A contestant that accepts a bad one is broken. */
import { contestants, BY_HAND, OURS, OURS_OPAQUE, PEERS, PEERS_OPAQUE } from './lib/contestants.mjs'
import { requestOnce } from './lib/load.mjs'
import { startAuthorizationServer, startServer } from './lib/processes.mjs'
import { markdownTable } from './lib/stats.mjs'
import { goodToken } from './workloads/repeated.mjs'

function jwts() {
  const good = goodToken(1)
  const flipped = good.at(-20) === 'A' ? 'B' : 'A'
  const past = Math.floor(Date.now() / 1000) - 3600
  return {
    good,
    none: null,
    garbage: 'abc.def.ghi',
    expired: goodToken(1, { exp: past }),
    audience: goodToken(1, { aud: 'https://other.example' }),
    issuer: goodToken(1, { iss: 'https://evil.example' }),
    forged: `${good.slice(0, -20)}${flipped}${good.slice(-19)}`,
  }
}

export async function smoke() {
  const authorizationServer = await startAuthorizationServer()
  const broken = []
  const rows = []
  for (const name of contestants([OURS, OURS_OPAQUE, ...PEERS, ...BY_HAND, ...PEERS_OPAQUE])) {
    const tokens = name.startsWith('opaque/') ? { good: 'opaque-1', none: null, garbage: 'dead-1' } : jwts()
    const server = await startServer(name)
    const found = {}
    for (const [kind, token] of Object.entries(tokens)) {
      found[kind] = (await requestOnce({ port: server.port, token, timeoutMs: 8000 })).status
      if ((found[kind] === 200) !== (kind === 'good')) broken.push(`${name}: ${kind} ${found[kind]}`)
    }
    rows.push([name, ...Object.keys(jwts()).map((kind) => found[kind] ?? '')])
    await server.stop()
  }
  await authorizationServer.stop()
  console.log(markdownTable(['contestant', ...Object.keys(jwts())], rows))
  if (broken.length > 0) throw new Error(`broken contestants: ${broken.join(', ')}`)
}
