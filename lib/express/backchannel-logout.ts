/**
 * The address to which an authorization server says that a session is over.
 *
 * @see OpenID Connect Back-Channel Logout 1.0 §2.5, §2.8
 */
import type { ServerResponse } from 'node:http'
import { ConfigurationError, UnavailableError } from '../core/errors.js'
import { SignedJwtError } from '../core/issuer/signed-jwt.js'
import { createLogoutReceiver } from '../core/revocation/logout-token.js'
import { BodyError, formParameter, hasContentType, readRawBody } from './body.js'
import { REVOCATION, type ExpressRequest, type Handler } from './request.js'
import type { ResourceServer } from './resource-server.js'

/** Options of `backchannelLogout()`. */
export interface BackchannelLogoutOptions {
  /**
   * Client ids under which the authorization server knows this API: what `aud` may name. Default: the client
   * that it introspects as.
   */
  readonly clientId?: string | readonly string[]
  /** Accepted signature algorithms: those of ID tokens. Default `['RS256']`. */
  readonly algorithms?: readonly string[]
  /** Refuses logout tokens without `typ: logout+jwt`. Default false: many servers leave it out. */
  readonly requireType?: boolean
  /** Takes logout tokens without `exp`, as before errata 1. Default false. Danger: a captured one works for ever. */
  readonly allowMissingExp?: boolean
}

const MAX_BYTES = 64 * 1024
const CLOCK_TOLERANCE_SECONDS = 30

/**
 * Makes the handler of back-channel logout, applied to bearer tokens: tokens with the session's `sid` are
 * refused at once; where the logout token names only `sub`, all tokens of that subject that were issued up to
 * its `iat`. Tokens of the subject that name no session become suspect, and are introspected once.
 *
 * Mount it before `resourceServer`: the caller has no access token, its logout token is its proof. It reads
 * its own form body, within 64 KiB, where no parser did.
 *
 * @throws ConfigurationError if neither `clientId` nor introspection says which client this API is
 * @see OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8
 * @example app.post('/backchannel-logout', backchannelLogout(server))
 */
export function backchannelLogout(server: ResourceServer, options: BackchannelLogoutOptions = {}): Handler {
  const plane = server[REVOCATION]
  const clientIds = options.clientId === undefined ? undefined : [options.clientId].flat()
  if (!clientIds && !plane.issuers.some(({ clientId }) => clientId !== undefined)) {
    throw new ConfigurationError(
      'backchannelLogout.clientId',
      `backchannelLogout: clientId is needed, because without introspection this API has none. ` +
        `Write backchannelLogout(server, { clientId: 'orders-api' })`,
    )
  }
  const receive = createLogoutReceiver(plane, {
    clientIds,
    algorithms: options.algorithms ?? ['RS256'],
    requireType: options.requireType ?? false,
    allowMissingExp: options.allowMissingExp ?? false,
    clockToleranceSeconds: CLOCK_TOLERANCE_SECONDS,
  })

  async function handle(request: ExpressRequest, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') {
      answer(response, 405, { allow: 'POST' })
      return
    }
    const isForm = hasContentType(request, 'application/x-www-form-urlencoded')
    const raw = isForm ? await readRawBody(request, MAX_BYTES) : undefined
    const logoutToken = isForm ? formParameter(request, raw, 'logout_token') : undefined
    if (logoutToken === undefined) throw new BodyError(400, 'there must be one logout_token in a form')
    await receive(logoutToken)
    answer(response, 200)
  }

  return function backchannelLogout(request, response, next) {
    handle(request, response).catch((error: unknown) => {
      if (error instanceof BodyError) return answer(response, error.status, {}, error.message)
      if (error instanceof SignedJwtError)
        return answer(response, 400, {}, `the logout token: ${error.message}`)
      if (!(error instanceof UnavailableError)) return next(error)
      answer(response, 503, { 'retry-after': String(error.retryAfterSeconds) })
    })
  }
}

/** §2.8: nothing of it may be stored; the description is one of ours, fixed, and tells nothing of our state. */
function answer(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
  description?: string,
): void {
  response.statusCode = status
  response.setHeader('Cache-Control', 'no-store')
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  if (description === undefined) return void response.end()
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  response.end(JSON.stringify({ error: 'invalid_request', error_description: description }))
}
