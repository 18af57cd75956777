/** Every command of `examples/README.md`, run as a reader runs it, answered as the page says. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../examples/demo/authorization-server.mjs'
import { requestToken } from '../../examples/demo/tokens.mjs'
import { startExample, stopAllPrograms } from '../support/processes.js'

const run = promisify(execFile)
const page = readFileSync('examples/README.md', 'utf8')

interface Step {
  readonly command: string
  readonly answer: readonly string[]
}

interface Section {
  readonly title: string
  readonly file: string
  readonly steps: readonly Step[]
  /** What the example prints, where the page shows it. */
  readonly printed: string | undefined
}

const tokenCommands = /```sh\n(token\(\) \{[^]*?)```/.exec(page)?.[1] ?? ''
const sections = page.split(/^## /m).slice(1).map(toSection)

function toSection(text: string): Section {
  const [, console = ''] = /```console\n([^]*?)```/.exec(text) ?? []
  const [start, ...steps] = console.split(/^\$ /m).slice(1).map(toStep)
  const [, printed] = /```text\n([^]*?)\n```/.exec(text) ?? []
  return {
    title: text.split('\n')[0] ?? '',
    file: (start?.command ?? '').replace('node examples/', ''),
    steps,
    printed,
  }
}

function toStep(text: string): Step {
  const [command = '', ...answer] = text.trimEnd().split('\n')
  return { command, answer }
}

/** What the page shows, as a pattern: `…` stands for anything. */
function toPattern(shown: string): RegExp {
  const literal = shown.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${literal.join('[^]*')}$`)
}

let authorizationServer: AuthorizationServer
let partner: AuthorizationServer

beforeAll(async () => {
  authorizationServer = await startAuthorizationServer()
  partner = await startAuthorizationServer()
})

afterAll(async () => {
  stopAllPrograms()
  await authorizationServer.stop()
  await partner.stop()
})

describe('examples/README.md', () => {
  it('tells of every example', () => {
    const files = readdirSync('examples').filter((name) => /^\d\d-.*\.mjs$/.test(name))
    expect(sections.map(({ file }) => file)).toEqual(files.sort())
  })

  it.each(sections)('$title: answers as shown', async ({ file, steps, printed }) => {
    const example = await startExample(file, {
      ISSUER: authorizationServer.issuer,
      PARTNER_ISSUER: partner.issuer,
    })
    // the ports of the page, for those of this test
    const here: readonly [string, string][] = [
      ['127.0.0.1:3000', new URL(example.origin).host],
      ['127.0.0.1:4010', new URL(authorizationServer.origin).host],
      ['127.0.0.1:4011', new URL(partner.origin).host],
    ]
    const move = (text: string, direction: 'there' | 'back') =>
      here.reduce(
        (moved, [page, test]) =>
          direction === 'there' ? moved.replaceAll(page, test) : moved.replaceAll(test, page),
        text,
      )

    const script = [
      tokenCommands,
      ...steps.flatMap(({ command }) => [command, 'echo; echo "=== end of answer"']),
    ]
    const { stdout } = await run('bash', ['-euc', move(script.join('\n'), 'there')])
    const answers = move(stdout, 'back').replaceAll('\r\n', '\n').split('\n=== end of answer\n')

    expect(steps.length).toBeGreaterThan(1)
    for (const [index, { answer }] of steps.entries()) {
      expect((answers[index] ?? '').trim()).toMatch(toPattern(answer.join('\n')))
    }
    if (printed !== undefined) {
      const shown = move(printed, 'there').replace('(node:4711)', '(node:…)')
      // on its way through a pipe of its own, it may come after the answer
      await example.printed(new RegExp(toPattern(shown).source.slice(1, -1)))
    }
    const exit = await example.stop('SIGTERM')
    expect([exit.code, exit.signal]).toEqual(file.startsWith('03') ? [0, null] : [null, 'SIGTERM'])
  })
})

describe('03-both-with-scopes.mjs', () => {
  it('starts while the authorization server is down, answers 503, and recovers by itself', async () => {
    const token = await requestToken(partner.issuer, { resource: 'https://api.example.com' })
    await partner.stop()
    const example = await startExample('03-both-with-scopes.mjs', { ISSUER: partner.issuer })
    const ask = () => fetch(`${example.origin}/orders`, { headers: { authorization: `Bearer ${token}` } })
    const down = await ask()
    expect(down.status).toBe(503)
    expect(example.output()).toContain('metadata_unavailable')

    await partner.start()
    await pause(Number(down.headers.get('retry-after')) * 1000) // what a client is told to do
    expect((await ask()).status).toBe(200)
  })
})
