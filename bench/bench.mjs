/** `npm run bench -- COMMAND [--options]`, from the project's root. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { command } from './lib/options.mjs'
import { ROOT } from './lib/store.mjs'

const HELP = `npm run bench -- COMMAND [--only=a,b] [--node=PATH] [--rounds=12] [--gens=2] [--ms=300] [--out=FOLDER]

  smoke       every contestant once: is it set up as it should be?
  W1  W1c1    one JWT again and again, 32 connections or one
  W2          1000 JWTs, some often
  W3          every JWT new; --alg=RS256|PS256|ES256|EdDSA
  W5          opaque tokens, the same and always new ones
  W5herd      200 requests at once with one new token
  W6  W6kid   floods of bad tokens; of unknown keys with an honest client
  W7          the authorization server hangs, is down, answers 500
  W8          a new signing key appears
  inject      µs added, in-process; --mode=jwt|opaque|zipf
  memory      bytes for each cached token, look-up time, pauses
  startup     import time and memory; --install: install size
  micro       core operations without HTTP; --filter=TEXT
  soak        minutes of full load with rotations, outages and hostile traffic; --minutes=10
  all         everything above except micro; about two hours
  report      writes RESULTS.md and chart.svg from the results
`

const all = [
  'smoke',
  'inject',
  'inject-opaque',
  'W1',
  'W1c1',
  'W2',
  'W3-RS256',
  'W3-PS256',
  'W3-ES256',
  'W3-EdDSA',
  'W5',
  'W5herd',
  'W6',
  'W6kid',
  'W7',
  'W8',
  'memory',
  'startup',
  'soak',
  'report',
]

/** Loaded on demand: a report needs no contestants. */
const commands = {
  smoke: async () => (await import('./smoke.mjs')).smoke(),
  W1: async () => (await import('./workloads/repeated.mjs')).oneToken(),
  W1c1: async () => (await import('./workloads/repeated.mjs')).oneConnection(),
  W2: async () => (await import('./workloads/repeated.mjs')).manyTokens(),
  W3: async (alg) => (await import('./workloads/never-seen.mjs')).everyTokenNew(alg),
  W5: async () => (await import('./workloads/opaque.mjs')).opaque(),
  W5herd: async () => (await import('./workloads/herd.mjs')).oneNewTokenAtOnce(),
  W6: async () => (await import('./workloads/floods.mjs')).refusals(),
  W6kid: async () => (await import('./workloads/floods.mjs')).unknownKeys(),
  W7: async () => (await import('./workloads/outages.mjs')).outages(),
  W8: async () => (await import('./workloads/rotation.mjs')).newKey(),
  inject: async (mode) => (await import('./inject.mjs')).inject(mode),
  memory: async () => (await import('./memory.mjs')).memory(),
  startup: async () => (await import('./startup.mjs')).startup(),
  micro: async () => (await import('./micro.mjs')).micro(),
  soak: async () => (await import('./soak.mjs')).soak(),
  report: async () => (await import('./report/report.mjs')).report(),
}

async function run(name) {
  const [base, part] = name.split('-')
  await commands[base](part)
}

const names = command === 'all' ? all : command.split(',')
if (!names.every((name) => commands[name.split('-')[0]])) {
  console.log(HELP)
  process.exit(command === 'help' ? 0 : 1)
}
if (!existsSync(join(ROOT, 'node_modules/express'))) {
  console.error('The peers are not installed. Run: npm ci --prefix bench')
  process.exit(1)
}
for (const name of names) await run(name)
process.exit(process.exitCode ?? 0)
