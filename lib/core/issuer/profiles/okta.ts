/**
 * Okta, custom authorization servers. Tokens of the org authorization server are for Okta's own API and cannot
 * be verified locally.
 *
 * Relaxes: `typ` is absent (or Okta's own), scopes are a list in `scp`, the client is in `cid`.
 * Checks instead: `cid`, which ID tokens have not; ID tokens have `at_hash` or `nonce`.
 * Roles: `groups`, a claim to be added to the authorization server.
 *
 * @see Okta Developer, "OpenID Connect & OAuth 2.0 API", section "Access token"
 * @see Okta Help, "Create API access claims"
 */
import type { Profile } from '../profile.js'
import { RFC9068 } from './rfc9068.js'

export const OKTA: Profile = {
  ...RFC9068,
  types: ['', 'jwt', 'at+jwt', 'okta-internal-at+jwt'],
  requiredClaims: ['iss', 'exp', 'aud', 'sub', 'iat', 'jti', 'cid'],
  scopeClaims: ['scp', 'scope'],
  clientIdClaims: ['cid', 'client_id'],
  accessTokenClaims: ['cid'],
  roleClaims: ['groups'],
}
