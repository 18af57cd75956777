/**
 * Serves what this API tells clients about itself, and has every challenge point there.
 *
 * @see RFC 9728
 */
import type { ServerResponse } from 'node:http'
import { ConfigurationError } from '../core/errors.js'
import type { ResolvedOptions } from '../core/options/options.js'
import { address } from '../core/options/rules.js'
import {
  createMetadataSignature,
  resourceMetadataUrl,
  withoutEmpty,
  type MetadataSigner,
  type ResourceMetadata,
} from '../core/resource-metadata.js'
import { GUARD, isGuard } from './guard.js'
import type { ExpressRequest, Handler } from './request.js'
import { isResourceServer, SERVER, type ResourceServer } from './resource-server.js'
import { routesOf } from './routes.js'

/** What the document says beside what is known anyway. */
export interface ResourceMetadataOptions {
  /** Default: the scopes of all guards on routes behind the resource server, without `offline_access`. */
  readonly scopesSupported?: readonly string[]
  /** Default: the issuers. */
  readonly authorizationServers?: readonly string[]
  /** Further members of RFC 9728 §2, such as `resource_name` and `resource_documentation`; none that is known here. */
  readonly members?: Readonly<Record<string, unknown>>
  /** Adds `signed_metadata`, a JWT of the same members. Default: none. */
  readonly signer?: MetadataSigner
  /** Seconds for which clients may keep the document. Default 3600, limits 0 to 86400. */
  readonly maxAgeSeconds?: number
}

/**
 * Makes a handler that serves the metadata of a resource server at its well-known address, to everybody and
 * to pages of any origin. From then on every challenge names the address (`resource_metadata`).
 *
 * Mount it at the top of the app, before the resource server. The address follows from `resource`, path
 * included, whatever the `Host` says. For several resources in one app mount one for each.
 *
 * @throws ConfigurationError if `resource` is no https URL (http on the loopback interface), an option is wrong
 * or a member is one that is known here
 * @see RFC 9728 §3
 * @example
 * const server = resourceServer({ … })
 * app.use(protectedResourceMetadata(server, { members: { resource_name: 'Orders' } }))
 * app.use(server)
 */
export function protectedResourceMetadata(
  server: ResourceServer<object>,
  options: ResourceMetadataOptions = {},
): Handler {
  assertOptions(server, options)
  const { options: resolved, context } = server[SERVER]
  const url = resourceMetadataUrl(resolved.resource)
  const { pathname, search } = new URL(url)
  const toDocument = createDocument(server, options)
  const cacheControl = `public, max-age=${options.maxAgeSeconds ?? 3600}`
  context.metadataUrl = url

  return function protectedResourceMetadata(request, response, next) {
    const [path, query] = (request.originalUrl ?? request.url ?? '').split('?', 2)
    if (path !== pathname || (search !== '' && query !== search.slice(1))) return next()
    response.setHeader('Access-Control-Allow-Origin', '*')
    if (request.method === 'OPTIONS') return answerPreflight(response)
    if (request.method !== 'GET' && request.method !== 'HEAD') return answerNotAllowed(response)
    toDocument(request).then((body) => {
      response.setHeader('Content-Type', 'application/json; charset=utf-8')
      response.setHeader('Cache-Control', cacheControl)
      response.setHeader('Content-Length', Buffer.byteLength(body))
      response.end(request.method === 'HEAD' ? undefined : body)
    }, next)
  }
}

function answerPreflight(response: ServerResponse): void {
  response.statusCode = 204
  response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD')
  response.setHeader('Access-Control-Allow-Headers', '*')
  response.setHeader('Access-Control-Max-Age', '86400')
  response.end()
}

function answerNotAllowed(response: ServerResponse): void {
  response.statusCode = 405
  response.setHeader('Allow', 'GET, HEAD, OPTIONS')
  response.end()
}

