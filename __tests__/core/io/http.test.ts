import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createSocketServer, type AddressInfo, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { Agent } from 'undici'
import {
  createHttpClient,
  HttpFailure,
  isJsonType,
  parseRetryAfter,
  type HttpClient,
  type HttpRequest,
} from '../../../lib/core/io/http.js'

let server: Server
let client: HttpClient
let answer: RequestListener
let received: IncomingMessage[]

beforeEach(async () => {
  received = []
  answer = (_request, response) => response.end('{}')
  server = createServer((request, response) => {
    received.push(request)
    request.resume()
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  client = createHttpClient()
})
afterEach(async () => {
  await client.close()
  server.closeAllConnections()
  server.close()
})

const addressOf = (of: { address(): unknown } = server) =>
  `http://127.0.0.1:${(of.address() as AddressInfo).port}`
const send = ({ url = `${addressOf()}/path?secret=1`, ...request }: Partial<HttpRequest> = {}) =>
  client.send({
    url,
    method: 'POST',
    headers: {},
    body: 'token=x',
    timeoutMs: 5000,
    maxBytes: 1000,
    ...request,
  })
const failureOf = async (sent: Promise<unknown>) => {
  const error: unknown = await sent.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(HttpFailure)
  return error as HttpFailure
}

describe('createHttpClient', () => {
  it('sends what it is given and returns what it gets, whatever the status', async () => {
    answer = (request, response) => {
      response.writeHead(418, { 'X-Odd': 'yes', 'content-type': 'text/plain' })
      response.end(`${request.method} ${request.url} ${request.headers['accept-encoding']}`)
    }
    const response = await send({ headers: { 'x-mine': 'mine' } })
    expect(response).toMatchObject({
      status: 418,
      headers: { 'x-odd': 'yes' },
      body: 'POST /path?secret=1 identity',
    })
    expect(received[0]?.headers).toMatchObject({ 'content-length': '7', 'x-mine': 'mine' })
  })

  it('sends a GET without a body', async () => {
    await client.send({ url: addressOf(), method: 'GET', headers: {}, timeoutMs: 5000, maxBytes: 10 })
    expect(received[0]?.method).toBe('GET')
    expect(received[0]?.headers['content-length']).toBeUndefined()
  })

  it('keeps connections alive', async () => {
    const sockets = new Set<Socket>()
    server.on('connection', (socket) => sockets.add(socket))
    for (let time = 0; time < 20; time += 1) await send()
    // the pool may take a second one while the first is being put back
    expect(sockets.size).toBeLessThanOrEqual(2)
  })

  it('does not follow redirects', async () => {
    answer = (_request, response) => response.writeHead(302, { location: '/elsewhere' }).end()
    expect(await send()).toMatchObject({ status: 302 })
    expect(received.map(({ url }) => url)).toEqual(['/path?secret=1'])
  })

  it('reads a body that comes in pieces, and passes over early hints', async () => {
    answer = (_request, response) => {
      response.writeEarlyHints({ link: '</x>; rel=preload' })
      response.write('{"a":"')
      response.write(Buffer.from('é').subarray(0, 1))
      response.end(Buffer.concat([Buffer.from('é').subarray(1), Buffer.from('"}')]))
    }
    expect(await send()).toMatchObject({ status: 200, body: '{"a":"é"}' })
  })

  it('reads no body where there is none', async () => {
    answer = (_request, response) => response.writeHead(204).end()
    expect(await send()).toMatchObject({ status: 204, body: '' })
  })

  it('goes through a dispatcher of the user’s and leaves it open', async () => {
    const dispatcher = new Agent({ headersTimeout: 4000 })
    const through = createHttpClient(dispatcher)
    const request: HttpRequest = {
      url: addressOf(),
      method: 'GET',
      headers: {},
      timeoutMs: 5000,
      maxBytes: 10,
    }
    await through.send(request)
    await through.close()
    expect(dispatcher.closed).toBe(false)
    expect(await through.send(request)).toMatchObject({ status: 200 })
    await dispatcher.close()
  })

  it('fails after it was closed', async () => {
    await send()
    await client.close()
    expect(await failureOf(send())).toMatchObject({ kind: 'connection' })
  })

  it('can be closed without having been used', async () => {
    await expect(client.close()).resolves.toBeUndefined()
  })
})

describe('the deadline', () => {
  const hangUp = (response: ServerResponse) => once(response, 'close')

  it('covers a server that does not answer, and hangs up', async () => {
    let closed: Promise<unknown> | undefined
    answer = (_request, response) => {
      closed = hangUp(response)
    }
    const failure = await failureOf(send({ timeoutMs: 50 }))
    expect(failure).toMatchObject({
      kind: 'timeout',
      message: `${addressOf()}/path did not answer within 50 ms`,
    })
    await closed
  })

  it('covers a body that trickles, and hangs up', async () => {
    let closed: Promise<unknown> | undefined
    answer = (_request, response) => {
      const dripping = setInterval(() => response.write(' '), 10)
      closed = hangUp(response).finally(() => clearInterval(dripping))
    }
    expect(await failureOf(send({ timeoutMs: 80 }))).toMatchObject({ kind: 'timeout' })
    await closed
  })

  it('covers the wait for a connection, and does not send what nobody waits for', async () => {
    const release: (() => void)[] = []
    answer = (_request, response) => release.push(() => response.end('{}'))
    const dispatcher = new Agent({ connections: 1 })
    const through = createHttpClient(dispatcher)
    const request: HttpRequest = {
      url: addressOf(),
      method: 'GET',
      headers: {},
      timeoutMs: 5000,
      maxBytes: 10,
    }
    const first = through.send(request)
    await once(server, 'request')
    expect(await failureOf(through.send({ ...request, timeoutMs: 30 }))).toMatchObject({ kind: 'timeout' })
    release.shift()?.()
    await first
    const third = through.send({ ...request, url: `${request.url}/third` })
    await once(server, 'request')
    release.shift()?.()
    await third
    expect(received.map(({ url }) => url)).toEqual(['/', '/third'])
    await dispatcher.close()
  })
})

describe('what is no answer', () => {
  it('is a server that is not there', async () => {
    const url = addressOf()
    server.close()
    await once(server, 'close')
    const failure = await failureOf(send({ url: `${url}/x?secret=1` }))
    expect(failure).toMatchObject({
      kind: 'connection',
      message: `${url}/x could not be reached (ECONNREFUSED)`,
    })
  })

  it('is a connection that breaks', async () => {
    answer = (request) => request.socket.resetAndDestroy()
    expect(await failureOf(send())).toMatchObject({ kind: 'connection' })
    expect(received).toHaveLength(1)
  })

  it('is half a body', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"half":', () => response.destroy())
    }
    expect(await failureOf(send())).toMatchObject({ kind: 'connection' })
  })

  it('is half a body in pieces', async () => {
    answer = (_request, response) => response.write('{"half":', () => response.destroy())
    await send().then(
      () => expect('an answer').toBe('none'),
      (error: unknown) => expect(error).toMatchObject({ kind: 'connection' }),
    )
  })

  it('is more than the limit, declared or not, and it hangs up', async () => {
    answer = (_request, response) => response.end('x'.repeat(1001))
    expect(await failureOf(send())).toMatchObject({ kind: 'too_large' })
    answer = (_request, response) => {
      const pour = () => {
        while (response.writable && response.write('x'.repeat(4096)));
      }
      response.on('drain', pour)
      pour()
    }
    expect(await failureOf(send())).toMatchObject({ kind: 'too_large' })
    answer = (_request, response) => response.end('x'.repeat(1000))
    expect((await send()).body).toHaveLength(1000)
  })

  it('is what is not UTF-8: packed, or in another charset', async () => {
    answer = (_request, response) => {
      response.setHeader('content-encoding', 'gzip')
      response.end(gzipSync('{"active":true}'))
    }
    expect(await failureOf(send())).toMatchObject({ kind: 'not_utf8' })
    answer = (_request, response) => response.end(Buffer.from('{"sub":"André"}', 'latin1'))
    expect(await failureOf(send())).toMatchObject({ kind: 'not_utf8' })
  })

  it('is not an error page in another charset: its status is the answer', async () => {
    answer = (_request, response) => response.writeHead(500).end(Buffer.from('André', 'latin1'))
    expect(await send()).toMatchObject({ status: 500 })
  })

  it('is what is not HTTP', async () => {
    const other = createSocketServer((socket) => socket.end('SSH-2.0-nothing here\r\n\r\n'))
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    expect(await failureOf(send({ url: addressOf(other) }))).toMatchObject({ kind: 'connection' })
    other.close()
  })
})

