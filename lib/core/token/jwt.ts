/**
 * Verifies a self-contained access token with the keys its issuer publishes.
 *
 * @see RFC 9068 §4 for the checks
 * @see RFC 8725 §3 for their strictness
 */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { deepFreeze, type TokenFacts } from '../access-token.js'
import { invalidToken } from '../errors.js'
import type { KeyHint, VerificationKey } from '../issuer/key-set.js'
import type { KeySource } from '../issuer/jwks.js'
import type { Profile } from '../issuer/profiles.js'
import { toBinding } from './cnf.js'
import { createCommonValues, type CommonValues } from './common-values.js'
import type { DecryptionKey } from './decryption.js'
import { firstString, memberOf, toAudience, toScopes, toSeconds, valuesAt } from './claims.js'
import type { DecodedJwt, JsonObject } from '../issuer/jwt-format.js'
import type { VerifySignature } from '../issuer/signature.js'
import { validateTokenUse } from './token-use.js'

/** How tokens of one issuer are verified. */
export interface JwtSettings {
  readonly algorithms: readonly string[]
  /** Shared secret for HMAC algorithms; with one, nothing else is accepted from this issuer. */
  readonly secret: Uint8Array | undefined
  /** Private keys; with any, tokens of this issuer must be encrypted to one of them. */
  readonly decryptionKeys: readonly DecryptionKey[]
  readonly clockToleranceSeconds: number
  /** Seconds after `iat` from which a token is refused whatever its `exp` says. */
  readonly maxLifetimeSeconds: number | undefined
  readonly cacheMaxEntries: number
}

export interface JwtIssuer {
  readonly issuer: string
  readonly audience: readonly string[]
  readonly profile: Profile
  readonly jwt: JwtSettings
  readonly keys: KeySource
  readonly verifySignature: VerifySignature
}

/** A verified token: facts that hold until a moment, and the key by which they do. */
export interface VerifiedJwt {
  readonly facts: TokenFacts
  /** Undefined for a shared secret, which does not rotate. */
  readonly key: VerificationKey | undefined
  /** Milliseconds since the epoch from which it is expired, tolerance included. */
  readonly until: number
}

/** JSON types that a claim must have wherever it appears. */
const CLAIM_TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  iss: isText,
  sub: isText,
  client_id: isText,
  jti: isText,
  exp: isTime,
  iat: isTime,
  nbf: isTime,
  aud: (value) => toAudience(value) !== undefined,
}

/**
 * @returns `validateJwt(jwt)`: the facts of a decoded token whose `iss` is this issuer.
 * @throws InvalidTokenError by the first check that fails; no key is fetched before all cheap ones passed
 * @throws UnavailableError if the keys cannot be had
 */
export function createJwtValidation(options: JwtIssuer): (jwt: DecodedJwt) => Promise<VerifiedJwt> {
  const secretKey = options.jwt.secret && createSecretKey(options.jwt.secret)
  const common = createCommonValues()

  return async function validateJwt(jwt) {
    const hint = validateHeader(jwt.header, options)
    validateClaims(jwt.claims, options)
    validateTokenUse(jwt, options)
    validateTimes(jwt.claims, options)
    const key = await validateSignature(jwt, hint, options, secretKey)
    return toVerifiedJwt(jwt.claims, key, options, common)
  }
}

function validateHeader(header: JsonObject, { issuer, jwt, profile }: JwtIssuer): KeyHint {
  const alg = memberOf(header, 'alg')
  if (typeof alg !== 'string' || !jwt.algorithms.includes(alg)) {
    throw invalidToken('algorithm_not_allowed', { issuer, name: 'alg', expected: jwt.algorithms, found: alg })
  }
  const typ = memberOf(header, 'typ')
  if (!profile.types.includes(toMediaType(typ))) {
    throw invalidToken('token_type_mismatch', { issuer, name: 'typ', expected: profile.types, found: typ })
  }
  for (const name of ['crit', 'b64', 'zip']) {
    if (!Object.hasOwn(header, name)) continue
    throw invalidToken('critical_header_unsupported', { issuer, name, found: header[name] })
  }
  const kid = memberOf(header, 'kid')
  if (kid !== undefined && typeof kid !== 'string') {
    throw invalidToken('malformed_token', { issuer, name: 'kid', expected: 'a string' })
  }
  return { alg, kid }
}

/** A type without a slash is compared as if `application/` stood before it (RFC 7515 §4.1.9). */
function toMediaType(typ: unknown): string {
  if (typ === undefined) return ''
  if (typeof typ !== 'string' || typ === '') return '(no type)'
  return typ.toLowerCase().replace(/^application\/(?=[^/]*$)/, '')
}

