import express from 'express'
import OktaJwtVerifier from '@okta/jwt-verifier'
export default async function ({ issuer, audience, jwksUri }) {
  const app = express()
  const verifier = new OktaJwtVerifier({ issuer, jwksUri, testing: { disableHttpsCheck: true } })
  app.get(
    '/protected',
    async (req, res, next) => {
      const h = req.headers.authorization
      if (!h?.startsWith('Bearer ')) return res.sendStatus(401)
      try {
        req.auth = (await verifier.verifyAccessToken(h.slice(7), audience)).claims
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
