import express from 'express'
import { expressjwt } from 'express-jwt'
import jwksRsa from 'jwks-rsa'
export default async function ({ issuer, audience, jwksUri, alg = 'RS256' }) {
  const app = express()
  const secret = jwksRsa.expressJwtSecret({ cache: true, rateLimit: true, jwksRequestsPerMinute: 5, jwksUri }) // as its documentation shows
  app.get('/protected', expressjwt({ secret, audience, issuer, algorithms: [alg] }), (req, res) => {
    res.json({ sub: req.auth.sub })
  })
  return app
}
