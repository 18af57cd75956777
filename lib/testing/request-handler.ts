/** What the test issuer does with each request: reads it, records it, then answers it or fails as planned. */
import { createHash } from 'node:crypto'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type Answer, sendAnswer, toAnswer } from './answers.js'
import type { Faults } from './faults.js'
import type { EndpointName, RecordedRequest, RequestLog } from './request-log.js'

export interface Endpoint {
  readonly name: EndpointName
  readonly answer: (request: RecordedRequest) => Answer | Promise<Answer>
}

/** @param endpoints by address. */
export function createRequestHandler(
  endpoints: ReadonlyMap<string, Endpoint>,
  log: RequestLog,
  faults: Faults,
): RequestListener {
  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = incoming
    const { name, answer } = endpoints.get(withoutQuery(url)) ?? NOWHERE
    const certificateThumbprint = thumbprintOf(incoming.socket)
    const body = await readBody(incoming)
    const request = {
      method,
      path: name,
      url,
      headers,
      body,
      ...(certificateThumbprint && { certificateThumbprint }),
    }
    log.record(request)
    const exchange = { response, answer: async () => answer(request) }
    if (name === 'other') sendAnswer(response, await exchange.answer())
    else await faults.deliver(name, exchange)
  }

  return (incoming, response) => {
    handle(incoming, response).catch((error: unknown) => {
      // what a test passed in has thrown (an answer, a gate), or the client has gone, who will not read this
      if (response.headersSent) response.destroy()
      else sendAnswer(response, toAnswer({ status: 500, body: `the test issuer failed: ${String(error)}` }))
    })
  }
}

const NOWHERE: Endpoint = { name: 'other', answer: () => toAnswer({ status: 404 }) }

function withoutQuery(url: string): string {
  return url.split('?', 1)[0] ?? url
}

function thumbprintOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  // without a certificate Node gives an empty object
  const { raw } = socket.getPeerCertificate() as { raw?: Buffer }
  return raw && createHash('sha256').update(raw).digest('base64url')
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
