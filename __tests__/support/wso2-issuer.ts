/**
 * A stand-in for WSO2 Identity Server, over real HTTP, in its own dialect: where its documents are, how it
 * answers introspection and how it refuses, with none of its logins.
 *
 * @see WSO2 Identity Server documentation, "Access tokens", "Token validation by resource server"
 * @see wso2-extensions/identity-inbound-auth-oauth, `OAuth2IntrospectionEndpoint`, `JWTTokenIssuer`, `JwksEndpoint`
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { type Answer, methodNotAllowed, toAnswer } from '../../lib/testing/answers.js'
import { createFaults, type Fault, type FaultyEndpoint } from '../../lib/testing/faults.js'
import { createLoopbackServer } from '../../lib/testing/loopback-server.js'
import { createRequestHandler, type Endpoint } from '../../lib/testing/request-handler.js'
import { createRequestLog, type EndpointName, type RecordedRequest } from '../../lib/testing/request-log.js'
import { createSigningKey } from '../../lib/testing/signing-keys.js'
import { createSigner } from '../../lib/testing/signatures.js'

/** Who may introspect: a user (the server's default), a client (by `deployment.toml`), or whoever has this token. */
export interface Wso2Introspection {
  readonly user?: { readonly name: string; readonly password: string }
  readonly client?: { readonly id: string; readonly secret: string }
  readonly bearerToken?: string
}

export interface Wso2IssuerOptions {
  /** Domain of a tenant, such as `'acme.example'`. Default: the super tenant, which has none in its addresses. */
  readonly tenant?: string
  /** Default: the user `admin` with the password `admin`. */
  readonly introspection?: Wso2Introspection
}

export interface Wso2TokenOptions {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
}

export interface Wso2Issuer {
  /** The address of the token endpoint. */
  readonly issuer: string
  /** What the host for mutual TLS writes as `iss`. */
  readonly mtlsIssuer: string
  readonly introspectionEndpoint: string
  /** A self-contained access token, signed with the one key under one of its names. */
  readonly mintJwt: (options?: Wso2TokenOptions) => string
  /** An opaque access token of a user; `response` is added to the answer, undefined leaves a member out. */
  readonly issueOpaque: (response?: Readonly<Record<string, unknown>>) => string
  readonly requests: readonly RecordedRequest[]
  readonly count: (endpoint?: EndpointName) => number
  readonly fail: (endpoint: FaultyEndpoint, fault: Fault, options?: { readonly times?: number }) => void
  readonly close: () => Promise<void>
}

/** The client that the tokens are for: WSO2 writes it first into `aud`. */
const CLIENT_ID = '7YQ1QaLhMTOnJf8Z'
const API = 'https://api.example.com'
/** `Long.MAX_VALUE`, for tokens that do not expire. JSON says it exactly, JavaScript cannot. */
export const NEVER_EXPIRES = 9_223_372_036_854_775_807n
const NEVER_IN_JSON = '"(Long.MAX_VALUE)"'

