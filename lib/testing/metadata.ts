/**
 * The names and addresses of the test issuer, and the metadata that tells them.
 *
 * @see RFC 8414 §2, §3.1 and OpenID Connect Discovery 1.0 §4
 */
import { CLIENT_AUTH_METHODS } from './client-authentication.js'
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from './signing-keys.js'

export interface Addresses {
  readonly issuer: string
  readonly jwksUri: string
  readonly introspectionEndpoint: string
  readonly metadataUrls: MetadataUrls
}

export interface MetadataUrls {
  /** RFC 8414: the well-known part stands between the host and the path of the issuer. */
  readonly oauth: string
  /** OpenID Connect: the well-known part follows the path of the issuer. */
  readonly openid: string
}

/**
 * @param path of the issuer: empty, or beginning with a slash.
 * @throws TypeError if `path` cannot be part of an issuer identifier
 */
export function toAddresses(origin: string, path: string): Addresses {
  if (!/^(?:\/[^?#\s]*)?$/.test(path)) {
    throw new TypeError(`"path" must be empty or start with "/", without query and fragment: ${path}`)
  }
  const tenant = path.replace(/\/$/, '')
  return {
    issuer: `${origin}${path}`,
    jwksUri: `${origin}${tenant}/jwks`,
    introspectionEndpoint: `${origin}${tenant}/introspect`,
    metadataUrls: {
      oauth: `${origin}/.well-known/oauth-authorization-server${tenant}`,
      openid: `${origin}${tenant}/.well-known/openid-configuration`,
    },
  }
}

/** @param algorithms in which introspection answers are signed. */
export function toMetadata(
  { issuer, jwksUri, introspectionEndpoint }: Addresses,
  algorithms: readonly SigningAlgorithm[],
): Record<string, unknown> {
  const base = issuer.replace(/\/$/, '')
  return {
    issuer,
    authorization_endpoint: `${base}/authorize`,
    token_endpoint: `${base}/token`,
    jwks_uri: jwksUri,
    introspection_endpoint: introspectionEndpoint,
    introspection_endpoint_auth_methods_supported: [...CLIENT_AUTH_METHODS],
    introspection_endpoint_auth_signing_alg_values_supported: [
      ...SIGNING_ALGORITHMS,
      'HS256',
      'HS384',
      'HS512',
    ],
    introspection_signing_alg_values_supported: [...algorithms],
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'client_credentials'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  }
}
