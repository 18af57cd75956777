/**
 * The embedded authorization server in a process of its own, with a clock of its own. (In the realm that
 * Jest makes it would not take keys for plain objects.)
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { AuthorizationServer } from '../../examples/demo/authorization-server.mjs'

export interface AuthorizationServerProcess extends Omit<AuthorizationServer, 'start' | 'rotateKeys'> {
  start(): Promise<void>
  rotateKeys(options?: { readonly keep?: boolean }): Promise<void>
  /** Ends the process. */
  close(): Promise<void>
}

export async function startAuthorizationServer(
  options: { readonly path?: string } = {},
): Promise<AuthorizationServerProcess> {
  const child = fork('__tests__/interop/authorization-server-process.mjs', [JSON.stringify(options)])
  const [started] = (await once(child, 'message')) as [AuthorizationServer]

  async function tell(method: 'start' | 'stop' | 'rotateKeys', argument?: unknown): Promise<void> {
    const done = once(child, 'message')
    child.send({ method, options: argument })
    await done
  }

  return {
    ...started,
    start: () => tell('start'),
    stop: () => tell('stop'),
    rotateKeys: (argument) => tell('rotateKeys', argument),
    async close() {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}
