import express from 'express'
import { auth } from 'express-oauth2-jwt-bearer'
export default async function ({ issuer, audience, jwksUri, alg }) {
  const app = express()
  app.get('/protected', auth({ issuer, audience, jwksUri, tokenSigningAlg: alg }), (req, res) => {
    res.json({ sub: req.auth.payload.sub })
  })
  return app
}
