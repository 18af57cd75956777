import express from 'express'
import { Pool } from 'undici'
export default async function ({ introspectionEndpoint, clientId, clientSecret, audience }) {
  const app = express()
  const u = new URL(introspectionEndpoint)
  const pool = new Pool(u.origin, { connections: 64 })
  const headers = {
    authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
    'content-type': 'application/x-www-form-urlencoded',
  }
  app.get(
    '/protected',
    async (req, res, next) => {
      const h = req.headers.authorization
      if (!h?.startsWith('Bearer ')) return res.sendStatus(401)
      const r = await pool.request({
        path: u.pathname,
        method: 'POST',
        headers,
        body: `token=${encodeURIComponent(h.slice(7))}`,
      })
      const c = await r.body.json()
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
