// The demo: a real authorization server, a protected API, and a transcript of requests between them.
//   npm start              prints the transcript, then both stay up for your own curl until Ctrl-C
//   npm start -- --once    ends after the transcript, with exit code 1 if a request was not answered as announced
import { setTimeout as pause } from 'node:timers/promises'
import { CACHE_SECONDS, RESOURCE, startApi } from './api.mjs'
import { startAuthorizationServer } from './authorization-server.mjs'
import { requestToken, revokeToken } from './tokens.mjs'
import { createTranscript } from './transcript.mjs'

const OPAQUE_RESOURCE = `${RESOURCE}?format=opaque`
const SHORT_SECONDS = 3

const authorizationServer = await startAuthorizationServer({ port: 4010 })
const { issuer } = authorizationServer
const api = await startApi({ port: 4000, issuer, onRefusal: (event) => transcript.onRefusal(event) })
const transcript = createTranscript(api)
const { say } = transcript

// the library's advice to the developer is a part of the transcript; other warnings stay what they are
process.removeAllListeners('warning').on('warning', (warning) => {
  if (warning.name === 'ResourceServerWarning') transcript.onWarning(warning)
  else console.error(warning)
})

console.log(`Authorization server  ${issuer}   oidc-provider`)
console.log(
  `Protected API         ${api.origin}   Express with express-resource-server, examples/demo/api.mjs`,
)
console.log(`
Every numbered step below is a real request: the command that would repeat it, then the answer, then
  judged    what kind of token it was and how the API came to trust it (req.auth.format and req.auth.source)
  operator  why it did not: what the hook onRefusal is told. The client never sees this line
  warning   advice to the developer, once, outside production`)
await fetch(api.origin) // opens the connection, so that the first time shown is that of a request alone

await selfContained()
await opaque()
await refusals()
await endOfLife()
await outage()
const isAsAnnounced = transcript.end()

if (process.argv.includes('--once')) {
  await stop()
  process.exitCode = isAsAnnounced ? 0 : 1
} else {
  invite()
  process.once('SIGINT', stop).once('SIGTERM', stop)
}

async function selfContained() {
  say('A self-contained token (JWT) for this API, and requests with it')
  await transcript.request('Without a token: refused, and told what is needed', {
    status: 401,
    challenge: 'Bearer',
    reason: 'missing_token',
  })
  await obtain('JWT', { resource: RESOURCE })
  await transcript.request('The JWT: verified here', {
    token: 'JWT',
    status: 200,
    format: 'jwt',
    source: 'verification',
  })
  await transcript.request('The same JWT again: known', {
    token: 'JWT',
    status: 200,
    format: 'jwt',
    source: 'cache',
  })
}

async function opaque() {
  say('An opaque token for the same API: only the authorization server can read it')
  await obtain('OPAQUE', { resource: OPAQUE_RESOURCE })
  await transcript.request('The opaque token: introspected', {
    token: 'OPAQUE',
    status: 200,
    format: 'opaque',
    source: 'introspection',
  })
  await transcript.request(`The same opaque token again: known, for ${CACHE_SECONDS} seconds`, {
    token: 'OPAQUE',
    status: 200,
    format: 'opaque',
    source: 'cache',
  })
}

async function refusals() {
  say('Tokens that do not do')
  await transcript.request('A missing scope: refused, and told which scopes are needed', {
    method: 'POST',
    token: 'JWT',
    status: 403,
    challenge: 'scope="orders:read orders:write"',
    reason: 'insufficient_scope',
  })
  await obtain('ELSEWHERE', { resource: 'https://other.example.com' })
  await transcript.request('A JWT for another API', {
    token: 'ELSEWHERE',
    status: 401,
    challenge: 'error="invalid_token"',
    reason: 'audience_mismatch',
  })
  await obtain('OPAQUE_ELSEWHERE', { resource: 'https://other.example.com?format=opaque' })
  await transcript.request('An opaque token for another API: active, and still refused', {
    token: 'OPAQUE_ELSEWHERE',
    status: 401,
    challenge: 'error="invalid_token"',
    reason: 'opaque_audience_mismatch',
  })
  const genuine = await requestToken(issuer, { resource: RESOURCE })
  transcript.export(
    'FORGED',
    withMoreScope(genuine),
    '# a JWT for this API, its scope changed, its signature left as it was',
  )
  await transcript.request('A JWT whose holder has written a scope into it', {
    method: 'POST',
    token: 'FORGED',
    status: 401,
    challenge: 'error="invalid_token"',
    reason: 'invalid_signature',
  })
  transcript.export('GARBAGE', 'not-a-token', '# made up')
  await transcript.request('Something that is no token at all', {
    token: 'GARBAGE',
    status: 401,
    challenge: 'error="invalid_token"',
    reason: 'inactive',
  })
}

