/**
 * What remembered tokens cost: bytes of heap each, the time of a look-up, and pauses for the collector, at
 * 10 000, 100 000 and 1 000 000 tokens. Each case is measured in a process of its own.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { list, node } from './lib/options.mjs'
import { SERVER_CORE } from './lib/processes.mjs'
import { format, markdownTable } from './lib/stats.mjs'
import { ROOT, save } from './lib/store.mjs'

const KINDS = ['ours', 'nothing kept', 'fast-jwt-cached', 'map of tokens']

/** `--sizes=10000,100000,1000000` */
export async function memory() {
  const rows = []
  for (const size of list('sizes', ['10000', '100000', '1000000'])) {
    for (const kind of list('only', KINDS)) rows.push(measure(kind, size))
  }
  const title = 'Memory of remembered tokens (360 bytes of claims each)'
  console.log(`\n## ${title}\n\n${memoryTable(rows)}`)
  save('memory', { title, rows })
}

function measure(kind, size) {
  const script = join(ROOT, 'processes/remember.mjs')
  const words = [node, '--expose-gc', '--max-old-space-size=8000', script, kind, size]
  const [file, ...args] = existsSync('/usr/bin/taskset') ? ['taskset', '-c', SERVER_CORE, ...words] : words
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${kind} ${size}: ${stderr.slice(-400)}`)
  return { kind, size: Number(size), ...JSON.parse(stdout) }
}

export function memoryTable(rows) {
  return markdownTable(
    [
      'kept by',
      'tokens',
      'heap bytes each',
      'RSS bytes each',
      'look-up µs',
      'first use µs',
      'longest pause ms, filling',
      'longest pause ms, serving',
    ],
    rows.map((row) => [
      row.kind,
      row.size.toLocaleString('en'),
      format(row.heapBytes, 0),
      format(row.rssBytes, 0),
      format(row.lookUpUs),
      format(row.firstUseUs, 1),
      format(row.fillingPauseMs, 1),
      format(row.servingPauseMs, 1),
    ]),
  )
}
