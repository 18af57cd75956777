/**
 * Throughput, side by side. The machine's own speed jumps by up to a factor of two for seconds at a time,
 * so windows are short and alternate: REF B REF B REF …, contestant by contestant, with fresh processes in
 * every generation. A window of B counts only if the REF windows just before and just after it agree and
 * nobody else was at work; its ratio is taken against their mean.
 */
import os from 'node:os'
import { quiet } from './machine.mjs'
import { number } from './options.mjs'
import { measure, SERVER_CORE, startAuthorizationServer, startLoader, startServer } from './processes.mjs'
import { format, markdownTable, median, quantile, range } from './stats.mjs'
import { nodeVersion, save } from './store.mjs'

export const REFERENCE = 'bare-express'
export const rounds = number('rounds', 12)
const generations = number('gens', 2)
const windowMs = number('ms', 300)
const warmMs = number('warm', 4000)
const connections = number('c', 32)
const MAX_FOREIGN_CORES = Number(process.env.BENCH_FOREIGN ?? 0.25)
const MAX_DRIFT = Number(process.env.BENCH_DRIFT ?? 0.2)
/** Below this many undisturbed windows, disturbed ones are reported too: better a bad figure than none. */
const MIN_WINDOWS = 4
/** Windows tried for each that is wanted. */
export const TRIES = 2.5

/**
 * @param referenceJob what the reference is loaded with
 * @param job for a contestant's server: what to load it with next; null when there is nothing left
 * @param warm what to warm it up with
 * @param config told to the contestants besides the usual
 */
export async function throughput({ id, title, names, referenceJob, job, warm, config = {} }) {
  const tools = { authorizationServer: await startAuthorizationServer(), loader: await startLoader() }
  const latencyMs = number('latency', 0)
  await tools.authorizationServer.call('set', { jwks: { latencyMs }, introspection: { latencyMs } })
  const run = { tools, referenceJob, job, warm, config, reference: [], load: [] }
  run.windows = new Map(names.map((name) => [name, []]))
  for (let generation = 0; generation < generations; generation += 1) {
    await runGeneration(run, names)
  }
  await tools.loader.stop()
  await tools.authorizationServer.stop()

  const rows = [...run.windows].filter(([, windows]) => windows.length > 0).map(summarize)
  rows.sort((a, b) => b.ratio - a.ratio)
  const result = { title, setting: describe(run), reference: summarizeReference(run.reference), rows }
  save(id, result)
  console.log(`\n## ${title}\n\n${result.setting}\n\n${throughputTable(rows)}`)
}

async function runGeneration(run, names) {
  const reference = await startServer(REFERENCE, { config: run.config })
  const refer = async (ms = windowMs) => {
    const window = await measure(run.tools, reference, { connections, ms, ...run.referenceJob })
    run.reference.push(window)
    return window
  }
  await refer(warmMs)
  for (const name of [...names].sort(() => Math.random() - 0.5)) {
    const server = await startServer(name, { config: run.config })
    await measure(run.tools, server, { connections, ms: warmMs, ...run.warm })
    await quiet()
    await refer(2 * windowMs)
    await alternate(run, server, refer)
    await server.stop()
    run.load.push(os.loadavg()[0])
  }
  await reference.stop()
}

async function alternate(run, server, refer) {
  let before = await refer()
  let kept = 0
  for (let tries = 0; kept < rounds && tries < rounds * TRIES; tries += 1) {
    const job = run.job(server)
    if (!job) return
    const calls = await callsOf(run, server)
    const window = await measure(run.tools, server, { connections, ms: windowMs, ...job })
    const callsAfter = await callsOf(run, server)
    const after = await refer()
    const compared = compare(window, before, after)
    run.windows.get(server.name).push({
      ...window,
      ...compared,
      introspections: (callsAfter.introspections - calls.introspections) / window.done,
    })
    if (compared.counts) kept += 1
    before = after
    if (compared.foreign < MAX_FOREIGN_CORES) continue
    await quiet()
    before = await refer()
  }
}

