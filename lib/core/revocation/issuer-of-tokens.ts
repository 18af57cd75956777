/** What revocation knows of an issuer whose tokens are accepted. */
import type { KeySource } from '../issuer/jwks.js'
import type { Introspect } from './suspects.js'

export interface IssuerOfTokens {
  readonly name: string
  readonly aliases: readonly string[]
  readonly keys: KeySource
  readonly introspect: Introspect | undefined
  readonly introspectionTimeoutMs: number
  /** The client that this API is at this issuer, where it introspects. */
  readonly clientId: string | undefined
  readonly allowInsecureHttp: boolean
}
