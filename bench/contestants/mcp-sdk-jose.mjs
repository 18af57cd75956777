import express from 'express'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { createRemoteJWKSet, jwtVerify } from 'jose'
export default async function ({ issuer, audience, jwksUri, alg }) {
  const app = express()
  const jwks = createRemoteJWKSet(new URL(jwksUri))
  const verifier = {
    async verifyAccessToken(token) {
      try {
        const { payload } = await jwtVerify(token, jwks, { issuer, audience, algorithms: alg && [alg] })
        return {
          token,
          clientId: payload.client_id,
          scopes: payload.scope.split(' '),
          expiresAt: payload.exp,
          extra: payload,
        }
      } catch (e) {
        throw new InvalidTokenError(e.message)
      }
    },
  }
  app.get('/protected', requireBearerAuth({ verifier }), (req, res) => {
    res.json({ sub: req.auth.extra.sub })
  })
  return app
}
