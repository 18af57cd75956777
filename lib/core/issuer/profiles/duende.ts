/**
 * Duende IdentityServer.
 *
 * Relaxes: tokens of client credentials have no `sub`; `jti` can be switched off for a client.
 * Checks instead: nothing has to be, `typ` is `at+jwt` (`IdentityServerOptions.AccessTokenJwtType`).
 * Roles: `role`, a claim that the API resource asks for.
 *
 * @see Duende documentation, "API Resources", "Requesting Tokens", "IdentityServer Options"
 */
import type { Profile } from '../profile.js'
import { RFC9068 } from './rfc9068.js'

export const DUENDE: Profile = {
  ...RFC9068,
  requiredClaims: ['iss', 'exp', 'aud', 'client_id', 'iat'],
  roleClaims: ['role', 'roles'],
}
