// A real authorization server (oidc-provider) in this process, on the loopback interface, for the demo
// and the tests. Everything is in memory, the clients and secrets are known to everybody: not for production.
//
//   const authorizationServer = await startAuthorizationServer({ port: 4010 })
//
// The `resource` parameter of a token request names the API that the token is for; its query says what
// the token is to be. Without `resource` the token is opaque and names no audience.
//   https://api.example.com                     a JWT (RFC 9068), signed with RS256
//   https://api.example.com?alg=ES256           … with another algorithm
//   https://api.example.com?format=opaque       a random string, to be introspected
//   https://api.example.com?seconds=2           … that lives for two seconds (with & after another)
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { LRUCache } from 'lru-cache'
import { listen, shut } from './listen.mjs'

const { Provider } = await importProvider()

export const API_SCOPES = ['orders:read', 'orders:write']
const LIFETIME_SECONDS = 3600

/**
 * @param port the wished one; another free one if it is taken, or if it is 0 or not given
 * @param path of the issuer, such as `/tenant1`; none if not given
 * @returns `issuer` and `origin`; `clientKey`: the private JWK of the client `rs-jwt`; `stop()` closes all
 * connections and refuses new ones, `start()` listens again at the same address with all tokens still known;
 * `rotateKeys({ keep })` signs with new keys, `keep` goes on publishing the former ones;
 * `registerBackchannelLogout(uri)`: from now on the end of a session of the client `spa` is told there;
 * `logOut({ sub, sid })` ends one, and resolves when that was told
 */
export async function startAuthorizationServer({ port = 0, path = '' } = {}) {
  let keys = createKeys()
  let provider
  let logoutUri
  const clientKey = createKey('ES256', 'ec', { namedCurve: 'P-256' })
  const Adapter = createMemory()
  const server = createServer((request, response) => {
    if (!request.url.startsWith(`${path}/interaction/`)) return answer(request, response)
    signIn(provider, request, response).catch((error) => response.writeHead(400).end(error.message))
  })
  const origin = await listen(server, port)
  const issuer = origin + path
  const build = () =>
    createProvider(issuer, { adapter: Adapter, jwks: { keys }, clients: clients(clientKey, logoutUri) })
  provider = build()

  function answer(request, response) {
    if (!request.url.startsWith(`${path}/`)) return response.writeHead(404).end()
    // as where Express mounts it: what stands before its own routes
    const mounted = Object.assign(request, { originalUrl: request.url, baseUrl: path })
    mounted.url = request.url.slice(path.length)
    return provider.callback()(mounted, response)
  }

  return {
    issuer,
    origin,
    clientKey,
    start: () => listen(server, Number(new URL(origin).port), { exactly: true }),
    stop: () => shut(server),
    rotateKeys({ keep = false } = {}) {
      keys = [...createKeys(), ...(keep ? keys : [])]
      provider = build()
    },
    registerBackchannelLogout(uri) {
      logoutUri = uri
      provider = build()
    },
    async logOut({ sub, sid }) {
      const client = await provider.Client.find('spa')
      await client.backchannelLogout(sub, sid)
    },
  }
}

function createProvider(issuer, configuration) {
  const provider = new Provider(issuer, {
    ...configuration,
    scopes: ['openid', 'offline_access', ...API_SCOPES],
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    enabledJWA: { dPoPSigningAlgValues: ['ES256', 'Ed25519', 'EdDSA', 'PS256', 'RS256'] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    interactions: {
      url: (_context, { uid }) => `${new URL(issuer).pathname.replace(/\/$/, '')}/interaction/${uid}`,
    },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      // who sends a proof gets a token that is bound to its key; its proofs need a nonce
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
      // in place of TLS: the certificate in a field, as a proxy in front would write it
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: (context) => decodeURIComponent(context.get('x-client-cert')) || undefined,
      },
      introspection: {
        enabled: true,
        allowedPolicy: (_context, client) => client.clientId.startsWith('rs'),
      },
      revocation: {
        enabled: true,
        allowedPolicy: (_context, client, token) => token.clientId === client.clientId,
      },
      rpInitiatedLogout: { enabled: false },
      backchannelLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (_context, _client, oneOf) => oneOf,
        getResourceServerInfo: (_context, resource) => toResourceServer(resource),
      },
    },
    // so that the end of a session can end its access tokens
    async extraTokenClaims(_context, { clientId, sessionUid }) {
      const session = sessionUid && (await provider.Session.findByUid(sessionUid))
      return session ? { sid: session.sidFor(clientId) } : undefined
    },
    // everybody here is on the loopback interface, which oidc-provider does not call of itself
    fetch: (url, { dispatcher: _guarded, ...options }) => fetch(url, options),
    clientBasedCORS: () => false,
    renderError(context, { error, error_description: description }) {
      context.type = 'text'
      context.body = `${error}: ${description}\n`
    },
    ttl: {
      AccessToken: lifetimeOf,
      ClientCredentials: lifetimeOf,
      IdToken: LIFETIME_SECONDS,
      RefreshToken: LIFETIME_SECONDS,
      AuthorizationCode: 60,
      Grant: LIFETIME_SECONDS,
      Interaction: 60,
      Session: LIFETIME_SECONDS,
    },
  })
  provider.on('server_error', (_context, error) => console.error('authorization server:', error))
  return provider
}

