/**
 * The `cnf` claim: what a token is bound to. A binding that cannot be enforced whole is no binding: such a
 * token is refused, never taken for one that anybody may bear.
 *
 * @see RFC 7800 §3.1
 * @see RFC 9449 §6, RFC 8705 §3.1, §3.2
 */
import type { TokenFacts } from '../access-token.js'
import { invalidToken } from '../errors.js'

/** The ways to confirm that are enforced here. */
const ENFORCED = new Set(['jkt', 'x5t#S256'])

/**
 * @param cnf undefined where the token has none
 * @throws InvalidTokenError `sender_constraint_unsupported`
 */
export function toBinding(cnf: unknown, issuer: string): Pick<TokenFacts, 'scheme' | 'confirmation'> {
  if (cnf === undefined) return { scheme: 'Bearer' }
  const members = typeof cnf === 'object' && cnf !== null ? Object.entries(cnf) : []
  const isEnforced = ([name, value]: [string, unknown]) => ENFORCED.has(name) && typeof value === 'string'
  if (members.length === 0 || !members.every(isEnforced)) {
    throw invalidToken('sender_constraint_unsupported', { issuer, name: 'cnf', found: cnf })
  }
  const confirmation = Object.fromEntries(members) as NonNullable<TokenFacts['confirmation']>
  return { scheme: confirmation.jkt === undefined ? 'Bearer' : 'DPoP', confirmation }
}
