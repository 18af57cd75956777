/** What this library set out to reach, and whether it does. Ratios are taken within one run. */
import { OURS, OURS_OPAQUE } from '../lib/contestants.mjs'
import { format } from '../lib/stats.mjs'

const REACHED = 'reached'
const NOISE = 'within the noise'
const MISSED = '**not reached**'
const UNKNOWN = 'not measured'
const TOO_NOISY = 'too noisy to say'
const INCOMPLETE = 'incomplete'

/** Fewer undisturbed windows, or bare Express further from itself: such a run decides nothing, either way. */
const MIN_WINDOWS = 4
const MAX_BIAS = 0.15
/** Turns of `inject`; each is short, so many are wanted. */
const MIN_TURNS = 20
const SIZES = [10_000, 100_000, 1_000_000]
const MIN_SOAK_MINUTES = 10

const row = (result, name) => result?.rows?.find((each) => each.name === name)

/** A goal that has not been measured; or `{ goal, reached, verdict }`. */
function goal(text, measure) {
  const found = measure()
  if (!found || found.values.some((value) => value === undefined || value === null || Number.isNaN(value))) {
    return { goal: text, reached: '–', verdict: UNKNOWN }
  }
  const verdict = found.isMet ? REACHED : found.isNearly ? NOISE : MISSED
  return { goal: text, reached: found.reached, verdict: found.instead ?? verdict }
}

/** Whether a run of windows can decide about these contestants. */
function doubt(result, ...rows) {
  const noise = row(result, 'aa-express')?.ratio ?? 1
  const isDecisive = Math.abs(1 - noise) <= MAX_BIAS && rows.every((each) => each.windows >= MIN_WINDOWS)
  return isDecisive ? undefined : TOO_NOISY
}

const doubtTurns = (...rows) => (rows.every((each) => each?.turns >= MIN_TURNS) ? undefined : TOO_NOISY)

/** At least `limit`; within the noise if the upper quartile is, or the figure freed from the bias of A/A. */
function atLeast(text, limit, result, name) {
  return goal(text, () => {
    const ours = row(result, name)
    if (!ours) return undefined
    const noise = row(result, 'aa-express')?.ratio
    const corrected = noise ? ours.ratio / Math.min(1, noise) : ours.ratio
    return {
      values: [ours.ratio],
      reached: `${format(ours.ratio)} (${format(ours.ratioHalf[0])}–${format(ours.ratioHalf[1])}${noise ? `; A/A ${format(noise)}` : ''})`,
      isMet: ours.ratio >= limit,
      isNearly: Math.max(corrected, ours.ratioHalf[1]) >= limit,
      instead: doubt(result, ours),
    }
  })
}

function atMost(text, limit, unit, value, { nearly = limit, instead } = {}) {
  return goal(text, () => ({
    values: [value],
    instead,
    reached: `${format(value)} ${unit}`,
    isMet: value <= limit,
    isNearly: value <= nearly,
  }))
}

function timesJose(text, limit, result) {
  return goal(text, () => {
    const [ours, jose] = [row(result, OURS), row(result, 'jose')]
    if (!ours || !jose) return undefined
    const times = ours.ratio / jose.ratio
    return {
      values: [times],
      reached: `${format(times)} ×`,
      isMet: times >= limit,
      isNearly: ours.ratioHalf[1] / jose.ratioHalf[0] >= limit && times >= 0.9 * limit,
      instead: doubt(result, ours, jose),
    }
  })
}

function p99OfJose(text, result) {
  return goal(text, () => {
    const [ours, jose] = [row(result, OURS), row(result, 'jose')]
    if (!ours || !jose) return undefined
    return {
      values: [ours.p99Ratio, jose.p99Ratio],
      reached: `${format(ours.p99Ratio)} × bare Express, jose ${format(jose.p99Ratio)} ×`,
      isMet: ours.p99Ratio <= jose.p99Ratio,
      isNearly: ours.p99Ratio <= 1.15 * jose.p99Ratio,
      instead: doubt(result, ours, jose),
    }
  })
}

const counts = (found, status) => Object.entries(found).every(([code]) => code === String(status))

export function goals(results) {
  return [
    ...repeated(results),
    ...neverSeen(results),
    ...herds(results),
    ...floods(results),
    ...outages(results),
    ...rotation(results),
    ...memory(results),
    ...startup(results),
    ...soak(results),
  ]
}

