// Introspection per request with node:http and a keep-alive Agent: no dependency.
import http from 'node:http'
import express from 'express'
export default async function ({ introspectionEndpoint, clientId, clientSecret, audience }) {
  const app = express()
  const u = new URL(introspectionEndpoint)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 64, timeout: 3000 })
  const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
  const call = (token) =>
    new Promise((resolve, reject) => {
      const body = `token=${encodeURIComponent(token)}`
      const req = http.request(
        {
          agent,
          host: u.hostname,
          port: u.port,
          path: u.pathname,
          method: 'POST',
          timeout: 3000,
          headers: {
            authorization,
            'content-type': 'application/x-www-form-urlencoded',
            'content-length': body.length,
          },
        },
        (res) => {
          let s = ''
          res.setEncoding('utf8')
          res
            .on('data', (d) => {
              s += d
            })
            .on('error', reject)
            .on('end', () => {
              try {
                if (res.statusCode !== 200) throw new Error(`status ${res.statusCode}`)
                resolve(JSON.parse(s))
              } catch (e) {
                reject(e)
              }
            })
        },
      )
      req.on('error', reject).on('timeout', () => req.destroy(new Error('timeout')))
      req.end(body)
    })
  app.get(
    '/protected',
    (req, res, next) => {
      const h = req.headers.authorization
      if (!h?.startsWith('Bearer ')) return res.sendStatus(401)
      call(h.slice(7)).then(
        (c) => {
          if (c.active !== true || c.aud !== audience)
            return res.set('WWW-Authenticate', 'Bearer error="invalid_token"').sendStatus(401)
          req.auth = c
          next()
        },
        () => {
          res.sendStatus(503)
        },
      )
    },
    (req, res) => {
      res.json({ sub: req.auth.sub })
    },
  )
  return app
}
