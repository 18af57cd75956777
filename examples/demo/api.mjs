// The protected API of the demo: an ordinary Express app with `resourceServer` in front of its routes.
import { createServer } from 'node:http'
import express from 'express'
import { requireScopes, resourceServer } from 'express-resource-server'
import { listen, shut } from './listen.mjs'

export const RESOURCE = 'https://api.example.com'
export const CACHE_SECONDS = 5

/** @param onRefusal told of every refusal and outage: what was expected, what was found, never the token */
export async function startApi({ port = 0, issuer, onRefusal }) {
  const authenticate = resourceServer({
    resource: RESOURCE,
    issuer,
    // this API as a client of the authorization server; how long an answer about a token is believed
    introspection: { clientId: 'rs', clientSecret: 'rs-secret', cacheTtlSeconds: CACHE_SECONDS },
    // both servers look at one clock here; between two machines leave the default of 30 seconds
    jwt: { clockToleranceSeconds: 0 },
    onRefusal,
  })

  const app = express()
  app.get('/', (_request, response) => response.json({ try: '/orders' })) // open to everybody
  app.use('/orders', authenticate)
  app.get('/orders', requireScopes('orders:read'), (request, response) => response.json(answer(request.auth)))
  app.post('/orders', requireScopes('orders:read', 'orders:write'), (request, response) =>
    response.status(201).json(answer(request.auth)),
  )

  const server = createServer(app)
  const origin = await listen(server, port)
  await authenticate.ready() // optional: the first request would discover the issuer else

  return {
    origin,
    async stop() {
      await shut(server)
      await authenticate.close()
    },
  }
}

/** An API tells its callers about their orders; this one tells how it came to trust them. */
function answer({ clientId, scopes, format, source }) {
  return { orders: ['tea', 'biscuits'], clientId, scopes, format, source }
}
