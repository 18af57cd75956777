/** An authorization server in this process, over real HTTP, that does what a test tells it, right or wrong. */
import type { JsonWebKey } from 'node:crypto'
import { methodNotAllowed, toAnswer } from './answers.js'
import { createClientCheck, type TestClients } from './client-authentication.js'
import { createFaults, type Fault, type FaultyEndpoint } from './faults.js'
import { type AnswerIntrospection, createIntrospectionEndpoint } from './introspection-endpoint.js'
import { createLoopbackServer, type ServerTls } from './loopback-server.js'
import { type Addresses, type MetadataUrls, toAddresses, toMetadata } from './metadata.js'
import { createOpaqueTokens, type OpaqueOptions } from './opaque-tokens.js'
import { createRequestLog, type EndpointName, type RecordedRequest } from './request-log.js'
import { createRequestHandler, type Endpoint } from './request-handler.js'
import type { SignatureOptions } from './signatures.js'
import { createSigningKeys, type Jwks, type SigningAlgorithm, type SigningKey } from './signing-keys.js'
import { createTokenMint, type MintOptions, type SignAnswerOptions } from './tokens.js'

export type { AnswerShape } from './answers.js'
export { createTestAuthority, createTestCertificate } from './certificates.js'
export type { TestCertificate, TestCertificateAuthority, TestCertificateOptions } from './certificates.js'
export type { TestClient, TestClientAuthMethod, TestClients } from './client-authentication.js'
export type { Fault, FaultyEndpoint } from './faults.js'
export type { AnswerIntrospection } from './introspection-endpoint.js'
export type { MetadataUrls } from './metadata.js'
export type { OpaqueOptions } from './opaque-tokens.js'
export type { EndpointName, RecordedRequest } from './request-log.js'
export type { SignatureAlgorithm, SignatureOptions } from './signatures.js'
export { createSigningKey, SIGNING_ALGORITHMS } from './signing-keys.js'
export type { Jwks, SigningAlgorithm, SigningKey } from './signing-keys.js'
export type { MintOptions, SignAnswerOptions } from './tokens.js'

export interface TestIssuerOptions {
  /** Port on 127.0.0.1. Default: any free one. */
  readonly port?: number
  /** Makes it an HTTPS server that asks clients for certificates. Default: plain HTTP. */
  readonly tls?: ServerTls
  /** Path of the issuer identifier, such as `'/tenant1'`, or `'/'` for one that ends with a slash. Default: none. */
  readonly path?: string
  /** Audience of the tokens. Default: `'https://api.example.com'`. */
  readonly audience?: string | readonly string[]
  /** Clients that may introspect. Default: `{ rs: 'rs-secret' }`. */
  readonly clients?: TestClients
  /** Algorithms with a published key from the start; the first is the default. Default: `['ES256']`, quick to make. */
  readonly algorithms?: readonly SigningAlgorithm[]
  /** Added to the metadata or put in place of it; `undefined` leaves a member out. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** Whether the RFC 8414 document is there; if not, its address answers 404. Default: true. */
  readonly oauthMetadata?: boolean
  /** Whether the OpenID Connect document is there; if not, its address answers 404. Default: true. */
  readonly openidMetadata?: boolean
}

export interface TestIssuer {
  /** The exact issuer identifier. It stays what it is, whatever `metadata` says. */
  readonly issuer: string
  readonly origin: string
  readonly jwksUri: string
  readonly introspectionEndpoint: string
  readonly metadataUrls: MetadataUrls
  /** What both metadata addresses serve; change it at any time. */
  readonly metadata: Record<string, unknown>

  /** The current key of each algorithm. Reading one makes it, and from then on it is published. */
  readonly keys: Readonly<Record<SigningAlgorithm, SigningKey>>
  /** Takes new keys for all algorithms; `keep` goes on publishing the public halves of the old ones. */
  readonly rotateKeys: (options?: { readonly keep?: boolean }) => void
  /** Takes a key out of the published set. If it is a current one, tokens are still signed with it. */
  readonly withdrawKey: (kid: string) => void
  /** Puts any JWK into the published set, however odd; it stays over rotations. */
  readonly addJwk: (jwk: Readonly<JsonWebKey>) => void
  /** Serves `value` as JSON in place of the key set; `undefined` brings the key set back. */
  readonly publishJwks: (value: unknown) => void
  /** The key set as it stands, without `publishJwks`. */
  readonly jwks: () => Jwks

  /**
   * Mints a JWT access token, by default good in every respect of RFC 9068.
   *
   * @throws TypeError if `alg` is one of HMAC and there is no `key`
   * @example
   * as.mintJwt({ scope: 'orders:read', claims: { jti: undefined }, header: { typ: 'JWT' } })
   */
  readonly mintJwt: (options?: MintOptions) => string
  /** Signs a header and a payload that need not be JSON; both are base64url-encoded as they are. */
  readonly signParts: (
    header: string | Buffer,
    payload: string | Buffer,
    options?: SignatureOptions,
  ) => string
  /** Signs what is (or is not) encoded already: `'header.payload'`, or anything else. */
  readonly signEncoded: (signingInput: string, options?: SignatureOptions) => string

