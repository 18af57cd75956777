/**
 * The three families of answers that are not "yes": the developer's, the client's and the operator's.
 *
 * @see RFC 6750 §3.1 for the codes; the reasons are ours and finer.
 */
import { DESCRIPTIONS, type OutageReason, type RefusalReason } from './reasons.js'

export type { OutageReason, RefusalReason } from './reasons.js'

/** The error codes of RFC 6750 §3.1, RFC 9470 §3 and RFC 9449 §7.1, §9. */
export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'insufficient_user_authentication'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'

/** What the operator may see: what was asked for and what was found. Never a token, never a secret. */
export interface Evidence {
  readonly issuer?: string | undefined
  readonly expected?: unknown
  /** Cut where it is long, and told by type where it is nested. */
  readonly found?: unknown
  /** The claim, header parameter or member that `expected` and `found` speak of. */
  readonly name?: string | undefined
}

const MAX_SHOWN_CHARACTERS = 256
const MAX_SHOWN_MEMBERS = 16

/** What a stranger wrote is kept in part: megabytes do not belong in a log, and deep nesting breaks what prints it. */
function toShown(evidence: Evidence): Evidence {
  const { found } = evidence
  if (typeof found !== 'string' && typeof found !== 'object') return evidence
  return {
    ...evidence,
    found: Array.isArray(found) ? found.slice(0, MAX_SHOWN_MEMBERS).map(toPart) : toPart(found),
  }
}

function toPart(value: unknown): unknown {
  if (typeof value === 'string') return value.slice(0, MAX_SHOWN_CHARACTERS)
  return typeof value === 'object' && value !== null
    ? `an ${Array.isArray(value) ? 'array' : 'object'}`
    : value
}

/** Options that cannot work. Thrown while building, so that the process fails at start and not at night. */
export class ConfigurationError extends TypeError {
  override readonly name = 'ConfigurationError'
  readonly code = 'ERR_RESOURCE_SERVER_CONFIGURATION'
  /** The option at fault, e.g. `introspection.timeoutMs`. */
  readonly path: string

  constructor(path: string, message: string) {
    super(message)
    this.path = path
  }
}

/**
 * For functions of the user's that must answer at once: a promise is an object, and would be taken for an answer.
 *
 * @throws ConfigurationError if `answer` is a promise
 */
export function assertSynchronous(answer: unknown, path: string): void {
  if (!isThenable(answer)) return
  // it is refused already; how it ends must not bring the process down as an unhandled rejection
  answer.then(undefined, () => undefined)
  throw new ConfigurationError(path, `${path}: the function must return its answer, not a promise of it`)
}

/** Whether a value is a promise, of whatever make. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/**
 * A request that the client can mend: another token, another scope, another form.
 * `message` is the sentence the client is told; `evidence` is for the operator alone.
 */
export class OAuthError extends Error {
  override readonly name: string = 'OAuthError'
  readonly status: 400 | 401 | 403
  /** Express and its error handlers read this name. */
  readonly statusCode: 400 | 401 | 403
  /** Absent when the request carried no credentials (RFC 6750 §3.1). */
  readonly code: OAuthErrorCode | undefined
  readonly reason: RefusalReason
  readonly evidence: Evidence
  /** The scopes that would satisfy this request, for the challenge. */
  readonly scope: readonly string[]
  /** Further parameters of the challenge, such as `acr_values`. */
  readonly parameters: Readonly<Record<string, string>>

  constructor(
    refusal: { status: 400 | 401 | 403; code?: OAuthErrorCode; reason: RefusalReason },
    evidence: Evidence = {},
    scope: readonly string[] = [],
    parameters: Readonly<Record<string, string>> = {},
  ) {
    super(DESCRIPTIONS[refusal.reason])
    this.status = this.statusCode = refusal.status
    this.code = refusal.code
    this.reason = refusal.reason
    this.evidence = toShown(evidence)
    this.scope = scope
    this.parameters = parameters
  }
}

/** 401 without an error code: the request carried no credentials (RFC 6750 §3.1). */
export class MissingTokenError extends OAuthError {
  override readonly name = 'MissingTokenError'
  constructor(scope: readonly string[] = []) {
    super({ status: 401, reason: 'missing_token' }, {}, scope)
  }
}

/** 400 `invalid_request`: the credentials are not sent as RFC 6750 §2 says. */
export class InvalidRequestError extends OAuthError {
  override readonly name = 'InvalidRequestError'
  constructor(reason: RefusalReason, evidence?: Evidence) {
    super({ status: 400, code: 'invalid_request', reason }, evidence)
  }
}

/** 401 `invalid_token`: expired, revoked, malformed, of another issuer or for another audience. */
export class InvalidTokenError extends OAuthError {
  override readonly name = 'InvalidTokenError'
  constructor(reason: RefusalReason, evidence?: Evidence) {
    super({ status: 401, code: 'invalid_token', reason }, evidence)
  }
}

/** 403 `insufficient_scope`: a good token that does not permit this request. */
export class InsufficientScopeError extends OAuthError {
  override readonly name = 'InsufficientScopeError'
  constructor(reason: RefusalReason, evidence?: Evidence, scope?: readonly string[]) {
    super({ status: 403, code: 'insufficient_scope', reason }, evidence, scope)
  }
}

/** 401 `insufficient_user_authentication`: a good token, but the user must authenticate anew (RFC 9470 §3). */
export class InsufficientUserAuthenticationError extends OAuthError {
  override readonly name = 'InsufficientUserAuthenticationError'
  constructor(evidence: Evidence, parameters: Readonly<Record<string, string>>, scope?: readonly string[]) {
    const code = 'insufficient_user_authentication'
    super({ status: 401, code, reason: code }, evidence, scope, parameters)
  }
}

/** What is known about an outage besides its reason. */
export interface OutageDetails extends Evidence {
  /** Whole seconds after which trying again makes sense. Default 1. */
  readonly retryAfterSeconds?: number
  readonly cause?: unknown
}

/** 503: the token could not be checked. Says nothing about the token; the client may keep it. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
  readonly status = 503
  /** Express and its error handlers read this name. */
  readonly statusCode = 503
  readonly reason: OutageReason
  readonly retryAfterSeconds: number
  readonly evidence: Evidence

  constructor(reason: OutageReason, details: OutageDetails = {}) {
    const { retryAfterSeconds = 1, cause, ...evidence } = details
    super('The access token cannot be checked at the moment', cause === undefined ? undefined : { cause })
    this.reason = reason
    this.retryAfterSeconds = Number.isFinite(retryAfterSeconds)
      ? Math.max(0, Math.ceil(retryAfterSeconds))
      : 1
    this.evidence = toShown(evidence)
  }
}

/**
 * Builds a refusal without a stack. A refusal is an answer, not a fault: its place is its reason,
 * and the frames would cost more than all other work of refusing (a flood would make us pay it).
 */
export function refuse<E extends OAuthError>(build: () => E): E {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return build()
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** A 401 without code, to be thrown. */
export function missingToken(scope?: readonly string[]): MissingTokenError {
  return refuse(() => new MissingTokenError(scope))
}

/** A 400 `invalid_request`, to be thrown. */
export function invalidRequest(reason: RefusalReason, evidence?: Evidence): InvalidRequestError {
  return refuse(() => new InvalidRequestError(reason, evidence))
}

/** A 401 `invalid_token`, to be thrown. */
export function invalidToken(reason: RefusalReason, evidence?: Evidence): InvalidTokenError {
  return refuse(() => new InvalidTokenError(reason, evidence))
}
