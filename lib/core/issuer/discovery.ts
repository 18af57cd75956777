/**
 * The metadata of an authorization server: where its keys and its introspection endpoint are.
 *
 * @see RFC 8414 §3
 * @see OpenID Connect Discovery 1.0 §4
 */
import { UnavailableError } from '../errors.js'
import type { SendRequest } from '../io/http.js'
import { createRefreshedValue, type RefreshedValue } from '../io/refreshed-value.js'
import {
  getDocument,
  outage,
  statusOutage,
  toJsonDocument,
  type DocumentRequest,
  type JsonDocument,
} from './fetch-json.js'

/** What is used of the metadata. Its other members decide nothing here. */
export interface IssuerMetadata {
  readonly jwksUri: string | undefined
  readonly introspectionEndpoint: string | undefined
  readonly introspectionAuthMethods: readonly string[] | undefined
  /** The endpoint for clients that authenticate by certificate, where it is another (RFC 8705 §5). */
  readonly introspectionMtlsEndpoint: string | undefined
  /** The algorithms of signed introspection answers (RFC 9701 §7). */
  readonly introspectionSigningAlgorithms: readonly string[] | undefined
}

export interface MetadataSettings {
  /** The address of the document, where it is not derived from the issuer. */
  readonly url: string | undefined
  /** Hosts beside the issuer's own on which its endpoints may be. Undefined: any. */
  readonly allowedHosts: readonly string[] | undefined
  /** Seconds between refreshes of the document. */
  readonly refreshSeconds: number
  /** Milliseconds for fetching it. */
  readonly timeoutMs: number
}

export interface DiscoveryOptions {
  readonly issuer: string
  readonly metadata: MetadataSettings
  /** Whether endpoints may be `http:` on any host. */
  readonly allowInsecureHttp: boolean
  readonly send: SendRequest
}

const MAX_BYTES = 256 * 1024
/** A server that is down for a day keeps its endpoints; nothing is trusted by them alone. */
const MAX_STALE_SECONDS = 86_400

/** Keeps the metadata of one issuer: fetched when first needed, then refreshed in the background. */
export function createDiscovery(options: DiscoveryOptions): RefreshedValue<IssuerMetadata> {
  const { issuer, metadata, send } = options
  const urls = metadata.url === undefined ? metadataUrls(issuer) : [metadata.url]

  async function load() {
    const { value, lifetimeSeconds } = await fetchMetadata(send, issuer, urls, metadata.timeoutMs)
    return { value: toIssuerMetadata(value, options), lifetimeSeconds }
  }

  return createRefreshedValue({
    load,
    refreshSeconds: metadata.refreshSeconds,
    maxStaleSeconds: Math.max(MAX_STALE_SECONDS, metadata.refreshSeconds),
  })
}

/**
 * Where the metadata of an issuer may be, in the order in which to look: RFC 8414 inserts the well-known
 * part between host and path; OpenID Connect appends it to the path.
 */
export function metadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    ...new Set([
      `${origin}/.well-known/oauth-authorization-server${path}`,
      `${origin}${path}/.well-known/openid-configuration`,
      `${origin}/.well-known/openid-configuration${path}`,
    ]),
  ]
}

/**
 * The first document that is this issuer's. The next address is tried where there is plainly no such
 * document (4xx, a redirect, a page, another issuer's), never on a failure: a failing server may not
 * make us look elsewhere.
 */
async function fetchMetadata(
  send: SendRequest,
  issuer: string,
  urls: readonly string[],
  timeoutMs: number,
): Promise<JsonDocument> {
  const deadline = Date.now() + timeoutMs
  let missing: UnavailableError | undefined
  for (const url of urls) {
    const request: DocumentRequest = {
      url,
      issuer,
      timeoutMs: Math.max(1, deadline - Date.now()),
      maxBytes: MAX_BYTES,
      reason: 'metadata_unavailable',
      accept: 'application/json',
    }
    const found = await lookAt(send, request)
    if (!(found instanceof UnavailableError)) return found
    // another issuer's document says more than a plain 404
    if (missing?.reason !== 'metadata_unusable') missing = found
  }
  throw missing ?? new UnavailableError('metadata_unavailable', { issuer })
}