  /**
   * Issues an opaque token and settles what introspection will say of it. The issuer does not watch the clock:
   * an expired token stays active here, so that a test sees who checks `exp`.
   */
  readonly issueOpaque: (options?: OpaqueOptions) => string
  /** Signs an introspection answer as RFC 9701 §5 has it, or wrongly. This is what clients get who accept it. */
  readonly signAnswer: (answer: object, clientId: string, options?: SignAnswerOptions) => string
  /** From now on introspection calls the token inactive, as it does any unknown one. */
  readonly revoke: (token: string) => void
  /** Takes over the answers to authenticated introspection requests; `null` gives them back. */
  readonly answerIntrospection: (replacement: AnswerIntrospection | null) => void

  /** Every request so far, in order of arrival. */
  readonly requests: readonly RecordedRequest[]
  /** How many requests came to an endpoint, or to all. */
  readonly count: (endpoint?: EndpointName) => number
  readonly resetRequests: () => void
  /** Resolves with the next request to the endpoint, when it has arrived and before it is answered. */
  readonly nextRequest: (endpoint: EndpointName) => Promise<RecordedRequest>

  /**
   * Makes an endpoint fail: for so many `times`, or until `heal`. Faults with `times` queue up and come first;
   * of those without, the last one stands.
   */
  readonly fail: (endpoint: FaultyEndpoint, fault: Fault, options?: { readonly times?: number }) => void
  /** Ends the faults of an endpoint, or of all, and lets requests go that hang. */
  readonly heal: (endpoint?: FaultyEndpoint) => void
  /** Closes the port and breaks all connections. */
  readonly goDown: () => Promise<void>
  /** Opens the same port again; keys, tokens and faults are as they were. */
  readonly comeBack: () => Promise<void>
  /** Ends it all. May be called twice. */
  readonly close: () => Promise<void>
}

/**
 * Starts an authorization server for tests: metadata, key set and introspection, without login or token endpoint.
 *
 * @returns when it listens. Close it after the test.
 * @throws TypeError if `path` cannot be part of an issuer identifier
 * @example
 * const as = await createTestIssuer()
 * const token = as.mintJwt({ scope: 'orders:read' })
 * await as.close()
 */
export async function createTestIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const { audience = 'https://api.example.com', clients = { rs: 'rs-secret' } } = options
  const { path = '', algorithms = ['ES256'] } = options
  toAddresses('', path)
  const server = await createLoopbackServer(options.port ?? 0, options.tls)
  const addresses = toAddresses(server.origin, path)
  const { issuer, introspectionEndpoint } = addresses
  const metadata = { ...toMetadata(addresses, algorithms), ...options.metadata }
  const keys = createSigningKeys(algorithms)
  const opaque = createOpaqueTokens(issuer, audience)
  const checkClient = createClientCheck(clients, [issuer, introspectionEndpoint])
  const mint = createTokenMint(keys, issuer, audience)
  const introspection = createIntrospectionEndpoint(checkClient, opaque.introspect, mint.signAnswer)
  const log = createRequestLog()
  const faults = createFaults()
  let published: unknown

  const endpoints = toEndpoints(addresses, {
    oauthMetadata: document(() => metadata, options.oauthMetadata),
    openidMetadata: document(() => metadata, options.openidMetadata),
    jwks: document(() => (published === undefined ? keys.published() : published)),
    introspection: introspection.answer,
  })
  server.serve(createRequestHandler(endpoints, log, faults))

  return {
    ...addresses,
    origin: server.origin,
    metadata,
    keys: keys.current,
    rotateKeys: keys.rotate,
    withdrawKey: keys.withdraw,
    addJwk: keys.add,
    publishJwks: (value) => {
      published = value
    },
    jwks: keys.published,
    ...mint,
    issueOpaque: opaque.issue,
    revoke: opaque.revoke,
    answerIntrospection: introspection.replaceAnswer,
    requests: log.requests,
    count: log.count,
    resetRequests: log.reset,
    nextRequest: log.nextRequest,
    fail: faults.fail,
    heal: faults.heal,
    goDown: server.stop,
    comeBack: server.listen,
    close: server.stop,
  }
}

type Answers = Readonly<
  Record<'oauthMetadata' | 'openidMetadata' | 'jwks' | 'introspection', Endpoint['answer']>
>

function toEndpoints(addresses: Addresses, answers: Answers): ReadonlyMap<string, Endpoint> {
  const { metadataUrls, jwksUri, introspectionEndpoint } = addresses
  return new Map<string, Endpoint>([
    [pathOf(metadataUrls.oauth), { name: 'metadata', answer: answers.oauthMetadata }],
    [pathOf(metadataUrls.openid), { name: 'metadata', answer: answers.openidMetadata }],
    [pathOf(jwksUri), { name: 'jwks', answer: answers.jwks }],
    [pathOf(introspectionEndpoint), { name: 'introspection', answer: answers.introspection }],
  ])
}

function pathOf(url: string): string {
  return new URL(url).pathname
}

function document(content: () => unknown, isThere = true): Endpoint['answer'] {
  return ({ method }) => {
    if (!isThere) return toAnswer({ status: 404 })
    if (method !== 'GET') return methodNotAllowed('GET')
    return toAnswer({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(content()) })
  }
}
