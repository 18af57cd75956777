/** One revocation: which tokens of one issuer are meant, and what is said of them. Plain data: it may travel. */

/**
 * `revoked`: refused. `suspect`: something was revoked that the event names too coarsely; each matching
 * token is introspected once, and the authorization server's answer counts.
 */
export type RevocationVerdict = 'revoked' | 'suspect'

/** Which tokens are meant. */
export type RevocationTarget =
  | { readonly kind: 'token'; readonly jti: string }
  | { readonly kind: 'session'; readonly sessionId: string }
  /** `sessionless`: of this subject, only tokens that name no session. */
  | { readonly kind: 'subject'; readonly subject: string; readonly sessionless?: boolean }
  | { readonly kind: 'client'; readonly clientId: string }
  | { readonly kind: 'subject_client'; readonly subject: string; readonly clientId: string }
  /** Tokens with another claim of this value, such as `email`. */
  | { readonly kind: 'claim'; readonly name: string; readonly value: string }
  /** All tokens of the issuer. */
  | { readonly kind: 'issuer' }

export interface RevocationRecord {
  /** The configured issuer. Nothing of one issuer touches a token of another. */
  readonly issuer: string
  readonly target: RevocationTarget
  readonly verdict: RevocationVerdict
  /**
   * Seconds since the epoch, by the issuer's clock: tokens issued at or before it are meant. Of a token or
   * a session all are; there it says when it ended.
   */
  readonly issuedBefore: number
  /** Seconds since the epoch from which no token that is meant can be alive, where that is known. */
  readonly expiresAt?: number
  /** For people; never read. */
  readonly reason?: string
  /** The feed that told it, or `api`. */
  readonly source: string
}

/** A record as the index keeps it: there may be many. */
export interface Mark {
  readonly record: RevocationRecord
  /** Milliseconds since the epoch, by our clock, at which it was heard of here. */
  readonly heardAt: number
  /** Milliseconds since the epoch from which it may be dropped. */
  readonly until: number
}

/**
 * Two statements about the same tokens are one: the later moment counts (taking the one that came last
 * instead has let revoked tokens live in other products).
 */
export function mergeMarks(known: Mark | undefined, added: Mark): Mark {
  if (!known) return added
  const [older, later] =
    added.record.issuedBefore >= known.record.issuedBefore ? [known, added] : [added, known]
  return {
    record: withLatestEnd(later.record, older.record),
    heardAt: Math.max(known.heardAt, added.heardAt),
    until: Math.max(known.until, added.until),
  }
}

/** The end is known only where both say when it is. */
function withLatestEnd(later: RevocationRecord, { expiresAt }: RevocationRecord): RevocationRecord {
  if (later.expiresAt === undefined || (expiresAt !== undefined && later.expiresAt >= expiresAt)) return later
  if (expiresAt !== undefined) return { ...later, expiresAt }
  const endless: { -readonly [M in keyof RevocationRecord]: RevocationRecord[M] } = { ...later }
  delete endless.expiresAt
  return endless
}

/** Whether a statement adds nothing to one that is known. */
export function isCovered(known: Mark | undefined, added: Mark): boolean {
  if (!known || known.until < added.until) return false
  // a new suspicion is always news: answers that came before it no longer count
  return known.record.verdict === 'revoked' && known.record.issuedBefore >= added.record.issuedBefore
}
