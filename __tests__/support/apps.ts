/** Both versions of Express that are supported, and apps made of them with a resource server in front. */
import { createRequire } from 'node:module'
import express5, { type Express } from 'express'
import { resourceServer, type ResourceServer } from '../../lib/express/resource-server.js'
import type { ResourceServerOptions } from '../../lib/core/options/options.js'

export type ExpressModule = typeof express5

/** Version 4 stands in `node_modules` under another name and has no types of its own. */
const express4 = createRequire(import.meta.url)('express4') as ExpressModule

export const EXPRESS_VERSIONS: readonly (readonly [string, ExpressModule])[] = [
  ['Express 5', express5],
  ['Express 4', express4],
]

/** The identifier of the API in all tests: the audience of the tokens that the test issuer mints. */
export const RESOURCE = 'https://api.example.com'

export interface ApiOptions {
  /** Mounted before the resource server: body parsers and the like. */
  readonly before?: (app: Express) => void
  /** Mounted behind it. Default: everything answers what was accepted. */
  readonly routes?: (app: Express) => void
}

export interface Api {
  readonly app: Express
  readonly server: ResourceServer
  /** How many requests reached a handler behind the resource server. */
  readonly handled: () => number
}

/** An app whose every address is behind one resource server. Close `server` after the test. */
export function createApi(
  express: ExpressModule,
  options: ResourceServerOptions,
  { before, routes = echo }: ApiOptions = {},
): Api {
  const app = express()
  const server = resourceServer(options)
  let handled = 0
  // Express's own error handler prints to the console unless the environment is 'test'
  app.set('env', 'test')
  before?.(app)
  app.use(server)
  app.use((_request, _response, next) => {
    handled += 1
    next()
  })
  routes(app)
  return { app, server, handled: () => handled }
}

/** Answers with what a handler sees of the request. */
export function echo(app: Express): void {
  app.use((request, response) => {
    const { subject, source } = (request.auth as typeof request.auth | undefined) ?? {}
    response.json({
      subject,
      source,
      url: request.url,
      originalUrl: request.originalUrl,
      query: request.query,
    })
  })
}
