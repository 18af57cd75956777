/**
 * Glewlwyd, an authorization server in C (Debian packages `glewlwyd` and `sqlite3`), on the loopback
 * interface, with its database in a temporary folder and its configuration made over its own API.
 */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startProgram } from '../support/processes.js'

const SCHEMA = '/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3'
const SCOPES = ['api:read', 'api:write', 'introspect']

export interface Glewlwyd {
  /** Signs with RS256. */
  readonly issuer: string
  /** On the same origin, signs with ES256. */
  readonly ecIssuer: string
  /** The older plugin, plain OAuth 2.0: its JWTs name no issuer. */
  readonly plainToken: string
  stop(): Promise<void>
}

/** What is missing on this machine; empty if nothing is. */
export function missingForGlewlwyd(): readonly string[] {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const programs = ['glewlwyd', 'sqlite3'].filter(
    (name) => !folders.some((folder) => existsSync(join(folder, name))),
  )
  return programs.length === 0 && !existsSync(SCHEMA) ? [SCHEMA] : programs
}

/** Starts and configures it. Clients: `svc`, `rs` and `web` (`…-secret`); user `alice` (`alice-pw`). */
export async function startGlewlwyd(): Promise<Glewlwyd> {
  const folder = mkdtempSync(join(tmpdir(), 'glewlwyd-'))
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const database = join(folder, 'database')
  execFileSync('sqlite3', [database], { input: readFileSync(SCHEMA) })
  const configuration = join(folder, 'configuration')
  writeFileSync(configuration, toConfiguration(port, base, database))
  const program = startProgram('glewlwyd', [`--config-file=${configuration}`])
  try {
    const api = await logIn(base)
    await configure(api, base)
  } catch (error) {
    await program.stop()
    throw new Error(`glewlwyd could not be configured: ${program.output()}`, { cause: error })
  }
  return {
    issuer: `${base}/api/oidc`,
    ecIssuer: `${base}/api/oidc-es`,
    plainToken: `${base}/api/oauth2/token`,
    async stop() {
      await program.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function toConfiguration(port: number, base: string, database: string): string {
  const modules = '/usr/lib/glewlwyd'
  return `
    port=${port}
    bind_address="127.0.0.1"
    external_url="${base}/"
    login_url="login.html"
    api_prefix="api"
    static_files_path="/usr/share/glewlwyd/webapp/"
    static_files_mime_types=({extension=".html" mime_type="text/html"})
    log_mode="console"
    log_level="ERROR"
    cookie_secure=0
    session_key="SESSION"
    admin_scope="g_admin"
    profile_scope="g_profile"
    user_module_path="${modules}/user"
    client_module_path="${modules}/client"
    user_auth_scheme_module_path="${modules}/scheme"
    plugin_module_path="${modules}/plugin"
    hash_algorithm="SHA512"
    database={type="sqlite3" path="${database}"};`
}

type Api = (method: string, path: string, body: unknown) => Promise<void>

/** As the administrator that the package's schema makes; tried again until the server listens. */
async function logIn(base: string): Promise<Api> {
  const post = (cookie: string, method: string, path: string, body: unknown) =>
    fetch(`${base}/api/${path}`, {
      method,
      headers: { 'content-type': 'application/json', cookie },
      body: JSON.stringify(body),
    })
  const cookie = await untilListening(async () => {
    const response = await post('', 'POST', 'auth/', { username: 'admin', password: 'password' })
    return response.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  })
  return async (method, path, body) => {
    const response = await post(cookie, method, path, body)
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  }
}

async function untilListening<T>(attempt: () => Promise<T>): Promise<T> {
  for (let attempts = 0; ; attempts += 1) {
    try {
      return await attempt()
    } catch (error) {
      // it says nowhere that it listens
      if (attempts === 200) throw error
      await pause(50)
    }
  }
}

async function configure(api: Api, base: string): Promise<void> {
  for (const name of SCOPES) await api('POST', 'scope/', { name, display_name: name, scheme: {} })
  const rsa = toJwk(
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
    'RS256',
  )
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecJwk = toJwk(ec.privateKey.export({ format: 'jwk' }), 'ES256')
  const plugin = (module: string, name: string, parameters: object) =>
    api('POST', 'mod/plugin/', { module, name, display_name: name, parameters })
  await plugin('oidc', 'oidc', toOidc(`${base}/api/oidc`, [rsa, ecJwk], 'RS256'))
  await plugin('oidc', 'oidc-es', toOidc(`${base}/api/oidc-es`, [ecJwk], 'ES256'))
  await plugin('oauth2-glewlwyd', 'oauth2', {
    ...GRANTS,
    url: `${base}/`,
    'auth-type-implicit-enabled': false,
    'jwt-type': 'ecdsa',
    'jwt-key-size': '256',
    key: ec.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: ec.publicKey.export({ type: 'spki', format: 'pem' }),
    'pkce-allowed': true,
  })
  const client = (id: string, more: object) => api('POST', 'client/', { ...toClient(id), ...more })
  await client('svc', { scope: ['api:read', 'api:write'] })
  await client('rs', { scope: ['introspect'] })
  await client('web', {
    redirect_uri: ['http://127.0.0.1/callback'],
    authorization_type: ['password', 'refresh_token', 'client_credentials'],
  })
  await api('POST', 'user/', {
    username: 'alice',
    password: 'alice-pw',
    enabled: true,
    scope: ['g_profile', 'openid', 'api:read', 'api:write'],
  })
}

const toJwk = (jwk: object, alg: string) => ({ ...jwk, kid: alg, alg, use: 'sig' })

const toClient = (id: string) => ({
  client_id: id,
  name: id,
  client_secret: `${id}-secret`,
  enabled: true,
  confidential: true,
  scope: [],
  redirect_uri: [],
  authorization_type: ['client_credentials'],
  token_endpoint_auth_method: ['client_secret_basic'],
})

const GRANTS = {
  'access-token-duration': 600,
  'refresh-token-duration': 86_400,
  'code-duration': 60,
  'refresh-token-rolling': true,
  'auth-type-code-enabled': true,
  'auth-type-password-enabled': true,
  'auth-type-client-enabled': true,
  'auth-type-refresh-enabled': true,
  'auth-type-device-enabled': false,
  'introspection-revocation-allowed': true,
  'introspection-revocation-allow-target-client': true,
  'introspection-revocation-auth-scope': ['introspect'],
}

const toOidc = (iss: string, keys: readonly object[], kid: string) => ({
  ...GRANTS,
  iss,
  'jwks-private': JSON.stringify({ keys }),
  'default-kid': kid,
  'jwks-show': true,
  'allow-non-oidc': true,
  'auth-type-token-enabled': true,
  'auth-type-id-token-enabled': true,
  'auth-type-none-enabled': true,
  'allowed-scope': ['openid', 'api:read', 'api:write'],
  'subject-type': 'public',
  'pkce-allowed': true,
  'pkce-method-plain-allowed': false,
  'client-pubkey-parameter': 'pubkey',
  'client-jwks-parameter': 'jwks',
  'client-jwks_uri-parameter': 'jwks_uri',
  'request-parameter-allow': true,
  'request-parameter-ietf-strict': false,
  'request-maximum-exp': 3600,
  'oauth-dpop-allowed': true,
  'oauth-dpop-iat-duration': 60,
  'oauth-dpop-nonce-mandatory': false,
  'resource-allowed': true,
  'resource-scope': {
    'api:read': ['https://api.example.com', 'https://other.example.com'],
    'api:write': ['https://api.example.com'],
  },
  'resource-scope-and-client-property': false,
  'session-management-allowed': false,
  'session-cookie-name': `SESSION_${kid}`,
  'session-cookie-expiration': 86_400,
  'oauth-par-allowed': false,
  'oauth-as-iss-id': true,
})

async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