describe('a second attempt', () => {
  it('is made when a connection that worked is lost before an answer', async () => {
    await send()
    let isFirst = true
    answer = (request, response) => {
      if (isFirst) request.socket.resetAndDestroy()
      else response.end('{"second":true}')
      isFirst = false
    }
    expect((await send()).body).toBe('{"second":true}')
    expect(received).toHaveLength(3)
  })

  it('is the last one', async () => {
    await send()
    answer = (request) => request.socket.destroy()
    expect(await failureOf(send())).toMatchObject({ kind: 'connection' })
    expect(received).toHaveLength(3)
  })

  it('keeps to the deadline of the first', async () => {
    await send()
    answer = (request) => {
      answer = () => undefined
      request.socket.resetAndDestroy()
    }
    expect(await failureOf(send({ timeoutMs: 60 }))).toMatchObject({ kind: 'timeout' })
    expect(received).toHaveLength(3)
  })

  it('is not made once an answer has begun', async () => {
    await send()
    answer = (_request, response) => response.write('{"half":', () => response.destroy())
    expect(await failureOf(send())).toMatchObject({ kind: 'connection' })
    expect(received).toHaveLength(2)
  })
})

describe('parseRetryAfter', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')

  it.each([
    ['120', 120],
    ['0', 0],
    ['Thu, 01 Jan 2026 00:01:30 GMT', 90],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    ['1e3', undefined],
    [undefined, undefined],
    [['1', '2'], undefined],
  ])('reads %j as %j', (value, seconds) => {
    expect(parseRetryAfter(value, now)).toBe(seconds)
  })
})

describe('isJsonType', () => {
  it.each([
    ['application/json', true],
    ['Application/JSON; charset=utf-8', true],
    ['application/problem+json', true],
    ['application/jsonp', false],
    ['text/html', false],
    ['text/json', false],
    [undefined, false],
    [['application/json'], false],
  ])('says of %j %j', (type, isJson) => {
    expect(isJsonType(type)).toBe(isJson)
  })
})
