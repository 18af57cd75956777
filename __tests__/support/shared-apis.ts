/** Several APIs in this process that share a store, as several nodes would. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import {
  resourceServer,
  type ResourceServer,
  type ResourceServerEvent,
  type ResourceServerOptions,
  type RevocationEvent,
} from '../../lib/index.js'

export const RESOURCE = 'https://api.example.com'
export const INTROSPECTION = { clientId: 'rs', clientSecret: 'rs-secret' }

export interface SharedApi {
  readonly server: ResourceServer
  readonly effects: RevocationEvent[]
  /** The status of a request with this token, and the reason that the operator was told. */
  get(
    token: string,
    headers?: Readonly<Record<string, string>>,
  ): Promise<readonly [number, string | undefined]>
  /** Resolves when the status of requests with this token is this one. */
  answers(token: string, status: number): Promise<void>
  /** Resolves with the next effect that is like this one, or a former one of those not yet seen. */
  effect(isIt: (effect: RevocationEvent) => boolean): Promise<void>
  close(): Promise<void>
}

export async function startSharedApi(
  options: Omit<ResourceServerOptions, 'resource'>,
  { ready = true } = {},
): Promise<SharedApi> {
  const told: ResourceServerEvent[] = []
  const effects: RevocationEvent[] = []
  const watching = new Set<() => void>()
  const server = resourceServer({
    resource: RESOURCE,
    onRefusal: (event) => void told.push(event),
    ...options,
    revocation: {
      onRevocation(event) {
        effects.push(event)
        for (const look of watching) look()
      },
      ...options.revocation,
    },
  })
  if (ready) await server.ready()
  const app = express().set('env', 'production').use(server)
  app.get('/', (req, res) => res.json({ subject: req.auth.subject }))
  const http = createServer(app)
  await once(http.listen(0, '127.0.0.1'), 'listening')
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`

  async function get(token: string, headers: Readonly<Record<string, string>> = {}) {
    const before = told.length
    const response = await fetch(`${origin}/`, { headers: { authorization: `Bearer ${token}`, ...headers } })
    await response.arrayBuffer()
    return [response.status, told[before]?.reason] as const
  }

  return {
    server,
    effects,
    get,
    async answers(token, status) {
      for (let found = 0; found !== status;) [found] = await get(token)
    },
    effect(isIt) {
      return new Promise((resolve) => {
        const look = () => {
          if (!effects.some(isIt)) return
          watching.delete(look)
          resolve()
        }
        watching.add(look)
        look()
      })
    },
    async close() {
      await server.close()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}
