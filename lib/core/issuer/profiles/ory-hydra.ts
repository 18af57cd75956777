/**
 * Ory Hydra and Ory Network with `strategies.access_token: jwt`. Its opaque tokens need no profile.
 *
 * Relaxes: `typ` is `JWT`; scopes are a list in `scp`, or a string in `scope` with another
 * `strategies.jwt.scope_claim`.
 * Checks instead: `client_id`, which ID tokens have not; ID tokens have `at_hash` or `nonce`.
 * Roles: `roles` in the session's `ext`, where the consent app puts them there.
 *
 * @see Ory documentation, "JSON Web Token (JWT) access tokens", "Audience"
 * @see ory/fosite, `token/jwt/claims_jwt.go`; the setting `strategies.jwt.scope_claim`
 */
import type { Profile } from '../profile.js'
import { RFC9068 } from './rfc9068.js'

export const ORY_HYDRA: Profile = {
  ...RFC9068,
  types: ['jwt', 'at+jwt'],
  scopeClaims: ['scp', 'scope'],
  accessTokenClaims: ['client_id'],
  roleClaims: ['roles', ['ext', 'roles']],
}