async function callsOf({ tools }, { tenant }) {
  const stats = await tools.authorizationServer.call('stats')
  return stats[tenant] ?? { introspections: 0 }
}

function compare(window, before, after) {
  const mean = (figure) => (before[figure] + after[figure]) / 2
  const drift = Math.abs(before.cpuUs - after.cpuUs) / mean('cpuUs')
  const foreign = Math.max(before.foreign, window.foreign, after.foreign)
  return {
    // a machine so busy that nothing was done says nothing about the contestant
    counts: window.done > 0 && drift < MAX_DRIFT && foreign < MAX_FOREIGN_CORES,
    foreign,
    ratio: window.rps / mean('rps'),
    extraUs: window.cpuUs - mean('cpuUs'),
    p50Ratio: window.p50 / mean('p50'),
    p99Ratio: window.p99 / mean('p99'),
  }
}

function summarize([name, all]) {
  const clean = all.filter((window) => window.counts)
  const windows = clean.length >= Math.min(MIN_WINDOWS, rounds) ? clean : all
  const values = (figure) => windows.map((window) => window[figure])
  const middleHalf = (figure) => [quantile(values(figure), 0.25), quantile(values(figure), 0.75)]
  const status = {}
  for (const window of windows) {
    for (const [code, count] of Object.entries(window.status)) status[code] = (status[code] ?? 0) + count
  }
  const medians = Object.fromEntries(
    [
      'ratio',
      'extraUs',
      'cpuUs',
      'rps',
      'p50',
      'p99',
      'p50Ratio',
      'p99Ratio',
      'loaderBusy',
      'introspections',
    ].map((figure) => [figure, median(values(figure))]),
  )
  return {
    name,
    ...medians,
    ratioHalf: middleHalf('ratio'),
    extraHalf: middleHalf('extraUs'),
    windows: clean.length,
    tried: all.length,
    status,
    errors: windows.reduce((sum, window) => sum + window.errors, 0),
  }
}

function summarizeReference(windows) {
  const values = (figure) => windows.map((window) => window[figure])
  return {
    rps: median(values('rps')),
    rpsHalf: [quantile(values('rps'), 0.25), quantile(values('rps'), 0.75)],
    cpuUs: median(values('cpuUs')),
    p50: median(values('p50')),
    p99: median(values('p99')),
  }
}

function describe(run) {
  const { rps, rpsHalf, cpuUs, p50, p99 } = summarizeReference(run.reference)
  const disturbed = [...run.windows.values()].flat().filter((window) => !window.counts).length
  return (
    `Node ${nodeVersion}; ${generations} × ${rounds} windows of ${windowMs} ms, ` +
    `${run.referenceJob.connections ?? connections} connections, server on core ${SERVER_CORE}. ` +
    `Reference ${REFERENCE}: ${format(rps, 0)} requests/s (middle half ${range(rpsHalf, 0)}), ` +
    `${format(cpuUs)} CPU µs a request, p50 ${format(p50)} ms, p99 ${format(p99)} ms. ` +
    `Load average ${range([Math.min(...run.load), Math.max(...run.load)])}; ` +
    `windows left out as disturbed: ${disturbed}.`
  )
}

export function throughputTable(rows) {
  const head = [
    'contestant',
    'ratio',
    'middle half',
    'extra µs',
    'middle half',
    'p50 ms',
    'p99 ms',
    'p99 / ref',
    'windows',
    'answers',
  ]
  return markdownTable(
    head,
    rows.map((row) => [
      row.name,
      format(row.ratio, 3),
      range(row.ratioHalf, 3),
      format(row.extraUs, 1),
      range(row.extraHalf, 1),
      format(row.p50),
      format(row.p99),
      format(row.p99Ratio),
      `${row.windows}/${row.tried}`,
      Object.keys(row.status).join(' ') +
        (row.errors > 0 ? `, ${row.errors} errors` : '') +
        (row.introspections > 0.0005 ? `, ${format(row.introspections)} introspections each` : ''),
    ]),
  )
}
