import express from 'express'
import { createRemoteJWKSet, jwtVerify } from 'jose'
export default async function ({ issuer, audience, jwksUri, alg }) {
  const app = express()
  const jwks = createRemoteJWKSet(new URL(jwksUri))
  const opts = { issuer, audience, algorithms: alg ? [alg] : ['RS256', 'ES256', 'EdDSA', 'PS256'] }
  app.get(
    '/protected',
    async (req, res, next) => {
      const h = req.headers.authorization
      if (!h?.startsWith('Bearer ')) return res.sendStatus(401)
      try {
        req.auth = (await jwtVerify(h.slice(7), jwks, opts)).payload
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
