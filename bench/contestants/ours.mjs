// This library with its default options. It accepts JWTs and opaque tokens on the same route.
import express from 'express'
import { resourceServer } from '../../dist/index.js'
export default async function (config) {
  const { issuer, audience, jwksUri, introspectionEndpoint, clientId, clientSecret, cacheMaxEntries } = config
  const app = express()
  const protect = resourceServer({
    resource: audience,
    issuer,
    jwks: { uri: jwksUri },
    introspection: { endpoint: introspectionEndpoint, clientId, clientSecret, cacheMaxEntries },
    // undefined, that is the default, everywhere but in the soak
    jwt: { cacheMaxEntries },
  })
  app.get('/protected', protect, (req, res) => {
    res.json({ sub: req.auth.subject })
  })
  return app
}
