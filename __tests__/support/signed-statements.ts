/** Statements as an authorization server signs them, right by default and wrong where a test says so. */
import { randomUUID } from 'node:crypto'
import type { MintOptions, TestIssuer } from '../../lib/testing/test-issuer.js'

type Claims = Readonly<Record<string, unknown>>

const ACCESS_TOKEN_CLAIMS = { sub: undefined, client_id: undefined, scope: undefined }

export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

export function mintLogoutToken(as: TestIssuer, claims: Claims = {}, options: MintOptions = {}): string {
  return as.mintJwt({
    ...options,
    header: { typ: 'logout+jwt', ...options.header },
    claims: { ...ACCESS_TOKEN_CLAIMS, aud: 'rs', events: { [LOGOUT_EVENT]: {} }, ...claims },
  })
}

export function mintSecurityEvent(as: TestIssuer, claims: Claims, options: MintOptions = {}): string {
  return as.mintJwt({
    ...options,
    header: { typ: 'secevent+jwt', ...options.header },
    claims: { ...ACCESS_TOKEN_CLAIMS, exp: undefined, jti: randomUUID(), ...claims },
  })
}
