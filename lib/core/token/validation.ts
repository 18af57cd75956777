/**
 * Is this token valid? A self-contained one is verified here, an opaque one is judged by the issuer's
 * introspection endpoint. What was found good before is not asked again while it holds.
 */
import { toAccessToken, type AccessToken } from '../access-token.js'
import { invalidToken, InvalidTokenError } from '../errors.js'
import { sha256 } from '../io/digest.js'
import type { SendRequest } from '../io/http.js'
import { createSingleFlight } from '../io/single-flight.js'
import type { TrustedIssuers } from '../issuer/trusted-issuers.js'
import { memberOf } from './claims.js'
import type { TokenRequest } from './extraction.js'
import { decodeJwt, recognizeJwt, type DecodedJwt } from '../issuer/jwt-format.js'
import type { VerifiedJwt } from './jwt.js'
import { createOpaqueValidation, type RouteOpaque } from './opaque.js'
import type { VerifySignature } from '../issuer/signature.js'
import { createTokenIssuer, type TokenIssuer, type TokenIssuerSettings } from './token-issuer.js'

export interface TokenValidationOptions {
  readonly issuers: TrustedIssuers<TokenIssuerSettings>
  readonly routeOpaque: RouteOpaque | undefined
  readonly verifySignature: VerifySignature
  readonly send: SendRequest
}

export interface TokenValidation {
  /**
   * At once if the token is known, else as a promise.
   * @throws InvalidTokenError @throws UnavailableError (or rejects with them)
   */
  readonly validate: (token: string, request: TokenRequest) => AccessToken | Promise<AccessToken>
  readonly issuers: readonly TokenIssuer[]
}

export function createTokenValidation(options: TokenValidationOptions): TokenValidation {
  const issuers = options.issuers.all.map((trusted) => createTokenIssuer(trusted, options))
  const acceptsJwt = issuers.some((issuer) => issuer.validateJwt)
  const introspectOpaque = createOpaqueValidation(issuers, options.routeOpaque)
  const share = createSingleFlight<AccessToken>()

  function validate(token: string, request: TokenRequest): AccessToken | Promise<AccessToken> {
    const digest = sha256(token)
    const known = recallVerified(issuers, digest)
    if (known) return toAccessToken(token, known.facts, 'cache')
    const form = acceptsJwt ? recognizeJwt(token) : undefined
    if (form === 'jws') return validateJws(token, digest, request)
    const decrypting = form === 'jwe' ? issuers.filter((issuer) => issuer.decrypt) : []
    if (decrypting.length > 0) return share(digest, () => validateJwe(token, digest, decrypting))
    const refusal = form === 'jwe' ? 'encrypted_token' : 'opaque_not_accepted'
    return introspectOpaque({ token, digest, request, refusal })
  }

  function validateJws(
    token: string,
    digest: string,
    request: TokenRequest,
  ): AccessToken | Promise<AccessToken> {
    const jwt = decodeJwt(token)
    const issuer = issuerOf(jwt)
    if (!issuer.validateJwt) {
      return introspectOpaque({ token, digest, request, issuer, refusal: 'jwt_not_accepted' })
    }
    if (issuer.decrypt) throw invalidToken('not_encrypted', { issuer: issuer.name })
    return share(digest, () => verify(token, digest, jwt, issuer))
  }

  /** Encrypted, then signed inside: both layers are checked (RFC 9068 §4, RFC 8725 §3.3). */
  async function validateJwe(
    token: string,
    digest: string,
    decrypting: readonly TokenIssuer[],
  ): Promise<AccessToken> {
    const jwt = await decryptByAny(token, decrypting)
    const issuer = issuerOf(jwt)
    if (!decrypting.includes(issuer)) throw invalidToken('encrypted_token', { issuer: issuer.name })
    return verify(token, digest, jwt, issuer)
  }

  async function verify(
    token: string,
    digest: string,
    jwt: DecodedJwt,
    issuer: TokenIssuer,
  ): Promise<AccessToken> {
    if (!issuer.validateJwt) throw invalidToken('jwt_not_accepted', { issuer: issuer.name })
    const verified = await issuer.validateJwt(jwt)
    issuer.verified.set(digest, verified)
    return toAccessToken(token, verified.facts, 'verification')
  }

  /** Who issued it, by its own word. Its word counts once the signature is checked with that issuer's keys. */
  function issuerOf({ claims }: DecodedJwt): TokenIssuer {
    const found = memberOf(claims, 'iss')
    const trusted = typeof found === 'string' ? options.issuers.find(found) : undefined
    const issuer = issuers.find((candidate) => candidate.trusted === trusted)
    if (issuer) return issuer
    const expected = issuers.map((candidate) => candidate.name)
    throw invalidToken('untrusted_issuer', { name: 'iss', expected, found })
  }

  return { validate, issuers }
}

/** A cached fact is not a verdict: it must still be in time, and its key still be published. */
function recallVerified(issuers: readonly TokenIssuer[], digest: string): VerifiedJwt | undefined {
  const now = Date.now()
  for (const { verified, trusted } of issuers) {
    const known = verified.get(digest, now)
    if (!known) continue
    if (!known.key || trusted.keys.mayServe(known.key)) return known
    verified.delete(digest)
  }
  return undefined
}

async function decryptByAny(token: string, decrypting: readonly TokenIssuer[]): Promise<DecodedJwt> {
  let refusal: InvalidTokenError | undefined
  for (const { decrypt } of decrypting) {
    try {
      if (decrypt) return await decrypt(token)
    } catch (error) {
      if (!(error instanceof InvalidTokenError)) throw error
      refusal ??= error
    }
  }
  throw refusal ?? invalidToken('decryption_failed')
}
