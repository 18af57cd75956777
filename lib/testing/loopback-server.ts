/** A server on 127.0.0.1, over HTTP or HTTPS, that can go away and come back under the same address. */
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

export interface LoopbackServer {
  readonly origin: string
  readonly serve: (listener: RequestListener) => void
  /** Listens again on the same port; nothing if it does already. */
  readonly listen: () => Promise<void>
  /** Stops listening and breaks all connections; nothing if it has already. */
  readonly stop: () => Promise<void>
}

/** Certificate and key of a server, in PEM. */
export interface ServerTls {
  readonly cert: string
  readonly key: string
}

const HOST = '127.0.0.1'

/**
 * @param wanted port, or 0 for any free one.
 * @param tls with it, clients are also asked for a certificate, of whatever authority.
 */
export async function createLoopbackServer(wanted: number, tls?: ServerTls): Promise<LoopbackServer> {
  const server = tls
    ? createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: false })
    : createServer()
  await listenOn(server, wanted)
  const { port } = server.address() as AddressInfo

  return {
    origin: `${tls ? 'https' : 'http'}://${HOST}:${port}`,
    serve(listener) {
      server.on('request', listener)
    },
    async listen() {
      if (!server.listening) await listenOn(server, port)
    },
    async stop() {
      if (!server.listening) return
      await new Promise((resolve) => {
        server.close(resolve)
        server.closeAllConnections()
      })
    },
  }
}

function listenOn(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, HOST, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
