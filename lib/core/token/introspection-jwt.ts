/**
 * Signed introspection answers: what the authorization server says is its word only if its key says so.
 *
 * @see RFC 9701 §5 for the answer, §8 for what goes wrong where a token is taken for another
 */
import { isUtf8 } from 'node:buffer'
import { compactVerify, decodeProtectedHeader, errors } from 'jose'
import type { VerificationKey } from '../issuer/key-set.js'
import type { KeySource } from '../issuer/jwks.js'
import { InvalidTokenError, UnavailableError } from '../errors.js'
import { memberOf, toAudience } from './claims.js'
import type { JsonObject } from './jwt-format.js'

/** What is asked of a signed answer. */
export interface SignedResponseSettings {
  /** Undefined: those that the metadata names, among the asymmetric ones; RS256 if it names none. */
  readonly algorithms: readonly string[] | undefined
  /** Seconds after `iat` from which an answer counts as a captured one. */
  readonly maxAgeSeconds: number
  /** Who the answers may be addressed to: this API as its authorization server knows it. */
  readonly audience: readonly string[]
}

export interface SignedAnswerOptions {
  readonly issuer: string
  readonly keys: KeySource
  readonly settings: SignedResponseSettings
  readonly clockToleranceSeconds: number
}

export const SIGNED_ANSWER_TYPE = 'application/token-introspection+jwt'

/** The algorithms by which a public key vouches. A secret is no such key (RFC 8725 §3.1). */
export const SIGNED_ANSWER_ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]

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

  return async function readSignedAnswer(body, supported) {
    const jwt = body.trim()
    const allowed = settings.algorithms ?? usable(supported)
    const { alg, kid } = validateHeader(jwt, allowed, issuer)
    const claims = await verify(jwt, { alg, kid }, options)
    validateClaims(claims, options)
    const answer = memberOf(claims, 'token_introspection')
    if (isObject(answer)) return answer
    throw unusable(issuer, 'token_introspection', 'an object', typeof answer)
  }
}

function usable(supported: readonly string[] | undefined): readonly string[] {
  const named = supported?.filter((algorithm) => SIGNED_ANSWER_ALGORITHMS.includes(algorithm)) ?? []
  return named.length > 0 ? named : DEFAULT_ALGORITHMS
}

function validateHeader(jwt: string, allowed: readonly string[], issuer: string) {
  const { alg, kid, typ } = decodeHeader(jwt, issuer)
  const type = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : typ
  // no other JWT of this issuer's may pass for an answer
  if (type !== 'token-introspection+jwt') throw unusable(issuer, 'typ', 'token-introspection+jwt', typ)
  if (typeof alg !== 'string' || !allowed.includes(alg)) throw unusable(issuer, 'alg', allowed, alg)
  if (kid === undefined || typeof kid === 'string') return { alg, kid }
  throw unusable(issuer, 'kid', 'a string', typeof kid)
}

function decodeHeader(jwt: string, issuer: string): JsonObject {
  try {
    return decodeProtectedHeader(jwt)
  } catch (error) {
    // jose's way to say that this is no JWT
    if (!(error instanceof TypeError)) throw error
    throw unusable(issuer, 'body', 'a signed JWT', 'something else')
  }
}

async function verify(
  jwt: string,
  hint: { readonly alg: string; readonly kid: string | undefined },
  { issuer, keys }: SignedAnswerOptions,
): Promise<JsonObject> {
  const tried = await findKeys()
  const payload = (await openWithAny(jwt, hint.alg, tried)) ?? (await openWithReplacement())
  const claims = payload && parseObject(payload)
  if (claims) return claims
  throw unusable(
    issuer,
    'signature',
    'a JSON object signed by a published key',
    payload ? 'no object' : 'another',
  )

  async function findKeys(): Promise<readonly VerificationKey[]> {
    try {
      return await keys.find(hint)
    } catch (error) {
      // the key of an answer, not of the client's token: whose concern it is differs
      if (!(error instanceof InvalidTokenError)) throw error
      throw unusable(issuer, 'kid', 'a published key', hint.kid)
    }
  }

  async function openWithReplacement() {
    return openWithAny(jwt, hint.alg, await keys.findReplacement(hint, tried))
  }
}

async function openWithAny(
  jwt: string,
  algorithm: string,
  candidates: readonly VerificationKey[],
): Promise<Uint8Array | undefined> {
  for (const { publicKey } of candidates) {
    try {
      return (await compactVerify(jwt, publicKey, { algorithms: [algorithm] })).payload
    } catch (error) {
      // not this key, or a form that no key would mend
      if (!(error instanceof errors.JOSEError)) throw error
    }
  }
  return undefined
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

function parseObject(payload: Uint8Array): JsonObject | undefined {
  if (!isUtf8(payload)) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString())
    return isObject(value) ? value : undefined
  } catch {
    // a SyntaxError is the parser's way to say "not JSON"
    return undefined
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unusable(issuer: string, name: string, expected: unknown, found: unknown): UnavailableError {
  return new UnavailableError('introspection_answer_unusable', { issuer, name, expected, found })
}
