/** Writes RESULTS.md and chart.svg from the stored results: no figure in them is typed by hand. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { injectTable } from '../inject.mjs'
import { format, markdownTable } from '../lib/stats.mjs'
import { loadAll, ROOT } from '../lib/store.mjs'
import { throughputTable } from '../lib/throughput.mjs'
import { memoryTable } from '../memory.mjs'
import { soakTable } from '../soak.mjs'
import { startupTable } from '../startup.mjs'
import { unknownKeysTable } from '../workloads/floods.mjs'
import { herdTable } from '../workloads/herd.mjs'
import { ourOutageTable, outageTable } from '../workloads/outages.mjs'
import { rotationTable } from '../workloads/rotation.mjs'
import { options } from '../lib/options.mjs'
import { drawChart } from './chart.mjs'
import { goals } from './goals.mjs'

/** Goals are judged on this version where it was measured: bare Express is several times slower on 20 and 22. */
const JUDGED_ON = 24

/** The order of the sections. Everything else that was stored follows. */
const ORDER = [
  'inject-jwt',
  'inject-opaque',
  'inject-zipf',
  'W1',
  'W1c1',
  'W2',
  'W3-RS256',
  'W3-PS256',
  'W3-ES256',
  'W3-EdDSA',
  'W5-hot',
  'W5-cold',
  'W5herd',
  'W6-none',
  'W6-garbage',
  'W6-header',
  'W6-expired',
  'W6-audience',
  'W6-unknownKey',
  'W6-forged',
  'W6kid',
  'W7',
  'W8',
  'memory',
  'startup',
  'soak',
  'fleet',
  'tradeoff',
  'revocation-simulation',
  'dpop',
]

const TABLES = {
  inject: (result) => injectTable(result.rows),
  W5herd: (result) => herdTable(result.rows),
  W6kid: (result) => unknownKeysTable(result.rows),
  W7: (result) => `${outageTable(result.peers)}\n\nThis library, warm:\n\n${ourOutageTable(result.ours)}`,
  W8: (result) => rotationTable(result.rows),
  memory: (result) => memoryTable(result.rows),
  startup: (result) => startupTable(result.rows),
  soak: (result) => soakTable(result),
}
const tableOf = (name, result) =>
  result.markdown ?? (TABLES[name] ?? TABLES[name.split('-')[0]] ?? throughput)(result)
const throughput = (result) => `${result.setting}\n\n${throughputTable(result.rows)}`

export function report() {
  const versions = loadAll()
  if (versions.length === 0) throw new Error('there are no results yet: run a workload first')
  const judged = versions.find(({ major }) => major === JUDGED_ON) ?? versions.at(-1)
  const file = options.to ?? join(ROOT, 'RESULTS.md')
  writeFileSync(file, `${[...head(judged), ...versions.flatMap(section)].join('\n\n')}\n`)
  writeFileSync(options.chart ?? join(ROOT, 'chart.svg'), drawChart(judged))
  console.log(`written: ${file}`)
}

function head({ results }) {
  const [any] = Object.values(results)
  const dates = Object.values(results).map((result) => result.at.slice(0, 10))
  const found = goals(results)
  const missed = found.filter(({ verdict }) => verdict === '**not reached**').length
  return [
    '# Results',
    'Written by `npm run bench -- report` from `results/`; how it is measured is said in [README.md](README.md). ' +
      'Only ratios and differences taken side by side within one run mean something; absolute figures are for scale.',
    ...(options.note ? [`> ${options.note}`] : []),
    markdownTable(
      ['', ''],
      [
        ['machine', any.machine],
        ['Node', any.node],
        ['measured', [...new Set(dates)].sort().join(', ')],
        ['noise', noise(results)],
      ],
    ),
    '![Throughput as a ratio to bare Express](chart.svg)',
    '## Goals',
    `Judged on Node ${any.node}. *Within the noise*: missed by less than what bare Express differs from itself, or ` +
      `reached by a quarter of the windows. *Too noisy to say*: too few undisturbed windows, or bare Express ` +
      `differs from itself by more than 15 %. ${missed === 0 ? 'None is missed.' : `Missed: ${missed} of ${found.length}.`}`,
    markdownTable(
      ['goal', 'reached', 'verdict'],
      found.map(({ goal, reached, verdict }) => [goal, reached, verdict]),
    ),
  ]
}

/** Bare Express against itself. */
function noise(results) {
  const ratios = Object.values(results).flatMap(({ rows }) =>
    Array.isArray(rows) ? rows.filter(({ name, ratio }) => name === 'aa-express' && ratio) : [],
  )
  const injected = results['inject-jwt']?.rows.find(({ name }) => name === 'aa-express')
  return [
    ratios.length > 0 &&
      `ratio of bare Express to itself ${ratios.map(({ ratio }) => format(ratio)).join(', ')}`,
    injected && `in-process ${format(injected.extraUs)} µs`,
  ]
    .filter(Boolean)
    .join('; ')
}

function section({ major, results }) {
  const names = [
    ...ORDER.filter((name) => results[name]),
    ...Object.keys(results).filter((name) => !ORDER.includes(name)),
  ]
  return [
    `## Node ${major}`,
    ...names.flatMap((name) => {
      const { title, at } = results[name]
      return [
        `### ${name}: ${title}`,
        `${at.slice(0, 16).replace('T', ' ')} UTC`,
        tableOf(name, results[name]),
      ]
    }),
  ]
}
