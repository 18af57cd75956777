/**
 * A guard for routes on which a stolen token must be worthless.
 *
 * @see RFC 9449, RFC 8705 §3; FAPI 2.0 Security Profile §5.3.4
 */
import { ConfigurationError, invalidToken } from '../core/errors.js'
import { createGuard, type Guard } from './guard.js'

/**
 * Lets requests pass whose token is bound to its sender: to a key (`'dpop'`), to a client certificate (`'mtls'`),
 * or, without an argument, to either. Else 401 `invalid_token`: the client needs another token.
 *
 * That the sender has the key or the certificate was checked by `resourceServer()`, for every bound token.
 *
 * @throws ConfigurationError while building, for any other argument
 * @example app.post('/payments', requireSenderConstrained('dpop'), requireScopes('payments'), pay)
 */
export function requireSenderConstrained(by?: 'dpop' | 'mtls'): Guard {
  assertBinding(by)
  const summary = `bound to its sender${by === undefined ? '' : ` by ${by}`}`
  const requirement = { name: 'requireSenderConstrained', summary, scopes: [] }

  return createGuard([requirement], ({ accessToken: { issuer, confirmation = {} } }) => {
    const isBound = {
      dpop: confirmation.jkt !== undefined,
      mtls: confirmation['x5t#S256'] !== undefined,
    }
    if (by === undefined ? isBound.dpop || isBound.mtls : isBound[by]) return
    throw invalidToken('sender_constraint_missing', { issuer, name: 'cnf', expected: by ?? 'dpop or mtls' })
  })
}

function assertBinding(by: unknown): void {
  if (by === undefined || by === 'dpop' || by === 'mtls') return
  throw new ConfigurationError(
    'requireSenderConstrained',
    `requireSenderConstrained: takes 'dpop', 'mtls' or nothing, received ${typeof by === 'string' ? JSON.stringify(by) : typeof by}. ` +
      `Write requireSenderConstrained('dpop')`,
  )
}
