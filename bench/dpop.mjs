// What a DPoP request costs more than a Bearer request with the same, already known token, in CPU time, beside
// one ES256 verification alone. Proofs are made ahead; the API is asked without HTTP, so that nothing else counts.
//   npm run build && node bench/dpop.mjs [requests]
import { createHash, generateKeyPairSync, randomUUID, sign, verify } from 'node:crypto'
import { resourceServer } from '../dist/index.js'
import { createTestIssuer } from '../dist/testing/test-issuer.js'
import { markdownTable } from './lib/stats.mjs'
import { save } from './lib/store.mjs'

const REQUESTS = Number(process.argv[2] ?? 4000)
const RESOURCE = 'https://api.example.com'
const issuer = await createTestIssuer()
const server = resourceServer({
  resource: RESOURCE,
  issuer: issuer.issuer,
  dpop: { maxProofAgeSeconds: 600 },
})
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const { kty, crv, x, y } = publicKey.export({ format: 'jwk' })
const sha256 = (text) => createHash('sha256').update(text).digest('base64url')
const jkt = sha256(JSON.stringify({ crv, kty, x, y }))
const bearer = issuer.mintJwt()
const bound = issuer.mintJwt({ claims: { cnf: { jkt } } })

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
function prove() {
  const header = encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })
  const iat = Math.floor(Date.now() / 1000)
  const claims = { jti: randomUUID(), htm: 'GET', htu: `${RESOURCE}/orders`, iat, ath: sha256(bound) }
  const input = `${header}.${encode(claims)}`
  return `${input}.${sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

function requestWith(fields) {
  const rawHeaders = ['Host', 'api', 'Accept', '*/*', ...Object.entries(fields).flat()]
  const headers = Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]),
  )
  return { method: 'GET', url: '/orders?page=1', originalUrl: '/orders?page=1', headers, rawHeaders }
}

/** Microseconds of CPU for each, all threads of the process counted. */
async function cpuOf(work, items) {
  const before = process.cpuUsage()
  await work(items)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / items.length
}

const inTurn = async (items) => {
  for (const item of items) await server.authenticate(item)
}
const together = (size) => async (items) => {
  for (let at = 0; at < items.length; at += size) {
    await Promise.all(items.slice(at, at + size).map((item) => server.authenticate(item)))
  }
}
const verifyAlone = (items) => {
  for (const { data, der } of items) verify('sha256', data, publicKey, der)
}
const verifyEachTurn = async (items) => {
  for (const { data, der } of items) {
    verify('sha256', data, publicKey, der)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const bearers = () =>
  Array.from({ length: REQUESTS }, () => requestWith({ Authorization: `Bearer ${bearer}` }))
const proofs = () =>
  Array.from({ length: REQUESTS }, () => requestWith({ Authorization: `DPoP ${bound}`, DPoP: prove() }))
const signatures = Array.from({ length: REQUESTS }, (_, index) => {
  const data = Buffer.from(`${'x'.repeat(400)}${index}`)
  return { data, der: sign('sha256', data, privateKey) }
})

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
const rows = []
async function measure(name, work, make) {
  await cpuOf(work, make())
  const rounds = []
  for (let round = 0; round < 5; round += 1) rounds.push(await cpuOf(work, make()))
  rows.push([name, `${median(rounds).toFixed(1)} µs`])
  return median(rounds)
}

const alone = await measure('ES256 verification, back to back', verifyAlone, () => signatures)
const scattered = await measure(
  'ES256 verification, one in each turn of the loop',
  verifyEachTurn,
  () => signatures,
)
for (const [name, work, one] of [
  ['one after another', inTurn, scattered],
  ['16 at once', together(16), alone],
]) {
  const plain = await measure(`Bearer, known token, ${name}`, work, bearers)
  const dpop = await measure(`DPoP, known token and key, ${name}`, work, proofs)
  const more = dpop - plain - one
  rows.push([`DPoP more than Bearer, ${name}`, `one verification + ${more.toFixed(1)} µs (goal: at most 20)`])
}
const markdown = markdownTable(['CPU time, all threads', ''], rows)
console.log(markdown)
save('dpop', { title: 'a DPoP request against a Bearer request', markdown })
await server.close()
await issuer.close()
