/**
 * Core operations without HTTP, for whoever wants to make something faster. Rounds are interleaved: every
 * operation once per round, in random order. A fixed piece of work before and after each slice tells how
 * fast the machine just was; only slices of its fast state are reported.
 */
import { createHash, createPublicKey, hash, verify, webcrypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { createVerifier } from 'fast-jwt'
import { jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { resourceServer } from '../dist/index.js'
import { number, options } from './lib/options.mjs'
import { AUDIENCE, ISSUER } from './lib/processes.mjs'
import { markdownTable, median, quantile } from './lib/stats.mjs'
import { save } from './lib/store.mjs'
import { ALGORITHMS, loadKeys, signingParameters, tokenPool } from './lib/tokens.mjs'

const ROUNDS = number('rounds', 11)
const SLICE_MS = number('slice', 20)
const POOL = 4096
const AT_ONCE = 32

const keys = loadKeys()
const SUBTLE = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 },
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
}

/** Results go here, so that no work is optimised away. */
let sink = 0

/** @returns `{ group, name, run, atOnce }`; `atOnce` 0 means synchronous */
const operation = (group, name, run, atOnce = 0) => ({ group, name, run, atOnce, taken: [] })

/** `--filter=TEXT --rounds=11 --slice=20` */
export async function micro() {
  const verifications = await Promise.all(ALGORITHMS.map(verifying))
  const all = [...verifications.flat(), ...hashing(), ...lookingUp(), ...reading(), ...(await accepting())]
  const filter = options.filter ?? ''
  const operations = all.filter(({ group, name }) => `${group} ${name}`.includes(filter))
  for (const each of operations) await slice(each, 2 * SLICE_MS)
  const speeds = []
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const each of [...operations].sort(() => Math.random() - 0.5)) await takeSlice(each, speeds)
  }
  const fast = quantile(speeds, 0.1) * 1.2
  const rows = operations.map(({ group, name, taken }) => {
    const kept = taken.filter(({ speed }) => speed < fast).map(({ ns }) => ns)
    const ns = kept.length >= 3 ? kept : taken.map((each) => each.ns)
    return { group, name, ns: median(ns), nsHalf: [quantile(ns, 0.25), quantile(ns, 0.75)] }
  })
  const title = 'Core operations'
  console.log(`\n## ${title}\n\n${microTable(rows)}`)
  save('micro', { title, rows })
  if (sink === 42) console.log('')
}

/** One token after another, so that no branch and no cache line is too familiar. */
function tokensOf(alg, count = POOL) {
  const key = keys[`${alg.toLowerCase()}-1`]
  const file = tokenPool({ key, issuer: ISSUER, audience: AUDIENCE, count })
  const tokens = JSON.parse(readFileSync(file, 'utf8')).tokens.slice(0, count)
  let index = 0
  return { tokens, next: () => tokens[(index = (index + 1) % count)] }
}

async function verifying(alg) {
  const { publicKey, jwk } = keys[`${alg.toLowerCase()}-1`]
  const { next } = tokensOf(alg, 256)
  const [digest, key] = signingParameters(alg, publicKey)
  const { kid: _kid, use: _use, alg: _alg, ...material } = jwk
  const cryptoKey = await webcrypto.subtle.importKey('jwk', material, SUBTLE[alg], false, ['verify'])
  const parts = () => {
    const token = next()
    const dot = token.lastIndexOf('.')
    return [Buffer.from(token.slice(0, dot), 'latin1'), Buffer.from(token.slice(dot + 1), 'base64url')]
  }
  const subtle = () => {
    const [input, signature] = parts()
    return webcrypto.subtle.verify(SUBTLE[alg], cryptoKey, signature, input)
  }
  const checks = { issuer: ISSUER, audience: AUDIENCE, algorithms: [alg] }
  const jose = () => jwtVerify(next(), cryptoKey, checks)
  const fastJwt = createVerifier({
    key: publicKey.export({ type: 'spki', format: 'pem' }),
    algorithms: [alg],
  })
  const group = `verify ${alg}`
  return [
    operation(group, 'node:crypto verify', () => {
      const [input, signature] = parts()
      if (!verify(digest, input, key, signature)) throw new Error('not verified')
    }),
    operation(
      group,
      `node:crypto verify with a callback, ${AT_ONCE} at once`,
      () => new Promise((resolve) => verify(digest, ...insert(parts(), key), resolve)),
      AT_ONCE,
    ),
    operation(group, 'subtle.verify, one after another', subtle, 1),
    operation(group, `subtle.verify, ${AT_ONCE} at once`, subtle, AT_ONCE),
    operation(group, 'jose jwtVerify, one after another', jose, 1),
    operation(group, `jose jwtVerify, ${AT_ONCE} at once`, jose, AT_ONCE),
    operation(group, 'fast-jwt', () => fastJwt(next())),
    operation(group, 'createPublicKey', () => createPublicKey({ key: jwk, format: 'jwk' })),
  ]
}

