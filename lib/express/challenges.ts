/**
 * Which challenges answer a refusal: one for each scheme that would do, and the error in that of the scheme
 * that was used, so that a client does not mend what was not wrong.
 *
 * @see RFC 6750 §3
 * @see RFC 9449 §7.1, §7.2
 */
import type { TokenScheme } from '../core/access-token.js'
import { formatChallenge } from '../core/challenge.js'
import type { OAuthError } from '../core/errors.js'
import { schemesIn, type TokenRequest } from '../core/token/extraction.js'
import { isAccepted } from './request.js'

export interface ChallengeOptions {
  /** The protection space. */
  readonly realm: string
  /** The schemes that are accepted, in order of mention. */
  readonly schemes: readonly TokenScheme[]
  /** Accepted `alg` values of DPoP proofs. */
  readonly algorithms: readonly string[]
  /** Where the metadata of this API is, if it is served. */
  readonly metadataUrl: string | undefined
}

/** @param used the schemes of the credentials in question */
export function toChallenges(
  error: OAuthError,
  used: readonly TokenScheme[],
  { realm, schemes, algorithms, metadataUrl }: ChallengeOptions,
): string[] {
  const meant = schemes.filter((scheme) => used.includes(scheme))
  const concerned = meant.length > 0 ? meant : schemes
  // a good token that does not permit the request would not do with another scheme either
  const named = error.status === 403 ? concerned : schemes

  // whether a client may come back without its user is between it and the authorization server
  const scope = error.scope.filter((one) => one !== 'offline_access')

  return named.map((scheme) => {
    // without credentials there is nothing to say about them (RFC 6750 §3.1), but much of what is needed
    const isConcerned = error.code === undefined || concerned.includes(scheme)
    return formatChallenge(scheme, {
      realm,
      ...(isConcerned && error.code !== undefined
        ? { error: error.code, error_description: error.message }
        : {}),
      ...(isConcerned ? { scope } : {}),
      further: {
        ...(isConcerned ? error.parameters : {}),
        ...(scheme === 'DPoP' ? { algs: algorithms.join(' ') } : {}),
        ...(metadataUrl === undefined ? {} : { resource_metadata: metadataUrl }),
      },
    })
  })
}

/** The schemes of the credentials that are refused; read anew, so that what is accepted costs nothing. */
export function schemesUsed(error: OAuthError, request: TokenRequest): readonly TokenScheme[] {
  if (isAccepted(request)) return [request.auth.scheme]
  const schemes = schemesIn(request)
  // a token that stands elsewhere than in the header is a bearer token
  if (schemes.length === 0) return ['Bearer']
  return error.reason === 'multiple_tokens' ? [...schemes, 'Bearer'] : schemes
}
