import express from 'express'
import tokenIntrospect from 'token-introspection'
export default async function ({ introspectionEndpoint, clientId, clientSecret, audience }) {
  const app = express()
  const introspect = tokenIntrospect({
    endpoint: introspectionEndpoint,
    client_id: clientId,
    client_secret: clientSecret,
    fetch,
  })
  app.get(
    '/protected',
    async (req, res, next) => {
      const h = req.headers.authorization
      if (!h?.startsWith('Bearer ')) return res.sendStatus(401)
      try {
        req.auth = await introspect(h.slice(7))
      } catch {
        return res.set('WWW-Authenticate', 'Bearer error="invalid_token"').sendStatus(401)
      }
      if (req.auth.aud !== audience) return res.sendStatus(401)
      next()
    },
    (req, res) => {
      res.json({ sub: req.auth.sub })
    },
  )
  return app
}
