/** An Express API in front of which one resource server stands, and what its operator is told. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import express from 'express'
import {
  requireScopes,
  resourceServer,
  type ResourceServer,
  type ResourceServerEvent,
  type ResourceServerOptions,
} from '../../lib/index.js'

export const RESOURCE = 'https://api.example.com'

/** What the API answered, and the reason that the operator was told. */
export interface Answer {
  readonly status: number
  readonly reason: string | undefined
  readonly challenge: string | null
  readonly retryAfter: string | null
  /** What handlers see, where the token was accepted; the refusal else. */
  readonly body: Record<string, unknown>
}

export interface Api {
  readonly middleware: ResourceServer
  /** Told to the operator so far. */
  readonly events: readonly ResourceServerEvent[]
  /** Calls a route that any accepted token may use. */
  get(token?: string): Promise<Answer>
  /** Sends any request; the route `/seen` answers with the address and the form that handlers see. */
  send(path: string, request?: RequestInit): Promise<Answer>
  /** Calls a route that needs the scope `orders:write`. */
  write(token?: string): Promise<Answer>
  close(): Promise<void>
}

/** @returns when it listens; `resource` is {@link RESOURCE} unless given */
export async function startApi(
  options: Omit<ResourceServerOptions, 'resource'> & { readonly resource?: string },
): Promise<Api> {
  const events: ResourceServerEvent[] = []
  const onRefusal = (event: ResourceServerEvent) => void events.push(event)
  const middleware = resourceServer({ resource: RESOURCE, onRefusal, ...options })
  const app = express().set('env', 'production')
  app.use(express.urlencoded({ extended: false }), middleware)
  app.get('/', (req, res) => res.json({ ...req.auth }))
  app.all('/seen', ({ originalUrl, body }, res) => res.json({ originalUrl, body: body as unknown }))
  app.post('/', requireScopes('orders:write'), (req, res) => res.json({ ...req.auth }))
  const server = createServer(app)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo

  const call = (method: 'GET' | 'POST', token: string | undefined) =>
    send('/', { method, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })

  async function send(path: string, request?: RequestInit): Promise<Answer> {
    const told = events.length
    const response = await fetch(`http://127.0.0.1:${port}${path}`, request)
    return {
      status: response.status,
      reason: events[told]?.reason,
      challenge: response.headers.get('www-authenticate'),
      retryAfter: response.headers.get('retry-after'),
      body: (await response.json()) as Record<string, unknown>,
    }
  }

  return {
    middleware,
    events,
    send,
    get: (token) => call('GET', token),
    write: (token) => call('POST', token),
    async close() {
      await shut(server)
      await middleware.close()
    },
  }
}

async function shut(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
