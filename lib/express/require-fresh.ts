/**
 * A guard for routes that want to know it better than the rest: freshness is a property of the route. Reads
 * live with a minute, a payment wants none.
 */
import { ConfigurationError } from '../core/errors.js'
import { createGuard, type Guard } from './guard.js'

/**
 * Lets requests pass whose token was not revoked, by knowledge at most so old. Where the feeds do not prove
 * that, the authorization server is asked (also about JWTs, and about opaque tokens whose answer is kept),
 * simultaneous requests with one token together. Where it cannot be asked, 503 `revocation_not_checked`.
 *
 * @param options `maxLagSeconds`: 0 asks the authorization server on each request; limits 0 to 86400. An
 * authorization server that does not introspect JWTs calls them inactive: they are refused then
 * @throws ConfigurationError while building, if it is no such number
 * @example app.post('/payments', requireScopes('pay'), requireFresh({ maxLagSeconds: 0 }), pay)
 */
export function requireFresh(options: { readonly maxLagSeconds: number }): Guard {
  const maxLagSeconds: unknown = (options as Partial<typeof options> | undefined)?.maxLagSeconds
  if (typeof maxLagSeconds !== 'number' || !(maxLagSeconds >= 0 && maxLagSeconds <= 86_400)) {
    throw new ConfigurationError(
      'requireFresh',
      `requireFresh: maxLagSeconds must be a number from 0 to 86400, received ${JSON.stringify(maxLagSeconds)}. ` +
        `Write requireFresh({ maxLagSeconds: 0 })`,
    )
  }
  const summary = `revocation known within ${maxLagSeconds} s`
  return createGuard(
    [{ name: 'requireFresh', summary, scopes: [] }],
    async ({ accessToken, request, context }) => {
      request.auth = await context.revocation.checkFresh(accessToken, maxLagSeconds)
    },
  )
}
