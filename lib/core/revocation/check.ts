/**
 * Is it still good? Asked of every token on every request, however it was found valid: by the marks of its
 * issuer, by the freshness of what is known, and by its status list if it names one.
 */
import { withRevocation, type AccessToken } from '../access-token.js'
import { invalidToken, UnavailableError } from '../errors.js'
import type { Feeds } from './feeds.js'
import type { Finding } from './finding.js'
import type { RevocationIndex } from './revocation-index.js'
import type { Introspect, Suspects } from './suspects.js'

/** What a stale or suspect token is worth. */
export interface RevocationPolicy {
  /** Seconds that the knowledge may lag behind; undefined: any. */
  readonly maxLagSeconds: number | undefined
  readonly whenStale: 'introspect' | 'refuse' | 'accept'
  /** Where a suspect token cannot be asked about because its issuer has no introspection. */
  readonly whenUncheckable: 'unavailable' | 'refuse' | 'accept'
}

/** One issuer's marks, and how to ask it. */
export interface RevocationIssuer {
  readonly name: string
  readonly index: RevocationIndex
  /** Undefined where introspection is not configured. */
  readonly introspect: Introspect | undefined
  /** Milliseconds that an introspection may take: an answer may be that much older than it looks. */
  readonly introspectionTimeoutMs: number
}

export interface RevocationCheckOptions {
  readonly policy: RevocationPolicy
  readonly issuers: ReadonlyMap<string, RevocationIssuer>
  readonly feeds: Feeds
  readonly suspects: Suspects
  /** Undefined: status lists are not looked at. */
  readonly checkStatus: ((accessToken: AccessToken) => void | Promise<void>) | undefined
}

export interface RevocationCheck {
  /**
   * The token, if it is still good; at once where nothing has to be asked.
   * @throws InvalidTokenError @throws UnavailableError (or rejects with them)
   */
  check(accessToken: AccessToken): AccessToken | Promise<AccessToken>
  /** The same for a route that wants to know it better than the rest. */
  checkFresh(accessToken: AccessToken, maxLagSeconds: number): Promise<AccessToken>
}

