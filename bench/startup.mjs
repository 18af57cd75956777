/** What a dependency costs before the first request: import time and memory beyond Express, and its install size. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { node, number, options } from './lib/options.mjs'
import { SERVER_CORE } from './lib/processes.mjs'
import { format, markdownTable, median, quantile, range } from './lib/stats.mjs'
import { ROOT, save } from './lib/store.mjs'

const PROJECT = join(ROOT, '..')
const MCP = '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
const IMPORTS = {
  'express-resource-server': [pathToFileURL(join(PROJECT, 'dist/index.js')).href],
  'nothing (the noise)': [],
  'express-oauth2-jwt-bearer': ['express-oauth2-jwt-bearer'],
  'express-jwt + jwks-rsa': ['express-jwt', 'jwks-rsa'],
  'passport + passport-jwt + jwks-rsa': ['passport', 'passport-jwt', 'jwks-rsa'],
  'aws-jwt-verify': ['aws-jwt-verify'],
  '@okta/jwt-verifier': ['@okta/jwt-verifier'],
  'fast-jwt + get-jwks': ['fast-jwt', 'get-jwks'],
  '@modelcontextprotocol/sdk + jose': [MCP, 'jose'],
  jose: ['jose'],
  oauth4webapi: ['oauth4webapi'],
  'passport + passport-http-bearer': ['passport', 'passport-http-bearer'],
  'token-introspection': ['token-introspection'],
  undici: ['undici'],
}

/** `--rounds=15`; `--install` counts packages, bytes and files of a fresh install as well (asks the registry). */
export async function startup() {
  const samples = Object.fromEntries(Object.keys(IMPORTS).map((name) => [name, []]))
  for (let round = 0; round < number('rounds', 15); round += 1) {
    for (const [name, modules] of Object.entries(IMPORTS)) samples[name].push(importAlone(modules))
  }
  const rows = Object.entries(samples).map(([name, taken]) => {
    const ms = taken.map((sample) => sample.ms)
    return {
      name,
      ms: median(ms),
      msHalf: [quantile(ms, 0.25), quantile(ms, 0.75)],
      mb: median(taken.map((sample) => sample.mb)),
      ...(options.install && IMPORTS[name].length > 0 ? installSize(name) : {}),
    }
  })
  const title = 'Imported beside Express'
  console.log(`\n## ${title}\n\n${startupTable(rows)}`)
  save('startup', { title, rows })
}

function importAlone(modules) {
  const code = `
    await import('express')
    const rss = process.memoryUsage().rss
    const startedAt = performance.now()
    ${modules.map((module) => `await import(${JSON.stringify(module)})`).join('\n')}
    const ms = performance.now() - startedAt
    console.log(JSON.stringify({ ms, mb: (process.memoryUsage().rss - rss) / 1e6 }))`
  const words = [node, '--input-type=module', '--eval', code]
  const [file, ...args] = existsSync('/usr/bin/taskset') ? ['taskset', '-c', SERVER_CORE, ...words] : words
  const { status, stdout, stderr } = spawnSync(file, args, { cwd: ROOT, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${modules}: ${stderr.slice(0, 300)}`)
  return JSON.parse(stdout)
}

const packageOf = (module) =>
  module
    .split('/')
    .slice(0, module.startsWith('@') ? 2 : 1)
    .join('/')

function installSize(name) {
  const pins = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).dependencies
  const own = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'))
  const isOurs = name === own.name
  const dependencies = isOurs
    ? own.dependencies
    : Object.fromEntries(IMPORTS[name].map(packageOf).map((module) => [module, pins[module]]))
  const folder = mkdtempSync(join(tmpdir(), 'install-size-'))
  try {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'x', private: true, dependencies }))
    spawnSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--omit=dev'], {
      cwd: folder,
    })
    const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'))
    const files = filesIn(join(folder, 'node_modules')).concat(isOurs ? filesIn(join(PROJECT, 'dist')) : [])
    return {
      packages: Object.keys(lock.packages).length - (isOurs ? 0 : 1),
      installedMb: files.reduce((sum, file) => sum + statSync(file).size, 0) / 1e6,
      files: files.length,
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
}

export function startupTable(rows) {
  return markdownTable(
    ['packages', 'import ms', 'middle half', 'RSS MB', 'packages installed', 'MB', 'files'],
    rows.map((row) => [
      row.name,
      format(row.ms, 1),
      range(row.msHalf, 1),
      format(row.mb, 1),
      row.packages ?? '',
      row.installedMb === undefined ? '' : format(row.installedMb),
      row.files ?? '',
    ]),
  )
}
