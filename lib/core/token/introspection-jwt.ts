/**
 * Signed introspection answers: what the authorization server says is its word only if its key says so.
 *
 * @see RFC 9701 §5 for the answer, §8 for what goes wrong where a token is taken for another
 */
import { UnavailableError } from '../errors.js'
import { memberOf, type DecodedJwt, type JsonObject } from '../issuer/jwt-format.js'
import { ASYMMETRIC_ALGORITHMS } from '../issuer/signature.js'
import {
  decodeSignedJwt,
  SignedJwtError,
  verifySignedJwt,
  type SignedJwtFault,
  type SignedJwtKeys,
} from '../issuer/signed-jwt.js'
import { toAudience } from './claims.js'

/** What is asked of a signed answer. */
export interface SignedResponseSettings {
  /** Undefined: those that the metadata names, among the asymmetric ones; RS256 if it names none. */
  readonly algorithms: readonly string[] | undefined
  /** Seconds after `iat` from which an answer counts as a captured one. */
  readonly maxAgeSeconds: number
  /** Who the answers may be addressed to: this API as its authorization server knows it. */
  readonly audience: readonly string[]
}

export interface SignedAnswerOptions extends SignedJwtKeys {
  readonly issuer: string
  readonly settings: SignedResponseSettings
  readonly clockToleranceSeconds: number
}

export const SIGNED_ANSWER_TYPE = 'application/token-introspection+jwt'

const TYPES = ['token-introspection+jwt']
/** As many bytes as a plain answer may have. */
const MAX_BYTES = 256 * 1024
/** RFC 9701 §6, where nothing else is agreed upon. */
const DEFAULT_ALGORITHMS = ['RS256']

/** Reads the body of a signed answer; `supported` are the algorithms that the metadata names. */
export type ReadSignedAnswer = (body: string, supported: readonly string[] | undefined) => Promise<JsonObject>

/**
 * @returns `readSignedAnswer(body, supported)`: its member `token_introspection`, in which alone the answer stands
 * @throws UnavailableError if it is not this issuer's answer to us, now. It says nothing about the token then.
 */
export function createSignedAnswer(options: SignedAnswerOptions): ReadSignedAnswer {
  const { issuer, settings } = options

  async function verify(jwt: string, algorithms: readonly string[]): Promise<JsonObject> {
    let decoded: DecodedJwt | undefined
    try {
      decoded = decodeSignedJwt(jwt, MAX_BYTES)
      return await verifySignedJwt(decoded, { types: TYPES, algorithms }, options)
    } catch (error) {
      if (!(error instanceof SignedJwtError)) throw error
      const { name, expected } = EVIDENCE[error.fault] ?? { name: 'body', expected: 'a signed JWT' }
      const found = decoded && memberOf(decoded.header, name)
      throw unusable(issuer, name, name === 'alg' ? algorithms : expected, found ?? error.message)
    }
  }

  return async function readSignedAnswer(body, supported) {
    const claims = await verify(body.trim(), settings.algorithms ?? usable(supported))
    validateClaims(claims, options)
    const answer = memberOf(claims, 'token_introspection')
    if (isObject(answer)) return answer
    throw unusable(issuer, 'token_introspection', 'an object', typeof answer)
  }
}

/** What operators are told of a fault: the header parameter, and what was expected there. */
const EVIDENCE: Partial<Record<SignedJwtFault, { readonly name: string; readonly expected: unknown }>> = {
  // no other JWT of this issuer's may pass for an answer
  type: { name: 'typ', expected: TYPES },
  algorithm: { name: 'alg', expected: undefined },
  key: { name: 'kid', expected: 'a published key' },
  signature: { name: 'signature', expected: 'one by a published key' },
}

function usable(supported: readonly string[] | undefined): readonly string[] {
  const named = ASYMMETRIC_ALGORITHMS.filter((algorithm) => supported?.includes(algorithm))
  return named.length > 0 ? named : DEFAULT_ALGORITHMS
}

function validateClaims(claims: JsonObject, options: SignedAnswerOptions): void {
  const { issuer, settings, clockToleranceSeconds } = options
  const iss = memberOf(claims, 'iss')
  if (iss !== issuer) throw unusable(issuer, 'iss', issuer, iss)
  const aud = memberOf(claims, 'aud')
  if (!toAudience(aud)?.some((name) => settings.audience.includes(name))) {
    throw unusable(issuer, 'aud', settings.audience, aud)
  }
  const iat = memberOf(claims, 'iat')
  const now = Date.now() / 1000
  const isTimely =
    typeof iat === 'number' && iat <= now + clockToleranceSeconds && iat >= now - settings.maxAgeSeconds
  if (!isTimely) throw unusable(issuer, 'iat', `at most ${settings.maxAgeSeconds} seconds ago`, iat)
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unusable(issuer: string, name: string, expected: unknown, found: unknown): UnavailableError {
  return new UnavailableError('introspection_answer_unusable', { issuer, name, expected, found })
}
