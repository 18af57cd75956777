/** An API behind `resourceServer` and its authorization server, both over real HTTP, for tests. */
import { createServer, type Server } from 'node:http'
import express from 'express'
import request, { type Response } from 'supertest'
import type { ResourceServerEvent } from '../../lib/core/events.js'
import {
  resourceServer,
  requireClaim,
  requireScopes,
  type ResourceServer,
  type ResourceServerOptions,
} from '../../lib/index.js'
import { createTestIssuer, type TestIssuer, type TestIssuerOptions } from '../../lib/testing/test-issuer.js'

export const RESOURCE = 'https://api.example.com'

export interface Api {
  readonly as: TestIssuer
  readonly server: ResourceServer
  /** Every refusal and outage so far. */
  readonly events: ResourceServerEvent[]
  /** `/` shows `req.auth`; `/write` wants the scope `write`; `/admin` wants `roles` to hold `admin`. */
  get(token: string, path?: string): Promise<Response>
  /** The reason of the last refusal or outage. */
  reason(): string | undefined
  close(): Promise<void>
}

export interface ApiSettings {
  readonly issuer?: TestIssuerOptions
  /** Instead of an issuer of its own. */
  readonly as?: TestIssuer
  readonly options?: Partial<ResourceServerOptions>
  /** Outside production, hints are given as process warnings. Default: production. */
  readonly env?: string
}

export async function startApi({ issuer, as: given, options, env }: ApiSettings = {}): Promise<Api> {
  const as = given ?? (await createTestIssuer(issuer))
  const events: ResourceServerEvent[] = []
  const named = options?.issuers === undefined ? { issuer: as.issuer } : {}
  const onRefusal = (event: ResourceServerEvent) => void events.push(event)
  const server = resourceServer({ resource: RESOURCE, ...named, onRefusal, ...options })
  const listening = await listen(toApp(server, env))

  return {
    as,
    server,
    events,
    get: async (token, path = '/') => request(listening).get(path).set('Authorization', `Bearer ${token}`),
    reason: () => events.at(-1)?.reason,
    async close() {
      await new Promise((resolve) => listening.close(resolve))
      await server.close()
      if (!given) await as.close()
    },
  }
}

function toApp(server: ResourceServer, env = 'production'): express.Express {
  const app = express()
  app.set('env', env)
  app.use(server)
  app.get('/', (req, res) => {
    const { subject, issuer, scopes, source, claims } = req.auth
    res.json({ subject, issuer, scopes, source, claims })
  })
  app.get('/write', requireScopes('write'), (_req, res) => res.json({}))
  app.get('/admin', requireClaim('roles', isAdmin), (_req, res) => res.json({}))
  return app
}

const isAdmin = (roles: unknown) => Array.isArray(roles) && roles.includes('admin')

function listen(app: express.Express): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer(app)
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}

/** What makes an answer a plain `invalid_token`, in one value to compare with `INVALID_TOKEN`. */
export function answerOf({ status, headers, body }: Response) {
  const challenge = /error="([^"]*)"/.exec(String(headers['www-authenticate']))
  return { status, challenge: challenge?.[1], body: (body as { error?: string }).error }
}

export const INVALID_TOKEN = { status: 401, challenge: 'invalid_token', body: 'invalid_token' }
export const OUTAGE = { status: 503, challenge: undefined, body: 'temporarily_unavailable' }

/** Resolves once a condition holds that real input and output brings about. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

/** A JSON text in base64url. */
export function encode(value: string | Buffer | object): string {
  const bytes = typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value)
  return Buffer.from(bytes as string).toString('base64url')
}
