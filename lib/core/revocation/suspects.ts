/**
 * A token that may or may not be revoked is neither denied nor trusted: its authorization server is asked,
 * once, and its word is kept for as long as the token lives.
 */
import { toAccessToken, type AccessToken, type TokenFacts } from '../access-token.js'
import { invalidToken, InvalidTokenError, UnavailableError } from '../errors.js'
import { createCache } from '../io/cache.js'
import { sha256 } from '../io/digest.js'
import { createSingleFlight } from '../io/single-flight.js'
import type { OnRevocation } from './effects.js'

/** The answer to an introspection request. `source: 'stale'` is none: the server could not be asked. */
export type IntrospectionVerdict =
  { readonly facts: TokenFacts; readonly source?: string } | { readonly refusal: InvalidTokenError }

/** Asks the token's authorization server. Callers with the same `flight` share one question. */
export type Introspect = (token: string, digest: string, flight: string) => Promise<IntrospectionVerdict>

/** Why a token is asked about, and how. */
export interface Question {
  readonly introspect: Introspect
  /** Milliseconds since the epoch: an answer counts if it was asked for after it. Infinity: ask now. */
  readonly since: number
  /** Whether something happened at that moment: a question under way may have been answered from before it. */
  readonly isAfterEvent: boolean
}

export interface Suspects {
  /**
   * @returns the token, with what the authorization server says of it
   * @throws InvalidTokenError if it is not good @throws UnavailableError if that could not be found out
   */
  clear(accessToken: AccessToken, question: Question): Promise<AccessToken>
  readonly size: number
}

interface Answer {
  readonly askedAt: number
  readonly refusal: InvalidTokenError | undefined
  /** The facts of an opaque token as they are now. */
  readonly facts: TokenFacts | undefined
  readonly until: number
}

export interface SuspectLimits {
  /** Answers kept at most. A token whose answer was pushed out is asked about again. */
  readonly maxEntries: number
  /** Seconds for which the answer about a token without `exp` is kept. */
  readonly maxTokenLifetimeSeconds: number
}

export function createSuspects(limits: SuspectLimits, tell: OnRevocation): Suspects {
  const answers = createCache<Answer>(limits.maxEntries)
  const share = createSingleFlight<Answer>()

  async function ask(
    accessToken: AccessToken,
    digest: string,
    introspect: Introspect,
    flight: string,
  ): Promise<Answer> {
    const askedAt = Date.now()
    const verdict = await introspect(accessToken.token, digest, flight)
    if ('facts' in verdict && verdict.source === 'stale') {
      throw new UnavailableError('revocation_not_checked', { issuer: accessToken.issuer })
    }
    const { expiresAt, issuer } = accessToken
    const end = expiresAt ?? askedAt / 1000 + limits.maxTokenLifetimeSeconds
    const refusal = refusalOf(verdict, accessToken)
    const facts = 'facts' in verdict ? verdict.facts : undefined
    const answer = { askedAt, refusal, facts, until: (end + 3600) * 1000 }
    answers.set(digest, answer)
    tell({ kind: 'suspect', outcome: refusal ? 'revoked' : 'cleared', issuer })
    return answer
  }

  return {
    async clear(accessToken, { introspect, since, isAfterEvent }) {
      const digest = sha256(accessToken.token)
      const known = answers.get(digest, Date.now())
      const flight = isAfterEvent ? `${digest} ${since}` : digest
      const counts = known !== undefined && (known.refusal !== undefined || known.askedAt > since)
      const answer = counts ? known : await share(flight, () => ask(accessToken, digest, introspect, flight))
      if (answer.refusal) throw invalidToken(answer.refusal.reason, answer.refusal.evidence)
      // facts that were remembered elsewhere may be from before the question
      const isNewer = answer.facts && accessToken.format === 'opaque' && !counts
      return isNewer ? toAccessToken(accessToken.token, answer.facts, 'introspection') : accessToken
    },
    get size() {
      return answers.size
    },
  }
}

/**
 * A JWT has been verified here; asked was only whether it is still good, and to that there is one "no".
 * What else an answer about it says or leaves out (an audience, a type) is not held against it.
 */
function refusalOf(
  verdict: IntrospectionVerdict,
  { format, issuer }: AccessToken,
): InvalidTokenError | undefined {
  if ('facts' in verdict) return undefined
  if (format === 'opaque') return verdict.refusal
  const { reason } = verdict.refusal
  return reason === 'inactive' || reason === 'opaque_expired'
    ? invalidToken('revoked', { issuer })
    : undefined
}
