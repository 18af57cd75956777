/**
 * Auth0: its own token profile, and its RFC 9068 profile as well.
 *
 * Relaxes: `typ` is `JWT`, the client is in `azp`, there is no `jti`.
 * Checks instead: `azp` (or `client_id`), which ID tokens have not; ID tokens have `nonce` or `at_hash`, and their
 * audience is the client.
 * Permissions: `permissions`, with RBAC and "Add Permissions in the Access Token" switched on for the API. Roles
 * stand in a claim of the tenant's own naming: `{ extends: 'auth0', roleClaims: ['https://example.com/roles'] }`.
 *
 * @see Auth0 Docs, "Access Token Profiles", "Configure Access Token Profile", "ID Token Structure"
 */
import type { Profile } from '../profile.js'
import { RFC9068 } from './rfc9068.js'

export const AUTH0: Profile = {
  ...RFC9068,
  types: ['jwt', 'at+jwt'],
  requiredClaims: ['iss', 'exp', 'aud', 'sub', 'iat'],
  clientIdClaims: ['azp', 'client_id'],
  accessTokenClaims: ['azp', 'client_id'],
  permissionClaims: ['permissions'],
}