function validateClaims(claims: JsonObject, options: JwtIssuer): void {
  const { issuer, profile } = options
  for (const name of profile.requiredClaims) {
    if (memberOf(claims, name) === undefined) throw invalidToken('missing_claim', { issuer, name })
  }
  for (const [name, isValid] of Object.entries(CLAIM_TYPES)) {
    const value = memberOf(claims, name)
    if (value !== undefined && !isValid(value)) {
      throw invalidToken('malformed_claim', { issuer, name, found: typeof value })
    }
  }
  validateAudience(claims, options)
  toBinding(memberOf(claims, 'cnf'), issuer)
}

function validateAudience(claims: JsonObject, { issuer, audience, profile }: JwtIssuer): void {
  const name = profile.audienceClaim
  const found = toAudience(memberOf(claims, name))
  if (found?.some((value) => audience.includes(value))) return
  throw invalidToken('audience_mismatch', { issuer, name, expected: audience, found: memberOf(claims, name) })
}

function validateTimes(claims: JsonObject, { issuer, jwt }: JwtIssuer): void {
  const now = Date.now() / 1000
  const tolerance = jwt.clockToleranceSeconds
  const exp = toSeconds(memberOf(claims, 'exp'))
  const nbf = toSeconds(memberOf(claims, 'nbf'))
  const iat = toSeconds(memberOf(claims, 'iat'))
  if (exp === undefined) throw invalidToken('missing_claim', { issuer, name: 'exp' })
  if (now >= exp + tolerance)
    throw invalidToken('expired', { issuer, name: 'exp', expected: now, found: exp })
  if (nbf !== undefined && now + tolerance < nbf) {
    throw invalidToken('not_yet_valid', { issuer, name: 'nbf', expected: now, found: nbf })
  }
  if (iat !== undefined && now + tolerance < iat) {
    throw invalidToken('issued_in_future', { issuer, name: 'iat', expected: now, found: iat })
  }
  if (jwt.maxLifetimeSeconds === undefined) return
  if (iat === undefined) throw invalidToken('missing_claim', { issuer, name: 'iat' })
  if (now >= iat + jwt.maxLifetimeSeconds + tolerance) {
    throw invalidToken('too_old', { issuer, name: 'iat', expected: jwt.maxLifetimeSeconds, found: now - iat })
  }
}

/** @returns the published key that verified it; undefined for the shared secret */
async function validateSignature(
  jwt: DecodedJwt,
  hint: KeyHint,
  { issuer, keys, verifySignature }: JwtIssuer,
  secretKey: KeyObject | undefined,
): Promise<VerificationKey | undefined> {
  if (secretKey) {
    if (await verifySignature(jwt, hint.alg, secretKey)) return undefined
    throw invalidToken('invalid_signature', { issuer })
  }
  const candidates = await keys.find(hint)
  const key =
    (await findVerifying(candidates)) ?? (await findVerifying(await keys.findReplacement(hint, candidates)))
  if (key) return key
  throw invalidToken(candidates.length > 0 ? 'invalid_signature' : 'unknown_key', {
    issuer,
    name: 'kid',
    found: hint.kid,
  })

  async function findVerifying(tried: readonly VerificationKey[]) {
    for (const key of tried) {
      if (await verifySignature(jwt, hint.alg, key.publicKey)) return key
    }
    return undefined
  }
}

function toVerifiedJwt(
  claims: JsonObject,
  key: VerificationKey | undefined,
  options: JwtIssuer,
  common: CommonValues,
): VerifiedJwt {
  common.shareClaims(claims)
  const { issuer, audience, jwt, profile } = options
  const expiresAt = toSeconds(memberOf(claims, 'exp')) ?? 0
  const issuedAt = toSeconds(memberOf(claims, 'iat'))
  const subject = firstString(claims, profile.subjectClaims)
  const latest = jwt.maxLifetimeSeconds === undefined ? expiresAt : (issuedAt ?? 0) + jwt.maxLifetimeSeconds
  const facts: TokenFacts = {
    ...toBinding(memberOf(claims, 'cnf'), issuer),
    format: 'jwt',
    issuer,
    ...(subject === undefined ? {} : { subject }),
    clientId: firstString(claims, profile.clientIdClaims) ?? '',
    audience: common.shareList(toAudience(memberOf(claims, profile.audienceClaim)) ?? []),
    scopes: common.shareList(toScopes(claims, profile.scopeClaims)),
    roles: common.shareList(valuesAt(claims, profile.roleClaims, audience)),
    permissions: common.shareList(valuesAt(claims, profile.permissionClaims, audience)),
    expiresAt,
    ...(issuedAt === undefined ? {} : { issuedAt }),
    claims,
    checkedAt: Math.floor(Date.now() / 1000),
  }
  const until = (Math.min(expiresAt, latest) + jwt.clockToleranceSeconds) * 1000
  return { facts: deepFreeze(facts), key, until }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
