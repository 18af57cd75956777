/**
 * Holds a token against the status list that it names: fetched when first needed, verified, kept for its
 * `ttl`. A list that cannot be had says nothing of the token: that is an outage.
 *
 * @see draft-ietf-oauth-status-list-21 §5.1, §8
 */
import type { AccessToken } from '../access-token.js'
import { invalidToken, UnavailableError } from '../errors.js'
import { createCache } from '../io/cache.js'
import { HttpFailure, type HttpResponse, type SendRequest } from '../io/http.js'
import { createSingleFlight } from '../io/single-flight.js'
import { memberOf, type JsonObject } from '../issuer/jwt-format.js'
import { decodeSignedJwt, SignedJwtError, verifySignedJwt } from '../issuer/signed-jwt.js'
import type { VerifySignature } from '../issuer/signature.js'
import type { IssuerOfTokens } from './issuer-of-tokens.js'
import { parseStatusList, statusAt, toStatusReference, type StatusList } from './status-list.js'

export interface StatusListSettings {
  /** Origins beside the issuer's own that lists may be fetched from. */
  readonly allowedOrigins: readonly string[]
  readonly algorithms: readonly string[]
  /** Statuses beside 0 with which a token is accepted. */
  readonly acceptedStatuses: readonly number[]
  /** Bounds of `ttl`, in seconds. */
  readonly minTtlSeconds: number
  readonly maxTtlSeconds: number
  /** Further seconds for which a list serves while it cannot be fetched anew, never beyond its `exp`. */
  readonly staleIfErrorSeconds: number
  readonly timeoutMs: number
  /** Bytes of a decompressed list. */
  readonly maxListBytes: number
  readonly maxLists: number
}

interface KeptList {
  readonly list: StatusList
  /** Milliseconds since the epoch: fresh until then, and usable at all until `until`. */
  readonly freshUntil: number
  readonly until: number
}

export interface StatusCheckOptions {
  readonly settings: StatusListSettings
  readonly issuers: readonly IssuerOfTokens[]
  readonly verifySignature: VerifySignature
  readonly send: SendRequest
}

const MAX_REDIRECTS = 3
/** Of a list that names no `ttl`. */
const DEFAULT_TTL_SECONDS = 300
/** A list that could not be had is asked for again after this. */
const PAUSE_MS = 1000
const MAX_TOKEN_BYTES = 16 * 1024 * 1024

/**
 * @returns `checkStatus(accessToken)`: at once where the list is here
 * @throws InvalidTokenError unless the status is one with which tokens are accepted
 * @throws UnavailableError `status_list_unavailable`
 */
export function createStatusCheck(
  options: StatusCheckOptions,
): (accessToken: AccessToken) => void | Promise<void> {
  const { settings } = options
  const lists = createCache<KeptList>(settings.maxLists)
  const failures = createCache<{ error: UnavailableError; until: number }>(settings.maxLists)
  const share = createSingleFlight<KeptList>()

  async function load(uri: string, issuer: IssuerOfTokens): Promise<KeptList> {
    const key = `${issuer.name} ${uri}`
    const failed = failures.get(key, Date.now())
    if (failed) throw failed.error
    try {
      const loaded = await fetchList(uri, issuer, options)
      lists.set(key, loaded)
      return loaded
    } catch (error) {
      if (error instanceof UnavailableError) failures.set(key, { error, until: Date.now() + PAUSE_MS })
      throw error
    }
  }

  async function loadOrStale(uri: string, issuer: IssuerOfTokens, kept: KeptList | undefined) {
    const key = `${issuer.name} ${uri}`
    try {
      return await share(key, () => load(uri, issuer))
    } catch (error) {
      const isUsable = kept && Date.now() < kept.until
      if (isUsable && error instanceof UnavailableError) return kept
      throw error
    }
  }

  return function checkStatus(accessToken) {
    const reference = toStatusReference(accessToken.claims['status'])
    if (reference === undefined) return
    const { issuer: name } = accessToken
    if (reference === null) {
      throw invalidToken('malformed_claim', { issuer: name, name: 'status', expected: 'uri and idx' })
    }
    const issuer = options.issuers.find((candidate) => candidate.name === name)
    if (!issuer) return
    const { uri, idx } = reference
    const kept = lists.get(`${name} ${uri}`, Date.now())
    if (kept && Date.now() < kept.freshUntil) return judge(kept.list, idx, name, settings)
    return loadOrStale(uri, issuer, kept).then(({ list }) => judge(list, idx, name, settings))
  }
}

function judge(
  list: StatusList,
  idx: number,
  issuer: string,
  { acceptedStatuses }: StatusListSettings,
): void {
  const status = statusAt(list, idx)
  if (status === 0 || (status !== undefined && acceptedStatuses.includes(status))) return
  throw invalidToken('status_not_valid', {
    issuer,
    name: 'status',
    expected: 0,
    found: status ?? 'no such index',
  })
}

