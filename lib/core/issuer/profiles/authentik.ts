/**
 * authentik. Its access token is the ID token with `azp`, `uid` and, in newer releases, `scope` added.
 *
 * Relaxes: `typ` is `JWT`; the client is in `azp`; there is no `jti`; the audience is the client: write its
 * identifier as `audience`. A `nonce` in an access token is no sign of an ID token here.
 * Checks instead: `azp` and `uid`, which ID tokens have not, and that there is no hash of another token.
 * Roles: `groups`, with the scope `profile`.
 *
 * @see authentik documentation, "OAuth 2.0 provider"
 * @see goauthentik/authentik, `authentik/providers/oauth2/id_token.py`
 */
import type { Profile } from '../profile.js'
import { RFC9068 } from './rfc9068.js'

export const AUTHENTIK: Profile = {
  ...RFC9068,
  types: ['', 'jwt', 'at+jwt'],
  requiredClaims: ['iss', 'exp', 'aud', 'sub', 'iat', 'azp', 'uid'],
  clientIdClaims: ['azp', 'client_id'],
  idTokenClaims: ['at_hash', 'c_hash', 's_hash'],
  roleClaims: ['groups'],
  permissionClaims: ['entitlements'],
}
