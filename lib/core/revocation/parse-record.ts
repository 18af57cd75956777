/** A record that comes from elsewhere: read member by member, since it decides which tokens are refused. */
import type { RevocationRecord, RevocationTarget } from './record.js'

/** @returns undefined if it is no record of a kind that is known here */
export function parseRecord(value: unknown): RevocationRecord | undefined {
  if (!isObject(value)) return undefined
  const { issuer, verdict, issuedBefore, expiresAt, reason, source } = value
  const target = isObject(value['target']) ? parseTarget(value['target']) : undefined
  const isWhole =
    typeof issuer === 'string' &&
    (verdict === 'revoked' || verdict === 'suspect') &&
    isTime(issuedBefore) &&
    (expiresAt === undefined || isTime(expiresAt))
  if (!isWhole || !target) return undefined
  return {
    issuer,
    target,
    verdict,
    issuedBefore,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(typeof reason === 'string' ? { reason } : {}),
    source: typeof source === 'string' ? source : 'log',
  }
}

function parseTarget({ kind, ...members }: Readonly<Record<string, unknown>>): RevocationTarget | undefined {
  const { jti, sessionId, subject, clientId, name, value, sessionless } = members
  switch (kind) {
    case 'token':
      return isText(jti) ? { kind, jti } : undefined
    case 'session':
      return isText(sessionId) ? { kind, sessionId } : undefined
    case 'subject':
      return isText(subject) ? { kind, subject, ...(sessionless === true && { sessionless }) } : undefined
    case 'client':
      return isText(clientId) ? { kind, clientId } : undefined
    case 'subject_client':
      return isText(subject) && isText(clientId) ? { kind, subject, clientId } : undefined
    case 'claim':
      return isText(name) && isText(value) ? { kind, name, value } : undefined
    case 'issuer':
      return { kind }
    default:
      return undefined
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
