/**
 * Is this token valid? A self-contained one is verified here, an opaque one is judged by the issuer's
 * introspection endpoint. What was found good before is not asked again while it holds.
 */
import { toAccessToken, type AccessToken } from '../access-token.js'
import type { ClaimsSchema } from '../claims-schema.js'
import { invalidToken, InvalidTokenError } from '../errors.js'
import { sha256 } from '../io/digest.js'
import { createSingleFlight } from '../io/single-flight.js'
import { createResolvedIssuers, type IssuerResolution } from '../issuer/resolved-issuers.js'
import { createListedIssuers, type IssuerDirectory } from '../issuer/trusted-issuers.js'
import { memberOf } from './claims.js'
import { createClaimsRefinement } from './claims-refinement.js'
import type { TokenRequest } from './extraction.js'
import { decodeJwt, recognizeJwt, type DecodedJwt } from '../issuer/jwt-format.js'
import type { VerifiedJwt } from './jwt.js'
import { createOpaqueValidation, routeOf, type OpaqueToken, type RouteOpaque } from './opaque.js'
import type { VerifySignature } from '../issuer/signature.js'
import {
  createTokenIssuer,
  type Connections,
  type SharedMemory,
  type TokenIssuer,
  type TokenIssuerSettings,
} from './token-issuer.js'

export interface TokenValidationOptions extends Connections {
  readonly issuers: readonly TokenIssuerSettings[]
  /** Names issuers in place of the list. */
  readonly resolution: IssuerResolution<TokenIssuerSettings> | undefined
  readonly routeOpaque: RouteOpaque | undefined
  readonly claims: ClaimsSchema | undefined
  readonly verifySignature: VerifySignature
  readonly store: SharedMemory | undefined
}

export interface TokenValidation {
  /**
   * At once if the token is known, else as a promise.
   * @throws InvalidTokenError @throws UnavailableError (or rejects with them)
   */
  readonly validate: (token: string, request: TokenRequest) => AccessToken | Promise<AccessToken>
  readonly issuers: IssuerDirectory<TokenIssuer>
}

export function createTokenValidation(options: TokenValidationOptions): TokenValidation {
  const issuers = openIssuers(options)
  // those of a function come and go; what is known of them is found by the name in the token
  const listed = options.resolution ? [] : issuers.open
  const acceptsJwt = options.resolution !== undefined || listed.some((issuer) => issuer.validateJwt)
  const introspectOpaque = createOpaqueValidation(listed, options.routeOpaque)
  const share = createSingleFlight<AccessToken>()

  function validate(token: string, request: TokenRequest): AccessToken | Promise<AccessToken> {
    const digest = sha256(token)
    const known = recallVerified(listed, digest)
    if (known) return toAccessToken(token, known.facts, 'cache')
    const form = acceptsJwt ? recognizeJwt(token) : undefined
    if (form === 'jws') return validateJws(token, digest, request)
    const decrypting = form === 'jwe' ? listed.filter((issuer) => issuer.decrypt) : []
    if (decrypting.length > 0) return share(digest, () => validateJwe(token, digest, decrypting))
    const refusal = form === 'jwe' ? 'encrypted_token' : 'opaque_not_accepted'
    if (options.resolution) return validateRouted({ token, digest, request, refusal })
    return introspectOpaque({ token, digest, request, refusal })
  }

  function validateJws(
    token: string,
    digest: string,
    request: TokenRequest,
  ): AccessToken | Promise<AccessToken> {
    const jwt = decodeJwt(token)
    const issuer = issuerOf(jwt)
    return issuer instanceof Promise ? issuer.then(validateOf) : validateOf(issuer)

    function validateOf(found: TokenIssuer): AccessToken | Promise<AccessToken> {
      if (!found.validateJwt) {
        return introspectOpaque({ token, digest, request, issuer: found, refusal: 'jwt_not_accepted' })
      }
      if (found.decrypt) throw invalidToken('not_encrypted', { issuer: found.name })
      const known = recallVerified([found], digest)
      if (known) return toAccessToken(token, known.facts, 'cache')
      return share(digest, () => verify(token, digest, jwt, found))
    }
  }

  /** With a function as issuers, only the route tells whose an opaque token may be. */
  function validateRouted(opaque: OpaqueToken): AccessToken | Promise<AccessToken> {
    const { routeOpaque } = options
    const name = routeOpaque && routeOf(routeOpaque, opaque.token, opaque.request)
    if (name === undefined) throw invalidToken(opaque.refusal)
    const issuer = issuers.find(name)
    return issuer instanceof Promise ? issuer.then(introspectAt) : introspectAt(issuer)

    function introspectAt(found: TokenIssuer | undefined): AccessToken | Promise<AccessToken> {
      if (!found) throw invalidToken('untrusted_issuer', { name: 'routeOpaque', found: name })
      return introspectOpaque({ ...opaque, issuer: found })
    }
  }

  /** Encrypted, then signed inside: both layers are checked (RFC 9068 §4, RFC 8725 §3.3). */
  async function validateJwe(
    token: string,
    digest: string,
    decrypting: readonly TokenIssuer[],
  ): Promise<AccessToken> {
    const jwt = await decryptByAny(token, decrypting)
    const issuer = await issuerOf(jwt)
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
  function issuerOf({ claims }: DecodedJwt): TokenIssuer | Promise<TokenIssuer> {
    const iss = memberOf(claims, 'iss')
    const issuer = typeof iss === 'string' ? issuers.find(iss) : undefined
    return issuer instanceof Promise ? issuer.then(assertTrusted) : assertTrusted(issuer)

    function assertTrusted(found: TokenIssuer | undefined): TokenIssuer {
      if (found) return found
      const expected = listed.map(({ name }) => name)
      throw invalidToken('untrusted_issuer', { name: 'iss', expected, found: iss })
    }
  }

  return { validate, issuers }
}

function openIssuers(options: TokenValidationOptions): IssuerDirectory<TokenIssuer> {
  const shared = {
    ...options,
    refineClaims: options.claims && createClaimsRefinement(options.claims),
  }
  const open = (settings: TokenIssuerSettings) => createTokenIssuer(settings, shared)
  return options.resolution
    ? createResolvedIssuers(options.resolution, open)
    : createListedIssuers(options.issuers, open)
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