/** @returns when it listens. Close it after the test. */
export async function createWso2Issuer(options: Wso2IssuerOptions = {}): Promise<Wso2Issuer> {
  const { tenant, introspection = { user: { name: 'admin', password: 'admin' } } } = options
  const server = await createLoopbackServer(0)
  const path = tenant === undefined ? '' : `/t/${tenant}`
  const issuer = `${server.origin}${path}/oauth2/token`
  const { key, thumbprint, keys } = createCertificate()
  const kid = `${thumbprint}_RS256`
  const answers = new Map<string, Readonly<Record<string, unknown>>>()
  const log = createRequestLog()
  const faults = createFaults()

  const metadata = json({
    issuer,
    token_endpoint: issuer,
    jwks_uri: `${server.origin}${path}/oauth2/jwks`,
    introspection_endpoint: `${server.origin}${path}/oauth2/introspect`,
    // of the token endpoint's clients; not what the endpoint really takes
    introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
  })
  const endpoints: readonly (readonly [string, Endpoint])[] = [
    [`${path}/oauth2/token/.well-known/openid-configuration`, { name: 'metadata', answer: () => metadata }],
    [
      `${path}/oauth2/oidcdiscovery/.well-known/openid-configuration`,
      { name: 'metadata', answer: () => metadata },
    ],
    [
      `/.well-known/oauth-authorization-server${path}/oauth2/token`,
      { name: 'metadata', answer: () => metadata },
    ],
    [`${path}/oauth2/jwks`, { name: 'jwks', answer: () => json({ keys }) }],
    [`${path}/oauth2/introspect`, { name: 'introspection', answer: introspect }],
  ]
  server.serve(createRequestHandler(new Map(endpoints), log, faults))

  function introspect({ method, headers, body }: RecordedRequest): Answer {
    if (method !== 'POST') return methodNotAllowed('POST')
    if (!isAllowed(headers.authorization, introspection)) return refusedByFilter()
    const token = new URLSearchParams(body).get('token')
    if (token === null) return toAnswer({ status: 400, body: { error: 'Invalid input' } })
    const answer = JSON.stringify(answers.get(token) ?? { active: false })
    return toAnswer({
      headers: { 'content-type': 'application/json' },
      body: answer.replaceAll(NEVER_IN_JSON, String(NEVER_EXPIRES)),
    })
  }

  function mintJwt({ claims, header }: Wso2TokenOptions = {}): string {
    const signer = createSigner({ alg: 'RS256', key }, { RS256: key } as never, 'RS256')
    const parts = [
      { x5t: thumbprint, kid, typ: 'at+jwt', alg: 'RS256', ...header },
      { ...toClaims(issuer), ...claims },
    ]
    return signer.sign(parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.'))
  }

  return {
    issuer,
    mtlsIssuer: issuer.replace('127.0.0.1', 'mtls.localhost'),
    introspectionEndpoint: `${server.origin}${path}/oauth2/introspect`,
    mintJwt(tokenOptions) {
      const token = mintJwt(tokenOptions)
      // introspection tells a self-contained token by its own name, and all that is in it
      answers.set(token, { active: true, token_type: 'JWT', ...toClaims(issuer), ...tokenOptions?.claims })
      return token
    },
    issueOpaque(response = {}) {
      const token = randomUUID()
      const never = response['exp'] === NEVER_EXPIRES ? { exp: '(Long.MAX_VALUE)' } : {}
      answers.set(token, { ...toOpaqueAnswer(), ...response, ...never })
      return token
    },
    requests: log.requests,
    count: log.count,
    fail: faults.fail,
    close: server.stop,
  }
}

/** One key, under a name for each algorithm it may be used with. */
function createCertificate() {
  const key = createSigningKey('RS256')
  const thumbprint = createHash('sha256').update(JSON.stringify(key.publicJwk)).digest('base64url')
  const keys = ['RS256', 'RS384', 'RS512'].map((alg) => ({
    ...key.publicJwk,
    alg,
    kid: `${thumbprint}_${alg}`,
    'x5t#S256': thumbprint,
  }))
  return { key, thumbprint, keys }
}

function json(content: object): Answer {
  return toAnswer({ body: content })
}

function toClaims(issuer: string): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return {
    sub: 'a6e4bcf4-5a5b-4d6f-9f0c-6f1a1f8e1d9b',
    aut: 'APPLICATION_USER',
    binding_type: 'sso-session',
    iss: issuer,
    client_id: CLIENT_ID,
    azp: CLIENT_ID,
    aud: [CLIENT_ID, API],
    nbf: now,
    scope: 'openid orders_read',
    exp: now + 3600,
    iat: now,
    jti: randomUUID(),
    binding_ref: randomBytes(16).toString('hex'),
  }
}

/** No `sub`, no `iss`, no `jti`: those are for self-contained tokens only. */
function toOpaqueAnswer(): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return {
    active: true,
    token_type: 'Bearer',
    aut: 'APPLICATION_USER',
    client_id: CLIENT_ID,
    username: 'SECONDARY/john@carbon.super',
    scope: 'openid orders_read',
    aud: [CLIENT_ID, API],
    nbf: now,
    iat: now,
    exp: now + 3600,
    binding_type: 'sso-session',
  }
}

function isAllowed(
  authorization: string | undefined,
  { user, client, bearerToken }: Wso2Introspection,
): boolean {
  if (authorization === undefined) return false
  if (bearerToken !== undefined && authorization === `Bearer ${bearerToken}`) return true
  const pair = Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString()
  // the names of users are taken as they are, without decoding a form
  if (user && pair === `${user.name}:${user.password}`) return true
  return (
    client !== undefined && pair === `${encodeURIComponent(client.id)}:${encodeURIComponent(client.secret)}`
  )
}

function refusedByFilter(): Answer {
  return toAnswer({
    status: 401,
    body: {
      code: '401',
      message: 'Unauthorized',
      description: 'Authorization failure',
      traceId: randomUUID(),
    },
  })
}
