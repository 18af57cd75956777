/** Types for the tests. */
import type { JsonWebKey } from 'node:crypto'

export interface AuthorizationServer {
  readonly issuer: string
  readonly origin: string
  /** Private, of the client `rs-jwt`. */
  readonly clientKey: JsonWebKey & { readonly kid: string }
  start(): Promise<string>
  stop(): Promise<void>
  rotateKeys(options?: { readonly keep?: boolean }): void
}

export function startAuthorizationServer(options?: {
  readonly port?: number
  readonly path?: string
}): Promise<AuthorizationServer>
