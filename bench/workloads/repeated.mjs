/** W1, W2: tokens that come again. */
import { BY_HAND, contestants, LIMITS, OURS, PEERS } from '../lib/contestants.mjs'
import { AUDIENCE, ISSUER } from '../lib/processes.mjs'
import { throughput } from '../lib/throughput.mjs'
import { claimsOf, loadKeys, mint, tokenPool } from '../lib/tokens.mjs'

export const keys = loadKeys()

/** A good token for user number `index`. */
export const goodToken = (index, extra = {}, kid = 'rs256-1', header = {}) =>
  mint(keys[kid], claimsOf(ISSUER, AUDIENCE, index, extra), header)

/** W1: one hot JWT. */
export async function oneToken() {
  const job = { tokens: [goodToken(0)] }
  const title = `One JWT again and again (RS256, ${job.tokens[0].length} bytes)`
  const names = contestants([OURS, ...LIMITS, ...PEERS, ...BY_HAND])
  await throughput({ id: 'W1', title, names, referenceJob: job, warm: job, job: () => job })
}

/** W1c1: the latency of an unloaded server. */
export async function oneConnection() {
  const job = { tokens: [goodToken(0)], connections: 1 }
  const title = 'One JWT again and again, one connection'
  const names = contestants([OURS, ...LIMITS, ...PEERS])
  await throughput({ id: 'W1c1', title, names, referenceJob: job, warm: job, job: () => job })
}

/** W2: a few tokens often, many rarely. */
export async function manyTokens() {
  const file = tokenPool({ key: keys['rs256-1'], issuer: ISSUER, audience: AUDIENCE, count: 1000 })
  const job = { file, count: 1000, order: 'zipf' }
  const title = '1000 JWTs, the k-th with a frequency of about 1/k'
  const names = contestants([OURS, 'aa-express', ...PEERS])
  const referenceJob = { tokens: [goodToken(0)] }
  await throughput({ id: 'W2', title, names, referenceJob, warm: job, job: () => job })
}
