/** The demo, as a stranger starts it. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startProgram, stopAllPrograms, type Program } from '../support/processes.js'

const DEMO = 'examples/demo/start.mjs'
const STAYS_UP = /Both servers stay up until Ctrl-C/

/** In front of the demo's own requests: the API seems to let a POST pass whose token lacks the scope. */
const LENIENT_API = `
  const { fetch } = globalThis
  globalThis.fetch = async (url, options) => {
    const response = await fetch(url, options)
    if (response.status !== 403) return response
    return new Response(await response.text(), { status: 201, headers: response.headers })
  }`

// the transcript waits for tokens to end: seconds that the three runs spend side by side
describe('npm start', () => {
  let taken: readonly Server[]
  let onPorts: Program
  let differing: Program
  let staying: Program

  beforeAll(async () => {
    // if somebody else has them, they are taken as well
    taken = await Promise.all([4000, 4010].map(occupy))
    onPorts = startProgram(process.execPath, [DEMO, '--once'])
    differing = startProgram(process.execPath, [
      '--import',
      `data:text/javascript,${encodeURIComponent(LENIENT_API)}`,
      DEMO,
      '--once',
    ])
    staying = startProgram(process.execPath, [DEMO])
  })

  afterAll(() => {
    stopAllPrograms()
    for (const server of taken) server.close()
  })

  it('-- --once ends with 0 after the transcript, on free ports if the usual ones are taken', async () => {
    expect(await onPorts.exited).toEqual({ code: 0, signal: null })
    expect(onPorts.output()).toMatch(/(\d+) of \1 requests were answered as announced\./)
    expect(onPorts.output()).not.toMatch(/127\.0\.0\.1:(?:4000|4010)\b/)
  })

  it('-- --once ends with 1 if a request is not answered as announced, and says which', async () => {
    expect(await differing.exited).toEqual({ code: 1, signal: null })
    expect(differing.output()).toContain('not as announced: status should be 403, is 201')
    expect(differing.output()).toContain('differs: 6. A missing scope')
  })

  it('stays up for requests of the reader, pasted from the transcript, until Ctrl-C', async () => {
    await staying.printed(STAYS_UP)
    const [, opaque = ''] = /export OPAQUE=(\S+)/.exec(staying.output()) ?? []
    const [, origin = ''] = /Protected API\s+(\S+)/.exec(staying.output()) ?? []
    const response = await fetch(`${origin}/orders`, { headers: { authorization: `Bearer ${opaque}` } })
    expect(await response.json()).toMatchObject({ orders: ['tea', 'biscuits'], format: 'opaque' })

    expect(await staying.stop('SIGINT')).toEqual({ code: 0, signal: null })
    await expect(fetch(origin)).rejects.toThrow('fetch failed')
  })
})

describe('the transcript', () => {
  it('is as announced only if every request was', async () => {
    const api = createServer((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}'),
    )
    await once(api.listen(0, '127.0.0.1'), 'listening')
    const { port } = api.address() as { port: number }
    const silent = startProgram(process.execPath, [
      '--input-type=module',
      '--eval',
      `import { createTranscript } from './examples/demo/transcript.mjs'
       const transcript = createTranscript({ origin: 'http://127.0.0.1:${port}' })
       await transcript.request('fits', { status: 200 })
       console.log('so far', transcript.end())
       await transcript.request('does not', { status: 401, challenge: 'Bearer' })
       console.log('then', transcript.end())`,
    ])
    await silent.exited
    api.close()
    expect(silent.output()).toContain('so far true')
    expect(silent.output()).toContain('then false')
    expect(silent.output()).toContain('challenge should be Bearer, is undefined')
  })
})

/** Resolves when it listens, or when it is clear that somebody else does. */
async function occupy(port: number): Promise<Server> {
  const server = createServer()
  await new Promise<unknown>((resolve) =>
    server.once('listening', resolve).once('error', resolve).listen(port, '127.0.0.1'),
  )
  return server
}
