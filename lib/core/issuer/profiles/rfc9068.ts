/**
 * The strict default: tokens as the standard wants them.
 *
 * Relaxes nothing. Tells access tokens from all others by `typ: at+jwt`.
 *
 * @see RFC 9068 §2.1, §2.2; §2.2.3.1 for roles and entitlements
 */
import type { Profile } from '../profile.js'

export const RFC9068: Profile = {
  types: ['at+jwt'],
  requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'],
  audienceClaim: 'aud',
  scopeClaims: ['scope'],
  clientIdClaims: ['client_id'],
  subjectClaims: ['sub'],
  roleClaims: ['roles'],
  permissionClaims: ['permissions', 'entitlements'],
}
