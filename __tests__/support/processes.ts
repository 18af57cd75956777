/** Programs run as a reader of the documentation runs them: processes of their own, watched by what they print. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Program {
  /** Everything printed so far, errors included. */
  output(): string
  /** Resolves with the first match in the output. @throws Error if the program ends without one */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  readonly exited: Promise<Exit>
  stop(signal?: NodeJS.Signals): Promise<Exit>
}

const running = new Set<ChildProcess>()

/** Starts a program in the root of the project, with these variables added to the environment. */
export function startProgram(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Program {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let text = ''
  const watchers = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      for (const look of watchers) look()
    })
  }
  const exited = once(child, 'close').then(([code, signal]): Exit => {
    running.delete(child)
    return { code: code as number | null, signal: signal as NodeJS.Signals | null }
  })

  return {
    output: () => text,
    exited,
    printed(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(text)
          if (!match) return
          watchers.delete(look)
          resolve(match)
        }
        watchers.add(look)
        look()
        exited.then(
          () => reject(new Error(`ended without printing ${String(pattern)}:\n${text}`)),
          (error: unknown) => reject(error),
        )
      })
    },
    stop(signal = 'SIGTERM') {
      child.kill(signal)
      return exited
    },
  }
}

/** For `afterAll`: whatever a failed test has left running. */
export function stopAllPrograms(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** Starts one of the examples on a free port. @returns with the origin that it says it listens on */
export async function startExample(
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<Program & { readonly origin: string }> {
  const program = startProgram(process.execPath, [`examples/${file}`], { PORT: '0', ...env })
  const [, origin = ''] = await program.printed(/^listening on (\S+)$/m)
  return { ...program, origin }
}
