/** An Express app behind `resourceServer`, whose opaque tokens a test issuer judges. */
import { jest } from '@jest/globals'
import express from 'express'
import supertest from 'supertest'
import {
  requireScopes,
  resourceServer,
  type AccessToken,
  type IntrospectionOptions,
  type ResourceServer,
  type ResourceServerEvent,
  type ResourceServerOptions,
} from '../../lib/index.js'
import type { TestIssuer } from '../../lib/testing/test-issuer.js'

export const RESOURCE = 'https://api.example.com'

export interface OpaqueApi {
  readonly guard: ResourceServer
  readonly app: express.Express
  /** What operators heard of. */
  readonly events: ResourceServerEvent[]
  /** What the handler saw last. */
  readonly seen: () => AccessToken
  readonly get: (token: string, path?: string) => supertest.Test
}

/** Routes: `/` for any good token, `/write` for one with the scope `write`. */
export function createOpaqueApi(
  as: Pick<TestIssuer, 'issuer'>,
  introspection: Partial<IntrospectionOptions> = {},
  options: Partial<ResourceServerOptions> = {},
): OpaqueApi {
  const events: ResourceServerEvent[] = []
  let seen: AccessToken | undefined
  const guard = resourceServer({
    resource: RESOURCE,
    ...('issuers' in options ? {} : { issuer: as.issuer }),
    introspection: { ...credentialsOf(introspection), ...introspection },
    onRefusal: (event) => events.push(event),
    ...options,
  })
  const app = express()
  // no hints on the console
  app.set('env', 'production')
  app.use(guard)
  app.get('/', (request, response) => {
    seen = request.auth
    response.json({
      sub: request.auth.subject ?? null,
      scopes: request.auth.scopes,
      source: request.auth.source,
    })
  })
  app.get('/write', requireScopes('write'), (_request, response) => {
    response.json({ written: true })
  })

  return {
    guard,
    app,
    events,
    seen: () => seen as AccessToken,
    get: (token, path = '/') => supertest(app).get(path).set('Authorization', `Bearer ${token}`),
  }
}

function credentialsOf(given: Partial<IntrospectionOptions>): Partial<IntrospectionOptions> {
  const hasOwn = ['privateKey', 'clientCertificate', 'bearerToken', 'authMethod'].some(
    (name) => name in given,
  )
  return hasOwn ? {} : { clientId: 'rs', clientSecret: 'rs-secret' }
}

export interface Clock {
  readonly advance: (seconds: number) => void
  readonly restore: () => void
}

/** The wall clock of this process, which a test may set; timers go on as ever. */
export function createClock(): Clock {
  const now = Date.now.bind(Date)
  let offset = 0
  const spy = jest.spyOn(Date, 'now').mockImplementation(() => now() + offset)
  return {
    advance(seconds) {
      offset += seconds * 1000
    },
    restore: () => spy.mockRestore(),
  }
}