/** What a token for this resource looks like, as said at the top of this file. */
function toResourceServer(resource) {
  const [audience, query] = resource.split('?')
  const wished = new URLSearchParams(query)
  return {
    audience,
    scope: API_SCOPES.join(' '),
    accessTokenFormat: wished.get('format') ?? 'jwt',
    accessTokenTTL: Number(wished.get('seconds') ?? LIFETIME_SECONDS),
    jwt: { sign: { alg: wished.get('alg') ?? 'RS256' } },
  }
}

function lifetimeOf(_context, token) {
  return token.resourceServer?.accessTokenTTL ?? LIFETIME_SECONDS
}

function clients(clientKey, logoutUri) {
  const { d: _secret, ...publicKey } = clientKey
  const none = { redirect_uris: [], response_types: [], grant_types: [] }
  return [
    // a service that calls the API
    { ...none, client_id: 'svc', client_secret: 'svc-secret', grant_types: ['client_credentials'] },
    // the same with tokens that are bound to its certificate
    {
      ...none,
      client_id: 'svc-mtls',
      client_secret: 'svc-mtls-secret',
      grant_types: ['client_credentials'],
      tls_client_certificate_bound_access_tokens: true,
    },
    // the API itself, which introspects; once for every way to prove it
    { ...none, client_id: 'rs', client_secret: 'rs-secret' },
    { ...none, client_id: 'rs:odd id', client_secret: 'p%40ss:w+rd/=&' },
    {
      ...none,
      client_id: 'rs-post',
      client_secret: 'rs-post-secret',
      token_endpoint_auth_method: 'client_secret_post',
    },
    {
      ...none,
      client_id: 'rs-jwt',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [publicKey] },
    },
    // an application in which alice signs in
    {
      client_id: 'spa',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/callback'],
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token'],
      ...(logoutUri && { backchannel_logout_uri: logoutUri, backchannel_logout_session_required: true }),
    },
  ]
}

/** In place of pages for signing in and consenting: everybody is alice, and alice consents to everything. */
async function signIn(provider, request, response) {
  const { params, prompt } = await provider.interactionDetails(request, response)
  const result =
    prompt.name === 'login'
      ? { login: { accountId: 'alice' } }
      : { consent: { grantId: await consent(provider, params) } }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true })
}

async function consent(provider, { client_id: clientId, scope, resource }) {
  const grant = new provider.Grant({ accountId: 'alice', clientId })
  grant.addOIDCScope(scope)
  if (resource) grant.addResourceScope(resource, scope)
  return grant.save()
}

function createKeys() {
  return [
    // without `alg` the RSA key serves RS* and PS*, the Edwards one EdDSA and Ed25519
    createKey(undefined, 'rsa', { modulusLength: 2048 }),
    createKey('ES256', 'ec', { namedCurve: 'P-256' }),
    createKey('ES384', 'ec', { namedCurve: 'P-384' }),
    createKey('ES512', 'ec', { namedCurve: 'P-521' }),
    createKey(undefined, 'ed25519'),
  ]
}

function createKey(alg, type, options) {
  const { privateKey } = generateKeyPairSync(type, options)
  const kid = randomBytes(6).toString('hex')
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', ...(alg && { alg }) }
}

/** The storage that oidc-provider asks for: a class, made once for each kind of thing that it stores. */
function createMemory() {
  const stored = new LRUCache({ max: 10_000 })
  const keysOf = new LRUCache({ max: 10_000 })

  return class Memory {
    constructor(model) {
      this.prefix = `${model}:`
    }
    async upsert(id, payload, expiresIn) {
      const key = this.prefix + id
      stored.set(key, payload, expiresIn ? { ttl: expiresIn * 1000 } : {})
      if (payload.uid) stored.set(`uid:${payload.uid}`, key)
      if (payload.grantId) keysOf.set(payload.grantId, [...(keysOf.get(payload.grantId) ?? []), key])
    }
    async find(id) {
      return stored.get(this.prefix + id)
    }
    async findByUid(uid) {
      return stored.get(stored.get(`uid:${uid}`))
    }
    async consume(id) {
      stored.get(this.prefix + id).consumed = Math.floor(Date.now() / 1000)
    }
    async destroy(id) {
      stored.delete(this.prefix + id)
    }
    async revokeByGrantId(grantId) {
      for (const key of keysOf.get(grantId) ?? []) stored.delete(key)
    }
  }
}

/** oidc-provider warns on Node 20, where it works nevertheless. That one sentence is left out, no other. */
async function importProvider() {
  const { warn } = console
  console.warn = (...what) => {
    if (!String(what[0]).includes('Unsupported runtime')) warn(...what)
  }
  try {
    return await import('oidc-provider')
  } finally {
    console.warn = warn
  }
}
