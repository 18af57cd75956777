/** What the marks add up to for one token: revoked, suspect since a moment, or nothing. */
import type { NamedMarks } from './marks.js'
import type { Mark } from './record.js'

export type Finding =
  | { readonly verdict: 'revoked'; readonly reason: string | undefined; readonly source: string }
  /** Milliseconds since the epoch: only an answer to a question asked after it clears the token. */
  | { readonly verdict: 'suspect'; readonly since: number }

/** A token as the index sees it. */
export interface TokenTraits {
  readonly format: 'jwt' | 'opaque'
  readonly subject?: string
  readonly clientId: string
  readonly issuedAt?: number
  readonly claims: Readonly<Record<string, unknown>>
}

/** Adds up findings: one that says revoked ends it, among suspicions the latest counts. */
export function strongest(a: Finding | undefined, b: Finding | undefined): Finding | undefined {
  if (!a || !b) return a ?? b
  if (a.verdict === 'revoked') return a
  if (b.verdict === 'revoked') return b
  return a.since >= b.since ? a : b
}

/** Of a token or a session that is listed, the time of issue does not matter. */
export function findListed(marks: NamedMarks | undefined): Finding | undefined {
  if (!marks) return undefined
  const { revoked, suspect } = marks
  if (revoked) return revokedBy(revoked)
  return suspect && { verdict: 'suspect', since: suspect.heardAt }
}

/**
 * Of the others, tokens issued at or before the watermark are meant. A token that does not say when it was
 * issued may be one of them: it is not denied for that, it is suspect.
 */
export function findIssuedBefore(
  marks: NamedMarks | undefined,
  issuedAt: number | undefined,
): Finding | undefined {
  if (!marks) return undefined
  const { revoked, suspect } = marks
  let finding: Finding | undefined
  if (revoked && issuedAt === undefined) finding = { verdict: 'suspect', since: revoked.heardAt }
  else if (revoked && (issuedAt ?? 0) <= revoked.record.issuedBefore) return revokedBy(revoked)
  if (!suspect || (issuedAt ?? 0) > suspect.record.issuedBefore) return finding
  return strongest(finding, { verdict: 'suspect', since: suspect.heardAt })
}

function revokedBy({ record: { reason, source } }: Mark): Finding {
  return { verdict: 'revoked', reason, source }
}