async function lookAt(send: SendRequest, request: DocumentRequest): Promise<JsonDocument | UnavailableError> {
  const response = await getDocument(send, request)
  if (response.status >= 300 && response.status < 500 && response.status !== 429) {
    return outage(request, `status ${response.status}`)
  }
  if (response.status !== 200) throw statusOutage(request, response)
  if (/^text\/html\b/i.test(String(response.headers['content-type']))) return outage(request, 'a page')
  const document = toJsonDocument(request, response)
  const claimed = issuerOf(document.value)
  if (claimed === request.issuer) return document
  const found = typeof claimed === 'string' ? claimed : `an issuer of type ${typeof claimed}`
  return outage({ ...request, reason: 'metadata_unusable' }, found, { expected: request.issuer })
}

function issuerOf(document: unknown): unknown {
  return typeof document === 'object' && document !== null
    ? (document as { issuer?: unknown }).issuer
    : undefined
}

function toIssuerMetadata(document: unknown, options: DiscoveryOptions): IssuerMetadata {
  const members = document as Record<string, unknown>
  const aliases = toObject(members['mtls_endpoint_aliases'])
  const methods =
    members['introspection_endpoint_auth_methods_supported'] ??
    members['token_endpoint_auth_methods_supported']
  return {
    jwksUri: endpoint(members, 'jwks_uri', options),
    introspectionEndpoint: endpoint(members, 'introspection_endpoint', options),
    introspectionAuthMethods: toStrings(methods),
    introspectionMtlsEndpoint: endpoint(aliases, 'introspection_endpoint', options),
    introspectionSigningAlgorithms: toStrings(members['introspection_signing_alg_values_supported']),
  }
}

function toObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function toStrings(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((member) => typeof member === 'string') : undefined
}

/** An address from the metadata, if it may be called (RFC 8414 §2: https). */
function endpoint(
  members: Record<string, unknown>,
  name: 'jwks_uri' | 'introspection_endpoint',
  options: DiscoveryOptions,
): string | undefined {
  const { issuer, allowInsecureHttp } = options
  const value = members[name]
  if (value === undefined || value === null) return undefined
  const isIssuerInsecure = issuer.startsWith('http:')
  if (typeof value === 'string' && isCallable(value, isIssuerInsecure, allowInsecureHttp)) {
    return assertAllowedHost(value, name, options)
  }
  throw new UnavailableError('metadata_unusable', {
    issuer,
    name,
    expected: 'an https: address',
    found: typeof value === 'string' ? value : typeof value,
  })
}

/** Where hosts are restricted, metadata may not send us to others (server-side request forgery). */
function assertAllowedHost(address: string, name: string, { issuer, metadata }: DiscoveryOptions): string {
  const { url, allowedHosts } = metadata
  const own = [issuer, url].flatMap((known) => (known === undefined ? [] : [new URL(known).host]))
  if (!allowedHosts || own.includes(new URL(address).host) || isOnHost(address, allowedHosts)) return address
  const expected = `an address on ${own.join(' or ')}, or on a host in metadata.allowedHosts`
  throw new UnavailableError('metadata_unusable', { issuer, name, expected, found: address })
}

/** Whether an address is on one of these hosts; one that is named without a port is meant with any. */
export function isOnHost(address: string, hosts: readonly string[]): boolean {
  const { host, hostname } = new URL(address)
  return hosts.includes(host) || hosts.includes(hostname)
}

function isCallable(address: string, isIssuerInsecure: boolean, allowInsecureHttp: boolean): boolean {
  if (!URL.canParse(address)) return false
  const { protocol, hostname, username, password } = new URL(address)
  if (username !== '' || password !== '') return false
  if (protocol === 'https:') return true
  // a loopback issuer is for development; its endpoints are on the loopback interface too
  return protocol === 'http:' && (allowInsecureHttp || (isIssuerInsecure && isLoopback(hostname)))
}

/** Whether a host name stands for this machine (RFC 6761 §6.3, RFC 1122 §3.2.1.3). */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(?:\.\d{1,3}){3}$/.test(hostname)
  )
}