const insert = ([input, signature], key) => [input, key, signature]

function hashing() {
  const { next } = tokensOf('RS256')
  const group = 'digest of a token'
  return [
    operation(
      group,
      'createHash',
      () => (sink += createHash('sha256').update(next()).digest('base64url').length),
    ),
    operation(group, 'hash', () => (sink += hash('sha256', next(), 'base64url').length)),
  ]
}

/** Each time with a fresh string, as from the HTTP parser: its hash is not known yet. */
function lookingUp() {
  const { tokens } = tokensOf('RS256')
  const buffers = tokens.map((token) => Buffer.from(`Bearer ${token}`, 'latin1'))
  let index = 0
  const fresh = () => buffers[(index = (index + 1) % POOL)].latin1Slice().slice(7)
  const digest = (token) => hash('sha256', token, 'base64url')
  const maps = {
    'Map by token': [new Map(), (token) => token],
    'Map by digest': [new Map(), digest],
    'lru-cache by token': [new LRUCache({ max: 2 * POOL }), (token) => token],
    'lru-cache by digest': [new LRUCache({ max: 2 * POOL }), digest],
  }
  const operations = Object.entries(maps).map(([name, [map, keyOf]]) => {
    for (const token of tokens) map.set(keyOf(token), tokens)
    return operation('look-up', name, () => {
      if (!map.get(keyOf(fresh()))) throw new Error('not found')
    })
  })
  return [operation('look-up', 'the string alone', () => (sink += fresh().length)), ...operations]
}

function reading() {
  const { tokens } = tokensOf('RS256')
  const encoded = tokens.map((token) => token.split('.')[1])
  let index = 0
  const next = () => encoded[(index = (index + 1) % POOL)]
  const decode = () => JSON.parse(Buffer.from(next(), 'base64url').toString())
  const deepFreeze = (value) => {
    if (typeof value !== 'object' || value === null) return value
    Object.values(value).forEach(deepFreeze)
    return Object.freeze(value)
  }
  return [
    operation('claims', 'decode and parse', () => (sink += decode().exp)),
    operation('claims', 'decode, parse and freeze', () => (sink += Object.freeze(decode()).exp)),
    operation('claims', 'decode, parse and freeze deeply', () => (sink += deepFreeze(decode()).exp)),
  ]
}

/** This library whole, without Express and HTTP. */
async function accepting() {
  const operations = await Promise.all(
    ALGORITHMS.map(async (alg) => {
      const { next } = tokensOf(alg, 256)
      const jwks = { keys: [keys[`${alg.toLowerCase()}-1`].jwk] }
      const create = (cacheMaxEntries) =>
        resourceServer({ resource: AUDIENCE, issuer: ISSUER, jwks, jwt: { cacheMaxEntries } })
      const [remembering, forgetful] = [create(1000), create(0)]
      const accept = (server) => () => server.authenticate({ headers: { authorization: `Bearer ${next()}` } })
      return [
        operation('authenticate', `${alg}, known`, accept(remembering), 1),
        operation('authenticate', `${alg}, new, one after another`, accept(forgetful), 1),
        operation('authenticate', `${alg}, new, ${AT_ONCE} at once`, accept(forgetful), AT_ONCE),
      ]
    }),
  )
  return operations.flat()
}

/** @returns nanoseconds for one */
async function slice({ run, atOnce }, ms) {
  const startedAt = performance.now()
  const until = startedAt + ms
  let count = 0
  if (atOnce === 0) {
    while (performance.now() < until) {
      for (let each = 0; each < 16; each += 1) run()
      count += 16
    }
  } else {
    const worker = async () => {
      while (performance.now() < until) {
        await run()
        count += 1
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }
  return ((performance.now() - startedAt) * 1e6) / count
}

const known = Array.from({ length: 2000 }, (_, index) => `{"a":${index},"b":[1,2,3]}`)
function calibrate() {
  const startedAt = performance.now()
  for (const text of known) sink += JSON.parse(text).a
  return performance.now() - startedAt
}

async function takeSlice(each, speeds) {
  globalThis.gc?.({ type: 'minor' })
  let before = calibrate()
  for (let tries = 0; tries < 3; tries += 1) {
    const ns = await slice(each, SLICE_MS)
    const after = calibrate()
    speeds.push(after)
    if (Math.abs(before - after) / before < 0.2) {
      each.taken.push({ ns, speed: (before + after) / 2 })
      return
    }
    before = after
  }
}

function formatNs(ns) {
  if (ns >= 10_000) return `${(ns / 1000).toFixed(1)} µs`
  return ns >= 1000 ? `${(ns / 1000).toFixed(2)} µs` : `${ns.toFixed(0)} ns`
}

export function microTable(rows) {
  return markdownTable(
    ['group', 'operation', 'median', 'middle half'],
    rows.map((row) => [row.group, row.name, formatNs(row.ns), row.nsHalf.map(formatNs).join('–')]),
  )
}
