/** The embedded authorization server of the demo, in a process of its own. */
import type { AuthorizationServer } from '../../examples/demo/authorization-server.mjs'
import { startServerProcess } from './server-process.js'

export interface AuthorizationServerProcess extends Pick<
  AuthorizationServer,
  'issuer' | 'origin' | 'clientKey'
> {
  start(): Promise<unknown>
  stop(): Promise<unknown>
  rotateKeys(options?: { readonly keep?: boolean }): Promise<unknown>
  /** Ends the process. */
  close(): Promise<void>
}

export async function startAuthorizationServer(
  options: { readonly path?: string } = {},
): Promise<AuthorizationServerProcess> {
  const server = await startServerProcess<AuthorizationServer>('authorization-server-process.mjs', options)
  return {
    ...server.started,
    start: () => server.tell('start'),
    stop: () => server.tell('stop'),
    rotateKeys: (argument) => server.tell('rotateKeys', argument),
    close: () => server.close(),
  }
}