function repeated(results) {
  const jwt = results['inject-jwt']
  const added = row(jwt, OURS)?.extraUs
  const addedOpaque = row(results['inject-opaque'], OURS_OPAQUE)
  const peer = row(jwt, 'express-oauth2-jwt-bearer')?.extraUs
  const fastJwt = row(jwt, 'fast-jwt-cached')?.extraUs
  return [
    atLeast('A JWT again: ≥ 0.88 of bare Express', 0.88, results.W1, OURS),
    atLeast('An opaque token again: ≥ 0.88 of bare Express', 0.88, results['W5-hot'], OURS_OPAQUE),
    atMost('A JWT again: at most 4 µs added', 4, 'µs', added, {
      nearly: 4.3,
      instead: doubtTurns(row(jwt, OURS)),
    }),
    atMost('An opaque token again: at most 4 µs added', 4, 'µs', addedOpaque?.extraUs, {
      nearly: 4.3,
      instead: doubtTurns(addedOpaque),
    }),
    goal('A JWT again: at most 1/20 of what express-oauth2-jwt-bearer adds', () => ({
      values: [added, peer],
      reached: `1/${format(peer / added, 0)} (${format(added)} of ${format(peer)} µs)`,
      isMet: added <= peer / 20,
      instead: doubtTurns(row(jwt, OURS), row(jwt, 'express-oauth2-jwt-bearer')),
    })),
    goal('A JWT again: less added than fast-jwt with its cache', () => ({
      values: [added, fastJwt],
      reached: `${format(added)} against ${format(fastJwt)} µs`,
      isMet: added < fastJwt,
      isNearly: added < fastJwt + 0.3,
      instead: doubtTurns(row(jwt, OURS), row(jwt, 'fast-jwt-cached')),
    })),
    goal('Many JWTs, some often: as one again and again, within 5 %', () => {
      const [many, one] = [row(results.W2, OURS), row(results.W1, OURS)]
      if (!many || !one) return undefined
      return {
        values: [many.ratio],
        reached: `${format(many.ratio)} against ${format(one.ratio)}`,
        isMet: many.ratio >= 0.95 * one.ratio,
        isNearly: many.ratioHalf[1] >= 0.95 * one.ratioHalf[0] && many.ratio >= 0.88 * one.ratio,
        instead: doubt(results.W1, one) ?? doubt(results.W2, many),
      }
    }),
  ]
}

function neverSeen(results) {
  const rsa = ['RS256', 'PS256'].flatMap((alg) => [
    atLeast(`Every JWT new, ${alg}: ≥ 0.70 of bare Express`, 0.7, results[`W3-${alg}`], OURS),
    timesJose(`Every JWT new, ${alg}: ≥ 1.9 × jose`, 1.9, results[`W3-${alg}`]),
  ])
  const curves = ['ES256', 'EdDSA'].map((alg) =>
    timesJose(`Every JWT new, ${alg}: ≥ 1.3 × jose`, 1.3, results[`W3-${alg}`]),
  )
  const tails = ['RS256', 'PS256', 'ES256', 'EdDSA'].map((alg) =>
    p99OfJose(`Every JWT new, ${alg}: p99 no worse than jose's`, results[`W3-${alg}`]),
  )
  const cold = atLeast(
    'Every opaque token new: ≥ 0.45 of bare Express',
    0.45,
    results['W5-cold'],
    OURS_OPAQUE,
  )
  return [...rsa, ...curves, ...tails, cold]
}

function herds({ W5herd }) {
  const ours = (name) => W5herd?.rows.filter((each) => each.name === name) ?? []
  const check = (name, figure) => () => {
    const rows = ours(name)
    if (rows.length === 0) return undefined
    const most = Math.max(...rows.map((each) => each[figure]))
    return {
      values: [most],
      reached: `${most}, all ${rows.every((each) => counts(each.status, 200)) ? 'served' : '**not** served'}`,
      isMet: most === 1 && rows.every((each) => counts(each.status, 200)),
    }
  }
  return [
    goal('200 requests at once with one new JWT: one verification', check(OURS, 'verifications')),
    goal('200 requests at once with one new opaque token: one call', check(OURS_OPAQUE, 'introspections')),
  ]
}

const CHEAP_REFUSALS = {
  none: 'no token',
  garbage: 'rubbish',
  header: 'a malformed JWT',
  expired: 'an expired JWT',
  audience: "another API's JWT",
  unknownKey: 'unknown keys',
}

function floods(results) {
  const ours = row(results.W6kid, OURS)
  const served = ours?.honest[200] ?? 0
  const asked = ours && Object.values(ours.honest).reduce((sum, count) => sum + count, 0)
  return [
    ...Object.entries(CHEAP_REFUSALS).map(([kind, title]) =>
      atLeast(`A flood (${title}): refused at ≥ 0.7 of bare Express`, 0.7, results[`W6-${kind}`], OURS),
    ),
    // a flood of ten seconds meets the beginning of two cooldowns of ten seconds at most
    atMost('A flood of unknown keys: at most one key fetch for each cooldown', 1, 'in 10 s', ours?.jwks, {
      nearly: 2,
    }),
    goal('… meanwhile every honest request served, with a median under 20 ms', () => ({
      values: [ours?.honestMedian],
      reached: `${served} of ${asked}, median ${format(ours?.honestMedian)} ms`,
      isMet: served === asked && ours?.honestMedian < 20,
    })),
  ]
}

