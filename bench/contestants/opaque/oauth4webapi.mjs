import express from 'express'
import * as oauth from 'oauth4webapi'
export default async function ({ issuer, introspectionEndpoint, clientId, clientSecret, audience }) {
  const app = express()
  const as = { issuer, introspection_endpoint: introspectionEndpoint }
  const client = { client_id: clientId }
  const clientAuth = oauth.ClientSecretBasic(clientSecret)
  app.get(
    '/protected',
    async (req, res, next) => {
      const h = req.headers.authorization
      if (!h?.startsWith('Bearer ')) return res.sendStatus(401)
      const r = await oauth.introspectionRequest(as, client, clientAuth, h.slice(7), {
        [oauth.allowInsecureRequests]: true,
      })
      const c = await oauth.processIntrospectionResponse(as, client, r)
      if (!c.active || c.aud !== audience)
        return res.set('WWW-Authenticate', 'Bearer error="invalid_token"').sendStatus(401)
      req.auth = c
      next()
    },
    (req, res) => {
      res.json({ sub: req.auth.sub })
    },
  )
  return app
}
