/**
 * The authorization server of the bench: metadata, key set and introspection, a path prefix for each
 * contestant (`/t/NAME/…`) so that calls are counted apart. It is steered over IPC, never over HTTP.
 */
import http from 'node:http'
import { loadKeys } from '../lib/tokens.mjs'
import { answerCalls, cpuUsage } from './ipc.mjs'

const port = Number(process.argv[2])
const issuer = `http://127.0.0.1:${port}`
const keys = loadKeys()

/** Both halves are form-encoded before they are joined (RFC 6749 §2.3.1), by some clients down to the hyphen. */
function isClient({ authorization = '' }) {
  const credentials = Buffer.from(authorization.slice('Basic '.length), 'base64').toString()
  return credentials.split(':').map(decodeURIComponent).join(':') === 'rs-client:rs-secret'
}

const published = (kids) => kids.map((kid) => keys[kid].jwk)
const HEALTHY = { latencyMs: 0, status: 200, hang: false }
const DEFAULTS = {
  keys: published(['rs256-1', 'es256-1', 'eddsa-1', 'ps256-1']),
  jwks: HEALTHY,
  introspection: HEALTHY,
}

let state = structuredClone(DEFAULTS)
const stats = {}
const statsOf = (tenant) => (stats[tenant] ??= { jwks: 0, introspections: 0, inFlight: 0, maxInFlight: 0 })

function send(response, { status, latencyMs }, body) {
  const answer = () => {
    const text = JSON.stringify(status === 200 ? body : { error: 'server_error' })
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    })
    response.end(text)
  }
  if (latencyMs > 0) setTimeout(answer, latencyMs)
  else answer()
}

function introspect(token) {
  if (!token?.startsWith('opaque-')) return { active: false }
  const now = Math.floor(Date.now() / 1000)
  return {
    active: true,
    iss: issuer,
    aud: 'https://api.example.com',
    sub: `user-${token.slice(7)}`,
    client_id: 's6BhdRkqt3',
    scope: 'openid profile orders:read orders:write invoices:read',
    token_type: 'Bearer',
    iat: now - 10,
    exp: now + 3600,
    username: 'jdoe',
  }
}

function answerIntrospection(request, response, tenant) {
  const counted = statsOf(tenant)
  counted.introspections += 1
  counted.inFlight += 1
  counted.maxInFlight = Math.max(counted.maxInFlight, counted.inFlight)
  response.on('close', () => (counted.inFlight -= 1))
  let body = ''
  request.setEncoding('latin1')
  request.on('data', (chunk) => (body += chunk))
  request.on('end', () => {
    if (state.introspection.hang) return
    const token = new URLSearchParams(body).get('token')
    const answer = isClient(request.headers) ? state.introspection : { ...HEALTHY, status: 401 }
    send(response, answer, introspect(token))
  })
}

function answerKeys(response, tenant) {
  statsOf(tenant).jwks += 1
  if (!state.jwks.hang) send(response, state.jwks, { keys: state.keys })
}

function answerMetadata(response, prefix) {
  const base = `${issuer}${prefix}`
  send(response, HEALTHY, {
    issuer,
    jwks_uri: `${base}/jwks`,
    introspection_endpoint: `${base}/introspect`,
    authorization_endpoint: `${base}/authorize`,
    token_endpoint: `${base}/token`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  })
}

const server = http.createServer((request, response) => {
  const [, prefix = '', tenant = '-', path] = /^(\/t\/([^/]+))?(\/.*)$/.exec(request.url) ?? []
  if (path === '/jwks' || path === '/.well-known/jwks.json' || path === '/v1/keys')
    return answerKeys(response, tenant)
  if (path === '/introspect' && request.method === 'POST')
    return answerIntrospection(request, response, tenant)
  if (path?.startsWith('/.well-known/')) return answerMetadata(response, prefix)
  send(response, { ...HEALTHY, status: 404 })
})
server.keepAliveTimeout = 60_000
const listen = () => new Promise((resolve) => server.listen(port, '127.0.0.1', 4096, resolve))
await listen()

answerCalls({
  cpu: cpuUsage,
  stats: () => stats,
  /** `{ keys, jwks: { latencyMs, status, hang }, introspection: { … } }`, any part of it. */
  set({ keys: newKeys, kids, jwks, introspection }) {
    state = {
      keys: newKeys ?? (kids ? published(kids) : state.keys),
      jwks: { ...state.jwks, ...jwks },
      introspection: { ...state.introspection, ...introspection },
    }
  },
  /** Healthy again. */
  heal: () => void (state = { ...state, jwks: HEALTHY, introspection: HEALTHY }),
  resetStats() {
    for (const counted of Object.values(stats))
      Object.assign(counted, { jwks: 0, introspections: 0, maxInFlight: 0 })
  },
  down: () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  up: listen,
})
