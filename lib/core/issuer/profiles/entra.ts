/**
 * Microsoft Entra ID, access tokens of version 1 and 2.
 *
 * Relaxes: `typ` is `JWT`, the client is in `azp` (v2) or `appid` (v1), scopes are in `scp`, there is no `jti`.
 * Checks instead: `azp` or `appid`, which ID tokens have not.
 * Roles: `roles`, the app roles of a user or, in a token without `scp`, of an application.
 *
 * @see Microsoft identity platform, "Access token claims reference", "ID token claims reference"
 */
import type { Profile } from '../profile.js'
import { RFC9068 } from './rfc9068.js'

export const ENTRA: Profile = {
  ...RFC9068,
  types: ['jwt', 'at+jwt'],
  requiredClaims: ['iss', 'exp', 'aud', 'sub', 'iat'],
  scopeClaims: ['scp'],
  clientIdClaims: ['azp', 'appid'],
  accessTokenClaims: ['azp', 'appid'],
  permissionClaims: [],
}
