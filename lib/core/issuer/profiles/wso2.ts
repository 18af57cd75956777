/**
 * WSO2 Identity Server and Asgardeo.
 *
 * Relaxes: the client may be in `azp`; opaque tokens of users have a `username` and no `sub`; introspection calls
 * a self-contained access token `JWT`.
 * Checks instead: nothing has to be, `typ` is `at+jwt` in access tokens, `rt+jwt` in refresh tokens and `jwt` in
 * subject and ID tokens; introspection calls refresh tokens `Refresh`, which is refused.
 * Roles: `roles` and `groups`, where the application requests these attributes.
 *
 * @see WSO2 Identity Server documentation, "Access tokens", "Token validation by resource server"
 * @see wso2-extensions/identity-inbound-auth-oauth, `JWTTokenIssuer`, `IntrospectionResponseBuilder`
 */
import type { Profile } from '../profile.js'
import { RFC9068 } from './rfc9068.js'

export const WSO2: Profile = {
  ...RFC9068,
  requiredClaims: ['iss', 'exp', 'aud', 'sub', 'iat', 'jti'],
  clientIdClaims: ['client_id', 'azp'],
  subjectClaims: ['sub', 'username'],
  roleClaims: ['roles', 'groups'],
  introspectionTokenTypes: ['jwt'],
}
