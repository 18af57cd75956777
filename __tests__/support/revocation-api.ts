/** An API with a test issuer, and handlers that hear of revocations. */
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express, { type Express } from 'express'
import {
  requireFresh,
  resourceServer,
  type ResourceServer,
  type ResourceServerEvent,
  type ResourceServerOptions,
  type RevocationEvent,
} from '../../lib/index.js'
import { createTestIssuer, type TestIssuer, type TestIssuerOptions } from '../../lib/testing/test-issuer.js'

export const RESOURCE = 'https://api.example.com'
export const INTROSPECTION = { clientId: 'rs', clientSecret: 'rs-secret' }

export interface RevocationApi {
  readonly as: TestIssuer
  readonly server: ResourceServer
  readonly origin: string
  /** What operators were told of refusals and outages, and of revocations. */
  readonly answers: ResourceServerEvent[]
  readonly effects: RevocationEvent[]
  /** The status of a request with this token, and the reason that the operator was told. */
  get(token: string, path?: string): Promise<readonly [status: number, reason: string | undefined]>
  close(): Promise<void>
}

export interface ApiSetup {
  readonly issuer?: TestIssuerOptions
  readonly options?: Omit<ResourceServerOptions, 'resource' | 'issuer'>
  /** Adds routes before the resource server. */
  readonly mount?: (app: Express, server: ResourceServer, as: TestIssuer) => void
}

/** `/` takes any good token, `/fresh` asks the authorization server, `/minute` may lag by a minute. */
export async function startRevocationApi({ issuer, options, mount }: ApiSetup = {}): Promise<RevocationApi> {
  const as = await createTestIssuer(issuer)
  const answers: ResourceServerEvent[] = []
  const effects: RevocationEvent[] = []
  const server = resourceServer({
    resource: RESOURCE,
    issuer: as.issuer,
    onRefusal: (event) => void answers.push(event),
    ...options,
    revocation: { onRevocation: (event) => void effects.push(event), ...options?.revocation },
  })
  const app = express().set('env', 'production')
  mount?.(app, server, as)
  app.use(server)
  app.get('/', (req, res) => res.json({ subject: req.auth.subject, revocation: req.auth.revocation }))
  app.get('/fresh', requireFresh({ maxLagSeconds: 0 }), (req, res) => res.json({ source: req.auth.source }))
  app.get('/minute', requireFresh({ maxLagSeconds: 60 }), (_req, res) => res.json({}))
  const http = await listen(app)
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`

  return {
    as,
    server,
    origin,
    answers,
    effects,
    async get(token, path = '/') {
      const told = answers.length
      const response = await fetch(origin + path, { headers: { authorization: `Bearer ${token}` } })
      await response.arrayBuffer()
      return [response.status, answers[told]?.reason]
    },
    async close() {
      await server.close()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
      await as.close()
    },
  }
}

async function listen(app: Express): Promise<Server> {
  const server = createServer(app)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return server
}