async function endOfLife() {
  say('Tokens that end: one expires, one is revoked')
  await obtain('SHORT', { resource: `${RESOURCE}?seconds=${SHORT_SECONDS}` })
  await transcript.request(`A JWT that lives for ${SHORT_SECONDS} seconds`, { token: 'SHORT', status: 200 })
  const revoked = await obtain('REVOKED', { resource: OPAQUE_RESOURCE })
  await transcript.request('An opaque token before its revocation', {
    token: 'REVOKED',
    status: 200,
    source: 'introspection',
  })
  const introspectedAt = Date.now()
  await revokeToken(issuer, revoked)
  transcript.show(`curl -u svc:svc-secret -d "token=$REVOKED" ${issuer}/token/revocation`)
  await transcript.request(
    `The same token just after it: the answer is still believed, for ${CACHE_SECONDS} seconds (cacheTtlSeconds)`,
    { token: 'REVOKED', status: 200, source: 'cache' },
  )
  say(`… ${CACHE_SECONDS} seconds later`)
  await pause(introspectedAt + CACHE_SECONDS * 1000 + 10 - Date.now())
  await transcript.request('The revoked token', {
    token: 'REVOKED',
    status: 401,
    challenge: 'error="invalid_token"',
    reason: 'inactive',
  })
  await transcript.request('The expired JWT, although it was known', {
    token: 'SHORT',
    status: 401,
    challenge: 'error="invalid_token"',
    reason: 'expired',
  })
}

async function outage() {
  say('The authorization server goes away')
  await obtain('UNSEEN_JWT', { resource: RESOURCE })
  await obtain('UNSEEN', { resource: OPAQUE_RESOURCE })
  await transcript.request('Just before: the opaque token, asked about once more', {
    token: 'OPAQUE',
    status: 200,
    source: 'introspection',
  })
  await authorizationServer.stop()
  say(`… nothing listens at ${issuer} any more`)
  await transcript.request('The known JWT', { token: 'JWT', status: 200, source: 'cache' })
  await transcript.request('A JWT never seen before: the keys are here', {
    token: 'UNSEEN_JWT',
    status: 200,
    source: 'verification',
  })
  await transcript.request(`The known opaque token, within ${CACHE_SECONDS} seconds`, {
    token: 'OPAQUE',
    status: 200,
    source: 'cache',
  })
  const { retryAfter } = await transcript.request(
    'An opaque token never seen before: nobody can say now, so it is not called bad',
    { token: 'UNSEEN', status: 503, retryAfter: '1', reason: 'introspection_unavailable' },
  )
  await authorizationServer.start()
  say(`… it is back; the client waits ${retryAfter} s, as it was told`)
  await pause(Number(retryAfter) * 1000)
  await transcript.request('The same token', { token: 'UNSEEN', status: 200, source: 'introspection' })
}

async function obtain(name, request) {
  const token = await requestToken(issuer, request)
  transcript.export(name, token, toCurl(request.resource))
  return token
}

/** The request for a token, as a shell command. */
function toCurl(resource) {
  return `curl -u svc:svc-secret -d grant_type=client_credentials -d scope=orders:read -d 'resource=${resource}' ${issuer}/token`
}

/** The change that a signature is there to show. */
function withMoreScope(jwt) {
  const [header, payload, signature] = jwt.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url'))
  const forged = JSON.stringify({ ...claims, scope: 'orders:read orders:write' })
  return [header, Buffer.from(forged).toString('base64url'), signature].join('.')
}

function invite() {
  say(`Both servers stay up until Ctrl-C. Repeat any request above: paste its \`export\` line, then its \`curl\`.
A token of your own (scopes orders:read orders:write; what else it can be is said in authorization-server.mjs):

    ${toCurl(RESOURCE)}
    ${toCurl(OPAQUE_RESOURCE)}

The examples find this authorization server too${issuer.endsWith(':4010') ? '' : `, with ISSUER=${issuer}`}: node examples/01-jwt-only.mjs`)
}

async function stop() {
  await api.stop()
  await authorizationServer.stop()
}