async function fetchList(
  uri: string,
  issuer: IssuerOfTokens,
  { settings, send, verifySignature }: StatusCheckOptions,
): Promise<KeptList> {
  const body = await download(uri, issuer, settings, send)
  const claims = await open(body)
  const list = await parseStatusList(memberOf(claims, 'status_list'), settings.maxListBytes)
  if (!list) throw unavailable(issuer, uri, 'a status_list within limits', 'none')
  return { list, ...lifetimeOf(claims, uri, issuer, settings) }

  async function open(jwt: string): Promise<JsonObject> {
    try {
      const rules = { types: ['statuslist+jwt'], algorithms: settings.algorithms }
      const decoded = decodeSignedJwt(jwt, MAX_TOKEN_BYTES)
      return await verifySignedJwt(decoded, rules, { keys: issuer.keys, verifySignature })
    } catch (error) {
      if (!(error instanceof SignedJwtError)) throw error
      throw unavailable(issuer, uri, 'a status list of this issuer', error.message)
    }
  }
}

/** `ttl` and `exp` beat whatever HTTP says about caching. */
function lifetimeOf(claims: JsonObject, uri: string, issuer: IssuerOfTokens, settings: StatusListSettings) {
  const now = Date.now()
  const [sub, iat, exp, ttl] = ['sub', 'iat', 'exp', 'ttl'].map((name) => memberOf(claims, name))
  if (sub !== uri) throw unavailable(issuer, uri, 'sub: the address in the token', sub)
  if (typeof iat !== 'number') throw unavailable(issuer, uri, 'iat', typeof iat)
  if (exp !== undefined && !(typeof exp === 'number' && exp * 1000 > now)) {
    throw unavailable(issuer, uri, 'a list that is not expired', exp)
  }
  const wished = typeof ttl === 'number' && !Number.isNaN(ttl) ? ttl : DEFAULT_TTL_SECONDS
  const seconds = Math.min(Math.max(wished, settings.minTtlSeconds), settings.maxTtlSeconds)
  const end = typeof exp === 'number' ? exp * 1000 : Infinity
  return {
    freshUntil: Math.min(end, now + seconds * 1000),
    until: Math.min(end, now + (seconds + settings.staleIfErrorSeconds) * 1000),
  }
}

async function download(
  uri: string,
  issuer: IssuerOfTokens,
  settings: StatusListSettings,
  send: SendRequest,
): Promise<string> {
  let url = uri
  for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
    assertAllowed(url, uri, issuer, settings)
    const response = await get(url)
    const { status, headers } = response
    const location = headers['location']
    if (status >= 300 && status < 400 && typeof location === 'string' && URL.canParse(location, url)) {
      url = new URL(location, url).href
      continue
    }
    if (status >= 200 && status < 300 && isStatusListType(headers['content-type']))
      return response.body.trim()
    throw unavailable(issuer, uri, 'application/statuslist+jwt', `status ${status}`)
  }
  throw unavailable(issuer, uri, `at most ${MAX_REDIRECTS} redirects`, 'more')

  async function get(address: string): Promise<HttpResponse> {
    try {
      const headers = { accept: 'application/statuslist+jwt' }
      const { timeoutMs } = settings
      return await send({ url: address, method: 'GET', headers, timeoutMs, maxBytes: MAX_TOKEN_BYTES })
    } catch (error) {
      if (!(error instanceof HttpFailure)) throw error
      throw unavailable(issuer, uri, 'an answer', error.message)
    }
  }
}

/** A token names the address: only places that the user trusts are called, also by way of a redirect. */
function assertAllowed(url: string, uri: string, issuer: IssuerOfTokens, settings: StatusListSettings): void {
  const { origin, protocol, username } = new URL(url)
  const isOwn = origin === new URL(issuer.name).origin
  const isSafe = protocol === 'https:' || (protocol === 'http:' && (isOwn || issuer.allowInsecureHttp))
  if (isSafe && username === '' && (isOwn || settings.allowedOrigins.includes(origin))) return
  throw unavailable(issuer, uri, `an address at the issuer or in statusList.allowedOrigins`, origin)
}

function isStatusListType(type: string | string[] | undefined): boolean {
  return typeof type === 'string' && /^\s*application\/statuslist\+jwt\s*(?:;|$)/i.test(type)
}

function unavailable(
  issuer: IssuerOfTokens,
  uri: string,
  expected: unknown,
  found: unknown,
): UnavailableError {
  return new UnavailableError('status_list_unavailable', { issuer: issuer.name, name: uri, expected, found })
}
