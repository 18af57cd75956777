/**
 * Keys and tokens. Keys are generated once per work directory; tokens are minted with node:crypto alone,
 * so that no contestant's library is involved.
 */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  sign,
} from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Keys and pools of minted tokens are kept here. */
export const WORK = process.env.BENCH_TMP ?? join(tmpdir(), 'express-resource-server-bench')

export const ALGORITHMS = ['RS256', 'ES256', 'EdDSA', 'PS256']

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

function generate(alg) {
  const options = {
    privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
    publicKeyEncoding: { format: 'pem', type: 'spki' },
  }
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256', ...options })
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519', options)
  return generateKeyPairSync('rsa', { modulusLength: 2048, ...options })
}

function generateAll() {
  const keys = Object.fromEntries(
    ALGORITHMS.map((alg) => [`${alg.toLowerCase()}-1`, { alg, ...generate(alg) }]),
  )
  // the one that is rotated in
  keys['rs256-2'] = { alg: 'RS256', ...generate('RS256') }
  return keys
}

function toKey(kid, { alg, privateKey, publicKey }) {
  const published = createPublicKey(publicKey)
  const jwk = { ...published.export({ format: 'jwk' }), kid, alg, use: 'sig' }
  return { alg, privateKey: createPrivateKey(privateKey), publicKey: published, jwk }
}

/** A key that no other run knows. */
export const newKey = (kid, alg) => toKey(kid, { alg, ...generate(alg) })

/** By key id: `{ alg, privateKey, publicKey, jwk }`. */
export function loadKeys() {
  mkdirSync(WORK, { recursive: true })
  const file = join(WORK, 'keys.json')
  if (!existsSync(file)) writeFileSync(file, JSON.stringify(generateAll()))
  const stored = JSON.parse(readFileSync(file, 'utf8'))
  return Object.fromEntries(Object.entries(stored).map(([kid, key]) => [kid, toKey(kid, key)]))
}

export function signingParameters(alg, key) {
  if (alg === 'ES256') return ['sha256', { key, dsaEncoding: 'ieee-p1363' }]
  if (alg === 'EdDSA') return [null, key]
  if (alg === 'PS256') return ['sha256', { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }]
  return ['sha256', key]
}

/** Claims of an RFC 9068 access token of a usual size: signed with RS256 about 860 bytes on the wire. */
export function claimsOf(issuer, audience, index, extra = {}) {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: issuer,
    aud: audience,
    sub: `user-${String(index).padStart(8, '0')}`,
    client_id: 's6BhdRkqt3',
    iat: now - 10,
    exp: now + 86_400,
    jti: randomUUID(),
    scope: 'openid profile orders:read orders:write invoices:read',
    auth_time: now - 600,
    acr: 'urn:example:acr:1',
    amr: ['pwd', 'otp'],
    org: 'org_01HZX3V9J2',
    ...extra,
  }
}

export function mint(key, claims, header = {}) {
  const input = `${encode({ alg: key.alg, typ: 'at+jwt', kid: key.jwk.kid, ...header })}.${encode(claims)}`
  const [digest, signingKey] = signingParameters(key.alg, key.privateKey)
  return `${input}.${sign(digest, Buffer.from(input), signingKey).toString('base64url')}`
}

/** Many tokens of one key, minted once and kept on disk: they expire after a day. @returns the file */
export function tokenPool({ key, issuer, audience, count }) {
  const file = join(WORK, `pool-${key.jwk.kid}.json`)
  if (existsSync(file)) {
    const pool = JSON.parse(readFileSync(file, 'utf8'))
    const isFresh = Date.now() - pool.at < 12 * 3_600_000
    if (pool.issuer === issuer && pool.tokens.length >= count && isFresh) return file
  }
  const tokens = Array.from({ length: count }, (_, index) => mint(key, claimsOf(issuer, audience, index)))
  writeFileSync(file, JSON.stringify({ at: Date.now(), issuer, tokens }))
  return file
}

/** @returns a function that draws indices below `count`, the k-th with a probability of about 1/k */
export function zipf(count, seed = 42) {
  const cumulative = new Float64Array(count)
  let sum = 0
  for (let index = 0; index < count; index += 1) {
    sum += 1 / (index + 1)
    cumulative[index] = sum
  }
  let state = seed
  return function draw() {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const target = (state / 2 ** 32) * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (cumulative[middle] < target) low = middle + 1
      else high = middle
    }
    return low
  }
}
