import http from 'node:http'
import express from 'express'
import { JwtVerifier } from 'aws-jwt-verify'
import { SimpleJwksCache } from 'aws-jwt-verify/jwk'
// Its own fetcher speaks https only; this one does the same over http, with the same 3 s limit.
const fetcher = {
  fetch: (uri) =>
    new Promise((resolve, reject) => {
      const req = http
        .get(uri, { timeout: 3000 }, (res) => {
          const parts = []
          res
            .on('data', (c) => parts.push(c))
            .on('error', reject)
            .on('end', () =>
              res.statusCode === 200
                ? resolve(new Uint8Array(Buffer.concat(parts)).buffer)
                : reject(new Error(`status ${res.statusCode}`)),
            )
        })
        .on('error', reject)
        .on('timeout', () => req.destroy(new Error('timeout')))
    }),
}
export default async function ({ issuer, audience, jwksUri }) {
  const app = express()
  const verifier = JwtVerifier.create(
    { issuer, audience, jwksUri },
    { jwksCache: new SimpleJwksCache({ fetcher }) },
  )
  app.get(
    '/protected',
    async (req, res, next) => {
      const h = req.headers.authorization
      if (!h?.startsWith('Bearer ')) return res.sendStatus(401)
      try {
        req.auth = await verifier.verify(h.slice(7))
      } catch {
        return res.set('WWW-Authenticate', 'Bearer error="invalid_token"').sendStatus(401)
      }
      next()
    },
    (req, res) => {
      res.json({ sub: req.auth.sub })
    },
  )
  return app
}