export function createRevocationCheck(options: RevocationCheckOptions): RevocationCheck {
  const { policy, issuers, feeds, suspects, checkStatus } = options
  const only = issuers.size === 1 ? [...issuers.values()][0] : undefined

  function check(accessToken: AccessToken): AccessToken | Promise<AccessToken> {
    const issuer = only ?? issuers.get(accessToken.issuer)
    if (!issuer) return withoutKnowledge(accessToken)
    const outcome = checkMarks(accessToken, issuer)
    if (!checkStatus || accessToken.claims['status'] === undefined) return outcome
    return thenCheckStatus(outcome, checkStatus)
  }

  /** Of issuers that come and go nothing is kept; a list that a token names cannot be passed over, though. */
  function withoutKnowledge(accessToken: AccessToken): AccessToken {
    const { claims, issuer } = accessToken
    if (!checkStatus || claims['status'] === undefined) return accessToken
    throw new UnavailableError('status_list_unavailable', { issuer, expected: 'issuers as a list' })
  }

  function checkMarks(
    accessToken: AccessToken,
    issuer: RevocationIssuer,
  ): AccessToken | Promise<AccessToken> {
    const finding = issuer.index.isEmpty ? undefined : issuer.index.find(accessToken)
    if (!finding) return checkLag(accessToken, issuer)
    const judged = judge(accessToken, issuer, finding)
    return judged instanceof Promise
      ? judged.then((cleared) => checkLag(cleared, issuer))
      : checkLag(judged, issuer)
  }

  function checkLag(accessToken: AccessToken, issuer: RevocationIssuer): AccessToken | Promise<AccessToken> {
    const lagSeconds = feeds.lagSeconds(issuer.name)
    if (policy.maxLagSeconds !== undefined && (lagSeconds ?? Infinity) > policy.maxLagSeconds) {
      return checkStale(accessToken, issuer, policy.maxLagSeconds)
    }
    return lagSeconds === undefined ? accessToken : withRevocation(accessToken, lagSeconds)
  }

  function judge(
    accessToken: AccessToken,
    issuer: RevocationIssuer,
    finding: Finding,
  ): AccessToken | Promise<AccessToken> {
    const { format, issuer: name } = accessToken
    if (finding.verdict === 'revoked') {
      const evidence = { issuer: name, expected: 'not revoked', found: finding.reason, name: finding.source }
      throw invalidToken(format === 'jwt' ? 'revoked' : 'opaque_revoked', evidence)
    }
    if (isAskedSince(accessToken, issuer, finding.since)) return accessToken
    const { introspect } = issuer
    if (introspect)
      return suspects.clear(accessToken, { introspect, since: finding.since, isAfterEvent: true })
    return withoutIntrospection(accessToken, policy.whenUncheckable)
  }

  function checkStale(
    accessToken: AccessToken,
    issuer: RevocationIssuer,
    maxLagSeconds: number,
  ): AccessToken | Promise<AccessToken> {
    if (policy.whenStale === 'accept') return withRevocation(accessToken, feeds.lagSeconds(issuer.name))
    if (policy.whenStale === 'introspect' && issuer.introspect) {
      return askAgain(accessToken, issuer, issuer.introspect, maxLagSeconds)
    }
    throw new UnavailableError('revocation_stale', {
      issuer: issuer.name,
      expected: maxLagSeconds,
      found: feeds.lagSeconds(issuer.name),
    })
  }

  async function askAgain(
    accessToken: AccessToken,
    issuer: RevocationIssuer,
    introspect: Introspect,
    maxLagSeconds: number,
  ): Promise<AccessToken> {
    const since = Date.now() - maxLagSeconds * 1000
    if (maxLagSeconds > 0 && isAskedSince(accessToken, issuer, since)) return accessToken
    const asked = { introspect, since: maxLagSeconds > 0 ? since : Infinity, isAfterEvent: false }
    const cleared = await suspects.clear(accessToken, asked)
    return withRevocation(cleared, 0)
  }

  async function checkFresh(accessToken: AccessToken, maxLagSeconds: number): Promise<AccessToken> {
    const issuer = issuers.get(accessToken.issuer)
    if (accessToken.source === 'introspection') return accessToken
    if (!issuer) {
      const { issuer: name } = accessToken
      throw new UnavailableError('revocation_not_checked', { issuer: name, expected: 'issuers as a list' })
    }
    const lagSeconds = feeds.lagSeconds(issuer.name) ?? Infinity
    if (maxLagSeconds > 0 && lagSeconds <= maxLagSeconds) return accessToken
    if (issuer.introspect) return askAgain(accessToken, issuer, issuer.introspect, maxLagSeconds)
    throw new UnavailableError('revocation_not_checked', {
      issuer: issuer.name,
      expected: maxLagSeconds,
      found: lagSeconds,
      name: 'requireFresh',
    })
  }

  return { check, checkFresh }
}

/** Whether the authorization server itself vouched for an opaque token after that moment. */
function isAskedSince(
  { format, checkedAt }: AccessToken,
  { introspectionTimeoutMs }: RevocationIssuer,
  sinceMs: number,
): boolean {
  return format === 'opaque' && checkedAt * 1000 - introspectionTimeoutMs > sinceMs
}

function withoutIntrospection(
  accessToken: AccessToken,
  whenUncheckable: RevocationPolicy['whenUncheckable'],
): AccessToken {
  const { issuer } = accessToken
  if (whenUncheckable === 'accept') return accessToken
  if (whenUncheckable === 'refuse') throw invalidToken('revoked', { issuer, found: 'suspect' })
  throw new UnavailableError('revocation_not_checked', {
    issuer,
    expected: 'introspection',
    found: 'suspect',
  })
}

async function thenCheckStatus(
  outcome: AccessToken | Promise<AccessToken>,
  checkStatus: (accessToken: AccessToken) => void | Promise<void>,
): Promise<AccessToken> {
  const accessToken = await outcome
  await checkStatus(accessToken)
  return accessToken
}
