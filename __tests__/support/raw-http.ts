/** Requests byte for byte, for what a well-behaved client would never send, and answers as they come. */
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'

export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly text: string
}

export interface RawServer {
  readonly port: number
  /** Sends `head` (lines without the final empty one) and a body, and waits until the server has closed. */
  readonly send: (lines: readonly string[], body?: string) => Promise<RawAnswer>
  readonly close: () => Promise<void>
}

export async function listenRaw(listener: RequestListener): Promise<RawServer> {
  const server: Server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    send: (lines, body = '') =>
      exchange(port, `${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`),
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

async function exchange(port: number, request: string): Promise<RawAnswer> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  // latin1, so that any byte can be sent; half-closed, Node's server would give up the answer
  socket.write(request, 'latin1')
  socket.setTimeout(5000, () =>
    socket.destroy(new Error(`no answer to ${JSON.stringify(request.slice(0, 200))}`)),
  )
  await once(socket, 'close')
  return parseAnswer(Buffer.concat(chunks).toString('latin1'))
}

function parseAnswer(text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers: Record<string, string | string[]> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const earlier = headers[name]
    headers[name] = earlier === undefined ? value : [earlier, value].flat()
  }
  return { status: Number(statusLine.split(' ')[1]), headers, text: rest.join('\r\n\r\n') }
}