/** The document as JSON; signed anew only when it has changed, as it does while routes are still being mounted. */
function createDocument(server: ResourceServer<object>, options: ResourceMetadataOptions) {
  const { options: resolved } = server[SERVER]
  const sign = options.signer && createMetadataSignature(options.signer)
  let last: { readonly plain: string; readonly body: Promise<string> } | undefined

  async function signed(members: ResourceMetadata, plain: string): Promise<string> {
    return sign ? JSON.stringify({ ...members, signed_metadata: await sign(members) }) : plain
  }

  return function toDocument(request: ExpressRequest): Promise<string> {
    const members = withoutEmpty({
      ...options.members,
      ...toMembers(resolved),
      authorization_servers: options.authorizationServers ?? resolved.issuers.map(({ issuer }) => issuer),
      ...requirementsOf(request.app, server),
      ...(options.scopesSupported && { scopes_supported: options.scopesSupported }),
    })
    const plain = JSON.stringify(members)
    if (last?.plain !== plain) last = { plain, body: signed(members, plain) }
    return last.body
  }
}

/** What the options of the resource server make true. */
function toMembers({ resource, extraction, senderConstraint }: ResolvedOptions) {
  const methods = ['header', ...(extraction.form ? ['body'] : []), ...(extraction.query ? ['query'] : [])]
  const { dpop, mtls, required } = senderConstraint
  return {
    resource,
    bearer_methods_supported: required.dpop ? [] : methods,
    dpop_signing_alg_values_supported: dpop?.algorithms,
    dpop_bound_access_tokens_required: dpop && required.dpop,
    // where TLS ends here, whether certificates are asked for is the server's to say; a proxy was named for them
    tls_client_certificate_bound_access_tokens: required.mtls || mtls.source.from === 'header',
  }
}

/** What the guards on routes behind this server ask for. `offline_access` is between client and issuer. */
function requirementsOf(app: unknown, server: ResourceServer<object>) {
  const routes = app === undefined ? [] : routesOf(app)
  const guarded = routes.filter(({ handlers }) => handlers.some((handler) => isSame(handler, server)))
  const guards = guarded.flatMap(({ handlers }) => handlers.filter(isGuard))
  const requirements = guards.flatMap((guard) => guard[GUARD].requirements)
  const scopes = requirements.flatMap((requirement) => requirement.scopes)
  return {
    scopes_supported: toSet(scopes.filter((scope) => scope !== 'offline_access')),
    authorization_details_types_supported: toSet(requirements.flatMap(({ detailType }) => detailType ?? [])),
  }
}

function toSet(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort()
}

function isSame(handler: unknown, server: ResourceServer<object>): boolean {
  return isResourceServer(handler) && handler[SERVER] === server[SERVER]
}

const COMPUTED = new Set([
  'resource',
  'authorization_servers',
  'scopes_supported',
  'bearer_methods_supported',
  'dpop_signing_alg_values_supported',
  'dpop_bound_access_tokens_required',
  'tls_client_certificate_bound_access_tokens',
  'signed_metadata',
])

function assertOptions(server: ResourceServer<object>, options: ResourceMetadataOptions): void {
  if (!isResourceServer(server)) {
    throw misuse('needs the handler that resourceServer() returned. Write protectedResourceMetadata(server)')
  }
  const { resource } = server[SERVER].options
  if (!address(false).accepts(resource)) {
    throw misuse(
      `resource must be an https: URL (http: only on the loopback interface), received ${JSON.stringify(resource)}. ` +
        `Write resource: 'https://api.example.com'`,
    )
  }
  const taken = Object.keys(options.members ?? {}).find((name) => COMPUTED.has(name))
  if (taken !== undefined)
    throw misuse(`members must not hold ${taken}, which follows from the options. Leave it out`)
  const { maxAgeSeconds = 0 } = options
  if (!Number.isInteger(maxAgeSeconds) || maxAgeSeconds < 0 || maxAgeSeconds > 86_400) {
    throw misuse(`maxAgeSeconds must be a whole number from 0 to 86400, received ${String(maxAgeSeconds)}`)
  }
}

function misuse(problem: string): ConfigurationError {
  return new ConfigurationError('protectedResourceMetadata', `protectedResourceMetadata: ${problem}`)
}
