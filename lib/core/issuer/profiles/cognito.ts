/**
 * Amazon Cognito user pools.
 *
 * Relaxes: there is no `typ`, and no `aud` unless the client asked for a resource, so that the audience is the
 * client: write the identifiers of the app clients as `audience`.
 * Checks instead: `token_use`, which is `access` in access tokens and `id` in ID tokens.
 * Roles: `cognito:groups`.
 *
 * @see Amazon Cognito Developer Guide, "Understanding the access token", "Understanding the identity (ID) token"
 */
import type { Profile } from '../profile.js'
import { RFC9068 } from './rfc9068.js'

export const COGNITO: Profile = {
  ...RFC9068,
  types: ['', 'jwt'],
  requiredClaims: ['iss', 'exp', 'sub', 'client_id', 'iat', 'jti'],
  audienceClaim: 'client_id',
  tokenUse: { claim: 'token_use', value: 'access' },
  roleClaims: ['cognito:groups'],
  permissionClaims: [],
}
