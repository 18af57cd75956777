/** The end of a session, as it touches bearer tokens. */
import type { RevocationRecord } from './record.js'

export interface EndedSession {
  readonly issuer: string
  readonly sessionId: string | undefined
  readonly subject: string | undefined
  /** Seconds since the epoch. */
  readonly endedAt: number
  readonly reason: string
  readonly source: string
}

/**
 * Tokens of the session are revoked. Many servers do not write the session into access tokens: those of the
 * same subject that name none may be of it and are suspect. Where only the subject is named, all its
 * sessions ended.
 *
 * @see OpenID Connect Back-Channel Logout 1.0 §2.7
 */
export function toSessionRecords(session: EndedSession): RevocationRecord[] {
  const { issuer, sessionId, subject, endedAt: issuedBefore, reason, source } = session
  const common = { issuer, issuedBefore, reason, source }
  const records: RevocationRecord[] = []
  if (sessionId !== undefined) {
    records.push({ ...common, target: { kind: 'session', sessionId }, verdict: 'revoked' })
  }
  if (subject === undefined) return records
  const isWhole = sessionId === undefined
  const target = { kind: 'subject', subject, sessionless: !isWhole } as const
  records.push({ ...common, target, verdict: isWhole ? 'revoked' : 'suspect' })
  return records
}
