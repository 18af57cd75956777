/**
 * Logout tokens: the authorization server says that a session of its user is over. Written for applications
 * with login sessions; here the session's bearer tokens end with it.
 *
 * @see OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6
 */
import { memberOf, type JsonObject } from '../issuer/jwt-format.js'
import { decodeSignedJwt, SignedJwtError, verifySignedJwt } from '../issuer/signed-jwt.js'
import { isObject, optionalTextOf, textOf, timeOf, validateAudience } from './claims.js'
import type { RevocationPlane } from './revocation.js'
import { toSessionRecords } from './session.js'

export interface LogoutTokenSettings {
  /** Client ids of this API at the issuer; undefined: the one that it introspects as. */
  readonly clientIds: readonly string[] | undefined
  readonly algorithms: readonly string[]
  /** Whether a token without `typ` is refused. */
  readonly requireType: boolean
  /** Whether a token without `exp` is taken, as before errata 1. */
  readonly allowMissingExp: boolean
  readonly clockToleranceSeconds: number
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
/** Of a token without `exp`: how long its `jti` is remembered. */
const DEFAULT_LIFETIME_SECONDS = 3600

/**
 * @returns `receive(logoutToken)`: resolves when the session's tokens are refused
 * @throws SignedJwtError @throws UnavailableError if the keys or the shared log cannot be reached
 */
export function createLogoutReceiver(
  plane: RevocationPlane,
  settings: LogoutTokenSettings,
): (logoutToken: string) => Promise<void> {
  const feed = plane.feeds.open({ name: 'back-channel logout' })

  return async function receive(logoutToken) {
    const jwt = decodeSignedJwt(logoutToken)
    const iss = memberOf(jwt.claims, 'iss')
    const issuer = typeof iss === 'string' ? plane.findIssuer(iss) : undefined
    if (!issuer) throw new SignedJwtError('issuer', 'its issuer is not trusted')
    const types = settings.requireType ? ['logout+jwt'] : ['logout+jwt', '']
    const rules = { types, algorithms: settings.algorithms }
    const { keys, clientId } = issuer
    const claims = await verifySignedJwt(jwt, rules, { keys, verifySignature: plane.verifySignature })
    validateAudience(claims, settings.clientIds ?? (clientId === undefined ? [] : [clientId]))
    const { jti, seconds, ...session } = readClaims(claims, settings)
    const name = `logout ${issuer.name} ${jti}`
    if (await plane.seenOnce.has(name)) return
    const reason = 'back-channel logout'
    const ended = { issuer: issuer.name, ...session, reason, source: feed.name }
    for (const record of toSessionRecords(ended)) await plane.revocations.record(record)
    await plane.seenOnce.remember(name, seconds)
    feed.event()
  }
}

function readClaims(claims: JsonObject, settings: LogoutTokenSettings) {
  const now = Date.now() / 1000
  const { allowMissingExp, clockToleranceSeconds: tolerance } = settings
  const jti = textOf(claims, 'jti')
  const endedAt = timeOf(claims, 'iat')
  if (endedAt > now + tolerance) throw new SignedJwtError('claim', 'its iat is in the future')
  const isWithoutEnd = allowMissingExp && memberOf(claims, 'exp') === undefined
  const exp = isWithoutEnd ? now + DEFAULT_LIFETIME_SECONDS : timeOf(claims, 'exp')
  if (exp + tolerance <= now) throw new SignedJwtError('claim', 'its exp has passed')
  const events = memberOf(claims, 'events')
  if (!isObject(events) || !isObject(memberOf(events, EVENT))) {
    throw new SignedJwtError('claim', 'its events do not name the back-channel logout')
  }
  // by the nonce an ID token would be known (§2.4)
  if (Object.hasOwn(claims, 'nonce')) throw new SignedJwtError('claim', 'it has a nonce')
  const subject = optionalTextOf(claims, 'sub')
  const sessionId = optionalTextOf(claims, 'sid')
  if (subject === undefined && sessionId === undefined) {
    throw new SignedJwtError('claim', 'it names neither sub nor sid')
  }
  return { jti, seconds: exp + tolerance - now, endedAt, subject, sessionId }
}
