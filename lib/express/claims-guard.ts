/** A guard that holds the claims of a good token to a schema: what a route needs beyond what the API does. */
import { createClaimsCheck, isStandardSchema, type ClaimsSchema } from '../core/claims-schema.js'
import { ConfigurationError, InsufficientScopeError, refuse } from '../core/errors.js'
import { createGuard, type Guard } from './guard.js'

/**
 * Lets requests pass whose token's claims the schema accepts; `req.auth` stays as it is. The refusal is 403 and
 * says nothing of the claims to the client, and their paths to the operator.
 *
 * @param schema any Standard Schema (zod, valibot, arktype …) that decides at once
 * @throws ConfigurationError while building, if it is none
 * @example app.get('/reports', requireClaims(z.object({ plan: z.literal('enterprise') })), listReports)
 */
export function requireClaims(schema: ClaimsSchema): Guard {
  if (!isStandardSchema(schema)) {
    throw new ConfigurationError(
      'requireClaims',
      `requireClaims: needs a Standard Schema (zod, valibot, arktype …). Write requireClaims(z.object({ … }))`,
    )
  }
  const check = createClaimsCheck(schema, 'requireClaims')
  const requirement = { name: 'requireClaims', summary: 'claims of a schema', scopes: [] }
  return createGuard([requirement], ({ accessToken: { claims, issuer } }) => {
    const found = check(claims)
    if (!('issues' in found)) return
    const evidence = { issuer, name: 'claims', found: found.issues }
    throw refuse(() => new InsufficientScopeError('claim_mismatch', evidence))
  })
}