/** Defaults: `timeoutMs` of introspection and of keys, and the seconds until a trial. */
const TIMEOUT_MS = { [OURS]: 5000, [OURS_OPAQUE]: 2000 }
const TRIAL_MS = 5000
/** A poll every 100 ms finds out that it is well again. */
const POLL_MS = 250

function outages({ W7 }) {
  const rows = W7?.ours ?? []
  const measured = (test) => () => (rows.length === 0 ? undefined : test())
  const latest = Math.max(...rows.map((each) => each.toldWithinMs))
  const suspendedMs = Math.max(
    ...rows.filter((each) => each.name === OURS_OPAQUE).map((each) => each.suspendedMs),
  )
  const recovered = rows
    .filter((each) => each.name === OURS_OPAQUE)
    .map((each) => each.recoveredMs ?? Infinity)
  return [
    goal(
      'An outage: known tokens are served',
      measured(() => ({
        values: [],
        reached: rows.every((each) => counts(each.known, 200)) ? '100 %' : 'not all',
        isMet: rows.every((each) => counts(each.known, 200)),
      })),
    ),
    goal(
      'An outage: the others are told 503 within timeoutMs + 50 ms',
      measured(() => ({
        values: [latest],
        reached: `${format(latest, 0)} ms at the latest (timeouts 2000 and 5000 ms)`,
        isMet: rows.every(
          (each) => counts(each.told, 503) && each.toldWithinMs <= TIMEOUT_MS[each.name] + 50,
        ),
      })),
    ),
    goal(
      'An outage: 503 at once while the breaker is open',
      measured(() => ({
        values: [suspendedMs],
        reached: `${format(suspendedMs)} ms`,
        isMet: suspendedMs < 20 && rows.every((each) => counts(each.suspended, 503)),
      })),
    ),
    goal(
      'After an outage: served again within one trial interval (5 s)',
      measured(() => ({
        values: recovered,
        reached: `${format(Math.max(...recovered) / 1000)} s at the latest`,
        isMet: Math.max(...recovered) <= TRIAL_MS + POLL_MS,
      })),
    ),
  ]
}

function rotation({ W8 }) {
  const rows = W8?.rows.filter((each) => each.name === OURS) ?? []
  const failed = rows.filter((each) => !counts(each.newKey, 200) || !counts(each.oldKey, 200)).length
  return [
    goal('A new signing key: no failed request with either key', () =>
      rows.length === 0
        ? undefined
        : { values: [], reached: failed === 0 ? 'none failed' : 'some failed', isMet: failed === 0 },
    ),
  ]
}

function memory({ memory: result }) {
  const ours = result?.rows.filter((each) => each.kind === 'ours') ?? []
  const most = Math.max(...ours.map((each) => each.heapBytes))
  const lookUps = ours.map((each) => each.lookUpUs)
  const spread = Math.max(...lookUps) / Math.min(...lookUps)
  const find = (kind) => result?.rows.find((each) => each.kind === kind && each.size === 100_000)
  const pause = (each) => each && Math.max(each.fillingPauseMs, each.servingPauseMs)
  const added = pause(find('ours')) - pause(find('nothing kept'))
  const sizes = ours.map((each) => each.size.toLocaleString('en')).join(', ')
  const instead = SIZES.every((size) => ours.some((each) => each.size === size)) ? undefined : INCOMPLETE
  const measured = (test) => () => (ours.length === 0 ? undefined : test())
  return [
    goal(
      `Memory: at most 1 KB of heap for each token, claims included (${sizes || '10,000 to 1,000,000'})`,
      measured(() => ({ values: [most], reached: `${format(most, 0)} bytes`, isMet: most <= 1024, instead })),
    ),
    goal(
      'Memory: look-up within a factor of 2 whatever the size',
      measured(() => ({
        values: [spread],
        reached: `${lookUps.map((each) => format(each)).join(', ')} µs`,
        isMet: spread <= 2,
        instead,
      })),
    ),
    goal(
      'Memory: no pause of over 50 ms added by 100,000 tokens',
      measured(() => ({ values: [added], reached: `${format(added, 0)} ms added`, isMet: added <= 50 })),
    ),
  ]
}

function startup({ startup: result }) {
  const ours = row(result, 'express-resource-server')
  return [
    atMost('Import: at most 60 ms more than Express', 60, 'ms', ours?.ms),
    atMost('Import: at most 8 MB more than Express', 8, 'MB', ours?.mb),
  ]
}

function soak({ soak: result }) {
  return [
    goal('Soak: no wrong answer, no unhandled rejection, no growth', () =>
      result === undefined
        ? undefined
        : {
            values: [],
            reached: `${format(result.minutes)} minutes, ${result.requests.toLocaleString('en')} requests, ${result.wrong} wrong`,
            isMet: result.complaints.length === 0,
            instead:
              result.minutes < MIN_SOAK_MINUTES && result.complaints.length === 0 ? INCOMPLETE : undefined,
          },
    ),
  ]
}
