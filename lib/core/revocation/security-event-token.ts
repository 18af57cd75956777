/**
 * Security Event Tokens: what a transmitter says has happened, signed. Its form and its signer are checked
 * here, by rules that no access, ID or logout token meets.
 *
 * @see RFC 8417 §2.2, §2.3
 * @see OpenID Shared Signals Framework 1.0 §4.1
 */
import { memberOf, type JsonObject } from '../issuer/jwt-format.js'
import type { KeySource } from '../issuer/jwks.js'
import type { VerifySignature } from '../issuer/signature.js'
import {
  decodeSignedJwt,
  SignedJwtError,
  verifySignedJwt,
  type SignedJwtFault,
} from '../issuer/signed-jwt.js'
import type { EventMeaning } from './caep.js'
import { isObject, textOf, timeOf, validateAudience } from './claims.js'
import type { ResolveSubject } from './subject-identifiers.js'

/** One transmitter whose events are believed. */
export interface TransmitterSettings {
  readonly issuer: string
  readonly keys: KeySource
  readonly audience: readonly string[]
  readonly algorithms: readonly string[]
  /** Configured issuers whose tokens its events may touch. */
  readonly tokenIssuers: readonly string[]
  /** Meanings that differ from the built-in ones. */
  readonly events: Readonly<Record<string, EventMeaning>>
  readonly resolveSubject: ResolveSubject | undefined
  readonly criticalMembers: readonly string[]
}

export interface SecurityEventToken {
  readonly jti: string
  readonly iat: number
  readonly subject: unknown
  readonly events: readonly (readonly [type: string, payload: JsonObject])[]
}

/** The codes of RFC 8935 §2.4, and `invalid_state` of the Shared Signals Framework. */
export type SetErrorCode =
  | 'invalid_request'
  | 'invalid_key'
  | 'invalid_issuer'
  | 'invalid_audience'
  | 'authentication_failed'
  | 'access_denied'
  | 'invalid_state'

/** A security event token that is not taken. */
export class SetError extends Error {
  override readonly name = 'SetError'
  readonly code: SetErrorCode

  constructor(code: SetErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** A clock may be ahead; an event of next week is none. */
const MAX_AHEAD_SECONDS = 300

/** @throws SetError @throws UnavailableError if the transmitter's keys cannot be had */
export async function verifySecurityEvent(
  token: string,
  transmitters: readonly TransmitterSettings[],
  verifySignature: VerifySignature,
): Promise<{ readonly transmitter: TransmitterSettings; readonly event: SecurityEventToken }> {
  try {
    const jwt = decodeSignedJwt(token)
    const iss = memberOf(jwt.claims, 'iss')
    const transmitter = transmitters.find(({ issuer }) => issuer === iss)
    if (!transmitter) throw new SetError('invalid_issuer', 'its issuer is not the one of this stream')
    const { keys, algorithms, audience } = transmitter
    const rules = { types: ['secevent+jwt'], algorithms }
    const claims = await verifySignedJwt(jwt, rules, { keys, verifySignature })
    validateAudience(claims, audience)
    return { transmitter, event: readClaims(claims) }
  } catch (error) {
    if (error instanceof SignedJwtError) throw new SetError(CODES[error.fault], error.message)
    throw error
  }
}

const CODES: Readonly<Record<SignedJwtFault, SetErrorCode>> = {
  malformed: 'invalid_request',
  type: 'invalid_request',
  claim: 'invalid_request',
  algorithm: 'invalid_key',
  key: 'invalid_key',
  signature: 'invalid_key',
  issuer: 'invalid_issuer',
  audience: 'invalid_audience',
}

function readClaims(claims: JsonObject): SecurityEventToken {
  const jti = textOf(claims, 'jti')
  const iat = timeOf(claims, 'iat')
  if (iat > Date.now() / 1000 + MAX_AHEAD_SECONDS)
    throw new SetError('invalid_request', 'its iat is in the future')
  // by these two another kind of token would be known (SSF §4.1.1, §4.1.7)
  const foreign = ['sub', 'exp'].find((name) => Object.hasOwn(claims, name))
  if (foreign !== undefined) throw new SetError('invalid_request', `it has the claim ${foreign}`)
  const events = memberOf(claims, 'events')
  const entries = isObject(events) ? Object.entries(events) : []
  if (entries.length === 0 || entries.length > 20 || !entries.every(([, payload]) => isObject(payload))) {
    throw new SetError('invalid_request', 'its events are missing or no objects')
  }
  return { jti, iat, subject: memberOf(claims, 'sub_id'), events: entries as [string, JsonObject][] }
}
