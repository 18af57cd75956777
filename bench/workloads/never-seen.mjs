/** W3: every request brings a JWT that was never seen before. */
import { BY_HAND, contestants, OURS, PEERS, supports } from '../lib/contestants.mjs'
import { number, options } from '../lib/options.mjs'
import { AUDIENCE, ISSUER } from '../lib/processes.mjs'
import { rounds, throughput, TRIES } from '../lib/throughput.mjs'
import { tokenPool } from '../lib/tokens.mjs'
import { goodToken, keys } from './repeated.mjs'

/** Enough for a window of the fastest contestant. */
const perWindow = number('per', 3000)

export async function everyTokenNew(alg = options.alg ?? 'RS256') {
  const parts = Math.ceil(rounds * Math.min(TRIES, 1.8)) + 2
  const key = keys[`${alg.toLowerCase()}-1`]
  const file = tokenPool({ key, issuer: ISSUER, audience: AUDIENCE, count: perWindow * parts })
  // every server process walks through the pool once; the first part is for warming up
  const used = new WeakMap()
  function nextPart(server) {
    const part = (used.get(server) ?? 0) + 1
    used.set(server, part)
    return part < parts ? { file, from: perWindow * part, count: perWindow, order: 'once' } : null
  }
  await throughput({
    id: `W3-${alg}`,
    title: `Every JWT new (${alg})`,
    names: contestants([OURS, 'aa-express', ...PEERS, ...BY_HAND]).filter((name) => supports(name, alg)),
    referenceJob: { tokens: [goodToken(0)] },
    warm: { file, count: perWindow },
    job: nextPart,
    config: { alg },
  })
}
