/** Results are kept as JSON, a folder for each major version of Node, and read again for the report. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { node, options } from './options.mjs'

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
export const RESULTS = options.out ?? join(ROOT, 'results')

/** The version of the Node that contestants run under. */
export const nodeVersion =
  node === process.execPath ? process.version : execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()

const folderOf = (version) => join(RESULTS, `node-${version.slice(1).split('.')[0]}`)

function machine() {
  const cpus = os.cpus()
  const gibibytes = Math.round(os.totalmem() / 2 ** 30)
  return `${cpus.length} × ${cpus[0]?.model.trim() ?? 'unknown'}, ${gibibytes} GiB, ${os.type()} ${os.release()}`
}

/** @param {string} name of the workload */
export function save(name, data) {
  const folder = folderOf(nodeVersion)
  mkdirSync(folder, { recursive: true })
  const { out: _out, node: _node, ...args } = options
  const record = { name, at: new Date().toISOString(), node: nodeVersion, machine: machine(), args, ...data }
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(record, null, 1)}\n`)
}

/** @returns {{ major: number, results: Record<string, any> }[]} newest Node last */
export function loadAll() {
  if (!existsSync(RESULTS)) return []
  const folders = readdirSync(RESULTS).filter((folder) => folder.startsWith('node-'))
  return folders
    .map((folder) => ({ major: Number(folder.slice(5)), results: loadFolder(join(RESULTS, folder)) }))
    .sort((a, b) => a.major - b.major)
}

function loadFolder(folder) {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'))
  return Object.fromEntries(
    files.map((file) => [file.slice(0, -5), JSON.parse(readFileSync(join(folder, file), 'utf8'))]),
  )
}
