/**
 * Keycloak.
 *
 * Relaxes: `typ` is `JWT` (or `at+jwt` by a setting of the client), the client is in `azp`, and lightweight
 * access tokens have no `sub`.
 * Checks instead: the claim `typ`, which is `Bearer` in access tokens (`DPoP` in bound ones), and `ID`,
 * `Refresh`, `Offline`, `Logout` in the others.
 * Roles: those of the realm, and those of the clients that are this API's audience.
 *
 * @see Keycloak, Server Administration Guide, "Audience support", "Using lightweight access token"
 * @see Keycloak, API documentation, `org.keycloak.representations.AccessToken`
 */
import { EACH_AUDIENCE, type Profile } from '../profile.js'
import { RFC9068 } from './rfc9068.js'

export const KEYCLOAK: Profile = {
  ...RFC9068,
  types: ['jwt', 'at+jwt'],
  requiredClaims: ['iss', 'exp', 'aud', 'iat', 'jti', 'azp'],
  clientIdClaims: ['azp', 'client_id'],
  tokenUse: { claim: 'typ', value: ['Bearer', 'DPoP'] },
  roleClaims: [
    ['realm_access', 'roles'],
    ['resource_access', EACH_AUDIENCE, 'roles'],
  ],
}
