/**
 * An authorization server in a process of its own, with a clock of its own, told by messages what to do.
 * (In the realm that Jest makes, several of them do not take their own keys for plain objects.)
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'

export interface ServerProcess<Started> {
  /** What it said when it was ready. */
  readonly started: Started
  /** Has it do something. @returns what that returned */
  tell(method: string, argument?: unknown): Promise<unknown>
  close(): Promise<void>
}

export async function startServerProcess<Started>(
  file: string,
  options: object = {},
): Promise<ServerProcess<Started>> {
  const child = fork(`__tests__/interop/${file}`, [JSON.stringify(options)])
  const exited = once(child, 'exit')
  const [started] = (await Promise.race([once(child, 'message'), exited.then(failed)])) as [Started]

  return {
    started,
    async tell(method, argument) {
      const answered = once(child, 'message')
      child.send({ method, argument })
      const [answer] = (await Promise.race([answered, exited.then(failed)])) as [unknown]
      return answer
    },
    async close() {
      child.disconnect()
      await exited
    },
  }

  function failed(): never {
    throw new Error(`${file} has ended`)
  }
}
