import express from 'express'
import { createVerifier } from 'fast-jwt'
import buildGetJwks from 'get-jwks'
export async function create({ issuer, audience, jwksUri, alg = 'RS256' }, cache) {
  const app = express()
  const u = new URL(jwksUri)
  const getJwks = buildGetJwks({ jwksPath: u.pathname })
  const verify = createVerifier({
    key: async ({ header }) => getJwks.getPublicKey({ kid: header.kid, alg: header.alg, domain: u.origin }),
    cache,
    algorithms: [alg],
    allowedIss: issuer,
    allowedAud: audience,
  })
  app.get(
    '/protected',
    async (req, res, next) => {
      const h = req.headers.authorization
      if (!h?.startsWith('Bearer ')) return res.sendStatus(401)
      try {
        req.auth = await verify(h.slice(7))
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
export default (cfg) => create(cfg, false)
