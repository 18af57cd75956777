/**
 * The opaque tokens that the test issuer knows, each with its introspection answer.
 *
 * @see RFC 7662 §2.2
 */
import { randomBytes } from 'node:crypto'
import { type GrantOptions, toGrant } from './grants.js'

export interface OpaqueOptions extends GrantOptions {
  /** The token itself, for instance one with dots in it. Default: random. */
  readonly token?: string
  /** Added to the introspection answer or put in place of it; `undefined` leaves a member out. */
  readonly response?: Readonly<Record<string, unknown>>
}

export interface OpaqueTokens {
  readonly issue: (options?: OpaqueOptions) => string
  readonly revoke: (token: string) => void
  readonly introspect: (token: string) => Readonly<Record<string, unknown>>
}

export function createOpaqueTokens(issuer: string, audience: string | readonly string[]): OpaqueTokens {
  const answers = new Map<string, Readonly<Record<string, unknown>>>()

  return {
    issue(options = {}) {
      const token = options.token ?? randomBytes(32).toString('base64url')
      const grant = toGrant(options, issuer, audience)
      answers.set(token, { active: true, token_type: 'Bearer', ...grant, ...options.response })
      return token
    },
    revoke(token) {
      answers.delete(token)
    },
    introspect: (token) => answers.get(token) ?? { active: false },
  }
}
