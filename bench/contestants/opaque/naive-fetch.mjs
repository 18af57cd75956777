import express from 'express'
export default async function ({ introspectionEndpoint, clientId, clientSecret, audience }) {
  const app = express()
  const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
  app.get(
    '/protected',
    async (req, res, next) => {
      const h = req.headers.authorization
      if (!h?.startsWith('Bearer ')) return res.sendStatus(401)
      const r = await fetch(introspectionEndpoint, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ token: h.slice(7) }).toString(),
      })
      const c = await r.json()
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
