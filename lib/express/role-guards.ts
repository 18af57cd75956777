/**
 * Guards by role and permission, wherever the authorization server writes them.
 *
 * @see RFC 9068 §2.2.3.1; each profile for where its server writes them
 */
import { validateAllPermissions, validateAnyRole } from '../core/authorization/roles.js'
import { ConfigurationError } from '../core/errors.js'
import { createGuard, type Guard } from './guard.js'

/**
 * Lets requests pass whose token has this role: `realm_access.roles` and this API's `resource_access` of
 * Keycloak, `roles` of Entra, `cognito:groups` of Cognito …, as the issuer's `profile` says.
 *
 * The refusal is 403 and does not name the role to the client.
 *
 * @param role compared whole and case-sensitively
 * @throws ConfigurationError while building, if it is no string or empty
 * @example app.delete('/orders/:id', requireRole('orders-admin'), deleteOrder)
 */
export function requireRole(role: string): Guard {
  return createRoleGuard('requireRole', [role])
}

/**
 * Lets requests pass whose token has *at least one* of these roles.
 *
 * @throws ConfigurationError while building, if there is none or one is no string or empty
 */
export function requireAnyRole(...roles: string[]): Guard {
  return createRoleGuard('requireAnyRole', roles)
}

/**
 * Lets requests pass whose token has *all* of these permissions: `permissions` of Auth0 and Entra …, as the
 * issuer's `profile` says. The refusal is 403 and does not name them to the client.
 *
 * @throws ConfigurationError while building, if there is none or one is no string or empty
 */
export function requirePermission(...permissions: string[]): Guard {
  assertNames('requirePermission', permissions)
  const requirement = {
    name: 'requirePermission',
    summary: `all permissions of: ${permissions.join(' ')}`,
    scopes: [],
  }
  return createGuard([requirement], ({ accessToken }) => validateAllPermissions(accessToken, permissions))
}

function createRoleGuard(name: string, roles: readonly string[]): Guard {
  assertNames(name, roles)
  const summary = `any role of: ${roles.join(' ')}`
  return createGuard([{ name, summary, scopes: [] }], ({ accessToken }) =>
    validateAnyRole(accessToken, roles),
  )
}

function assertNames(name: string, given: readonly unknown[]): void {
  const wrong = given.find((value) => typeof value !== 'string' || value === '')
  if (given.length > 0 && wrong === undefined) return
  const received = given.length === 0 ? 'none' : JSON.stringify(wrong)
  throw new ConfigurationError(
    name,
    `${name}: needs at least one name, each a string that is not empty, received ${received}. ` +
      `Write ${name}('admin')`,
  )
}
