// `npm run check:package`: packs the package, looks at what is in it, and lets strangers use it: consumers in
// temporary folders that have the packed files and nothing else of this project.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, posix, resolve } from 'node:path'
import { promisify } from 'node:util'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { startAuthorizationServer } from '../../examples/demo/authorization-server.mjs'
import { requestToken } from '../../examples/demo/tokens.mjs'

const run = promisify(execFile)
const ROOT = resolve(import.meta.dirname, '../..')
const RESOURCE = 'https://api.example.com'
const MAX_KILOBYTES = 250

const folder = mkdtempSync(join(tmpdir(), 'express-resource-server-'))
const authorizationServer = await startAuthorizationServer()
try {
  const tarball = await pack()
  const extracted = await extract(tarball)
  await lint(extracted)
  await checkConsumers(extracted)
  await checkDoors(extracted)
} finally {
  await authorizationServer.stop()
  rmSync(folder, { recursive: true, force: true })
}

function say(sentence) {
  console.log(`✓ ${sentence}`)
}

/** The files: documents, and what can be reached from the entries; sources, maps and tests stay at home. */
async function pack() {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: ROOT })
  const [packed] = JSON.parse(stdout.slice(stdout.indexOf('[')))
  const paths = packed.files.map(({ path }) => path)
  const documents = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']
  const modules = paths.filter((path) => path.startsWith('dist/') && path.endsWith('.js'))
  const types = modules.map((path) => path.replace(/\.js$/, '.d.ts'))
  assert.deepEqual(
    [...paths].sort(),
    [...documents, ...modules, ...types].sort(),
    'unexpected or missing files',
  )
  const led = reachable()
  assert.deepEqual(
    led.filter((path) => !modules.includes(path)),
    [],
    'modules that an entry needs and that are not packed',
  )
  assert.deepEqual(
    paths.filter((path) => /__tests__|\.test\./.test(path)),
    [],
    'tests are packed',
  )
  const unused = modules.filter((path) => !led.includes(path))
  assert.deepEqual(unused, [], 'modules that no entry leads to')
  assert.ok(packed.size < MAX_KILOBYTES * 1024, `${packed.size} bytes are more than ${MAX_KILOBYTES} kB`)
  say(`${paths.length} files, ${Math.round(packed.size / 1024)} kB packed: modules, their types, documents`)
  return join(folder, packed.filename)
}

/** The modules that the entries of package.json import, directly or not, for their code or for their types. */
function reachable() {
  const { exports, bin = {} } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const entries = [...Object.values(exports).map((entry) => entry.default), ...Object.values(bin)]
  const found = new Set()
  const waiting = entries.filter(Boolean).map((path) => posix.normalize(path))
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path)) continue
    found.add(path)
    const [code, types] = [path, path.replace(/\.js$/, '.d.ts')].map((file) => join(ROOT, file))
    const text = [code, ...(path.endsWith('.js') ? [types] : [])].map((file) => readFileSync(file, 'utf8'))
    for (const [, name] of text.join('\n').matchAll(/(?:from|import|import\()\s*['"](\.[^'"]+)['"]/g)) {
      waiting.push(posix.join(posix.dirname(path), name))
    }
  }
  return [...found]
}

async function extract(tarball) {
  await run('tar', ['-xzf', tarball, '-C', folder])
  return join(folder, 'package')
}

async function lint(extracted) {
  const { messages, pkg } = await publint({ pkgDir: extracted, strict: true, pack: false })
  assert.deepEqual(
    messages.map((message) => formatMessage(message, pkg)),
    [],
  )
  say('publint has nothing to say')
}

async function checkConsumers(extracted) {
  const typescript = { module: 'nodenext' }
  const consumers = [
    { name: 'ES module', file: 'consumer.mjs' },
    { name: 'CommonJS, Express 4', file: 'consumer.cjs', express: 'express4' },
    { name: 'TypeScript, nodenext, ES module', file: 'consumer.ts', type: 'module', typescript },
    { name: 'TypeScript, nodenext, CommonJS', file: 'consumer.ts', type: 'commonjs', typescript },
    {
      name: 'TypeScript, bundler',
      file: 'consumer.ts',
      type: 'module',
      typescript: { module: 'esnext', moduleResolution: 'bundler' },
    },
  ]
  const env = {
    PATH: process.env.PATH,
    ISSUER: authorizationServer.issuer,
    JWT: await requestToken(authorizationServer.issuer, { resource: RESOURCE }),
    OPAQUE: await requestToken(authorizationServer.issuer, { resource: `${RESOURCE}?format=opaque` }),
    NODE_ENV: 'production',
  }
  for (const consumer of consumers) {
    const home = install(extracted, consumer)
    const file = consumer.typescript ? await compile(home, consumer) : consumer.file
    const { stdout, stderr } = await run(process.execPath, [file], { cwd: home, env, timeout: 30_000 })
    assert.equal(stdout, '200 200 401\n', consumer.name)
    assert.equal(stderr, '', `${consumer.name}: there is a warning`)
    say(`${consumer.name}: a JWT, an opaque token, a forged one`)
  }
}

/** The packed files as a folder of their own; everything else is borrowed from this project's installation. */
function install(extracted, { file, type = 'commonjs', express = 'express' }) {
  const home = mkdtempSync(join(folder, 'consumer-'))
  const modules = join(home, 'node_modules')
  cpSync(extracted, join(modules, 'express-resource-server'), { recursive: true })
  const { dependencies } = JSON.parse(readFileSync(join(extracted, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) borrow(name, join(modules, name))
  borrow(express, join(modules, 'express'))
  borrow('@types', join(modules, '@types'))
  cpSync(join(import.meta.dirname, 'consumers', file), join(home, file))
  writeFileSync(join(home, 'package.json'), JSON.stringify({ private: true, type }))
  return home
}

function borrow(name, path) {
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules', name), path)
}

async function compile(home, { name, file, typescript }) {
  const compilerOptions = {
    ...typescript,
    target: 'es2022',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    types: ['node'],
    rootDir: '.',
    outDir: 'out',
  }
  writeFileSync(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }))
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  await run(process.execPath, [tsc, '-p', home]).catch(({ stdout }) => assert.fail(`${name}:\n${stdout}`))
  return `out/${file.replace(/\.ts$/, '.js')}`
}

/** What is not an entry cannot be imported: it may change without notice. */
async function checkDoors(extracted) {
  const home = install(extracted, { file: 'consumer.mjs', type: 'module' })
  const code = `await import('express-resource-server/dist/core/errors.js').catch(({ code }) => console.log(code))`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: home })
  assert.equal(stdout, 'ERR_PACKAGE_PATH_NOT_EXPORTED\n')
  say('nothing but the entries can be imported')
}
