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
  /** Where the end of a session of the client `spa` is told. */
  registerBackchannelLogout(uri: string): void
  logOut(session: { readonly sub: string; readonly sid: string }): Promise<void>
}

export function startAuthorizationServer(options?: {
  readonly port?: number
  readonly path?: string
}): Promise<AuthorizationServer>
