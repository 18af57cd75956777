/**
 * Do the token's roles and permissions cover what a request needs? Whole values, case-sensitive. Where they
 * stand in a token is a matter of the issuer's profile.
 */
import type { AccessToken } from '../access-token.js'
import { InsufficientScopeError, refuse, type RefusalReason } from '../errors.js'

/** @throws InsufficientScopeError `insufficient_role` unless the token has one of the roles */
export function validateAnyRole(accessToken: AccessToken, roles: readonly string[]): void {
  if (roles.some((role) => accessToken.roles.includes(role))) return
  throw insufficient('insufficient_role', accessToken, roles, accessToken.roles)
}

/** @throws InsufficientScopeError `insufficient_permission` unless the token has every permission */
export function validateAllPermissions(accessToken: AccessToken, permissions: readonly string[]): void {
  if (permissions.every((permission) => accessToken.permissions.includes(permission))) return
  throw insufficient('insufficient_permission', accessToken, permissions, accessToken.permissions)
}

/** The challenge names neither: a client cannot ask the authorization server for a role. */
function insufficient(
  reason: RefusalReason,
  { issuer }: AccessToken,
  expected: readonly string[],
  found: readonly string[],
): InsufficientScopeError {
  const name = reason === 'insufficient_role' ? 'roles' : 'permissions'
  return refuse(() => new InsufficientScopeError(reason, { issuer, name, expected, found }))
}
