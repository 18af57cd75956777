/**
 * Webhooks of WSO2 Identity Server and Asgardeo: plain JSON, authenticated by an HMAC. They say that
 * something of a user at a client was revoked and name no token, so what matches is suspect.
 *
 * @see WSO2 Identity Server documentation, "Webhook events and payloads"; WebSub §7 for `X-Hub-Signature`
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { JsonObject } from '../issuer/jwt-format.js'
import { isObject } from './claims.js'
import type { RevocationRecord, RevocationTarget } from './record.js'

const PREFIX = 'https://schemas.identity.wso2.org/events/'
/** Events after which tokens may be dead. */
const MEANT = new Set([
  `${PREFIX}token/event-type/accessTokenRevoked`,
  `${PREFIX}session/event-type/sessionRevoked`,
  `${PREFIX}credential/event-type/credentialUpdated`,
  `${PREFIX}user/event-type/userAccountLocked`,
  `${PREFIX}user/event-type/userDisabled`,
  `${PREFIX}user/event-type/userDeleted`,
])
const USERNAME_CLAIM = 'http://wso2.org/claims/username'

export interface Wso2Event {
  readonly jti: string | undefined
  readonly records: readonly RevocationRecord[]
}

/** Whether the body was signed with the secret: SHA-256, in hex or base64, with or without `sha256=`. */
export function isSigned(body: Buffer, signature: string | undefined, secret: string): boolean {
  if (signature === undefined) return false
  const given = signature.replace(/^sha256=/i, '')
  const expected = createHmac('sha256', secret).update(body).digest()
  const bytes = /^[\da-f]{64}$/i.test(given) ? Buffer.from(given, 'hex') : Buffer.from(given, 'base64')
  return bytes.length === expected.length && timingSafeEqual(bytes, expected)
}

/**
 * @param issuer the configured issuer; the event's `iss` is another name of it (without `/oauth2/token`)
 * @returns undefined if it is no event of this form
 */
export function parseWso2Event(payload: unknown, issuer: string, source: string): Wso2Event | undefined {
  if (!isObject(payload) || !isObject(payload['events'])) return undefined
  const { iat, jti, events } = payload
  if (typeof iat !== 'number' || !Number.isFinite(iat) || iat < 0) return undefined
  const issuedBefore = iat > 1e11 ? iat / 1000 : iat
  const records = Object.entries(events)
    .filter((entry): entry is [string, JsonObject] => MEANT.has(entry[0]) && isObject(entry[1]))
    .flatMap(([type, event]) =>
      toTargets(event).map((target): RevocationRecord => ({
        issuer,
        target,
        verdict: 'suspect',
        issuedBefore,
        reason: type.slice(type.lastIndexOf('/') + 1),
        source,
      })),
    )
  return { jti: typeof jti === 'string' ? jti : undefined, records }
}

/** The user by id and by name, since either may be the `sub` of tokens; at the applications, where named. */
function toTargets(event: JsonObject): RevocationTarget[] {
  const subjects = subjectsOf(event['user'])
  const clients = clientsOf(event)
  if (subjects.length === 0) return clients.map((clientId) => ({ kind: 'client', clientId }))
  if (clients.length === 0) return subjects.map((subject) => ({ kind: 'subject', subject }))
  return subjects.flatMap((subject) =>
    clients.map((clientId): RevocationTarget => ({ kind: 'subject_client', subject, clientId })),
  )
}

function subjectsOf(user: unknown): string[] {
  if (!isObject(user)) return []
  const claims = Array.isArray(user['claims']) ? (user['claims'] as unknown[]).filter(isObject) : []
  const names = claims.filter(({ uri }) => uri === USERNAME_CLAIM).map(({ value }) => value)
  return texts([user['id'], user['username'], ...names])
}

function clientsOf({ applications, application }: JsonObject): string[] {
  const all: unknown[] = Array.isArray(applications) ? (applications as unknown[]) : [application]
  return texts(all.filter(isObject).map(({ consumerKey }) => consumerKey)).slice(0, 1000)
}

function texts(values: readonly unknown[]): string[] {
  return [...new Set(values.filter((value): value is string => typeof value === 'string' && value !== ''))]
}
