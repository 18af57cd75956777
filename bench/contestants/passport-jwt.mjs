import express from 'express'
import passport from 'passport'
import { Strategy, ExtractJwt } from 'passport-jwt'
import jwksRsa from 'jwks-rsa'
export default async function ({ issuer, audience, jwksUri, alg = 'RS256' }) {
  const app = express()
  const p = new passport.Passport()
  p.use(
    new Strategy(
      {
        secretOrKeyProvider: jwksRsa.passportJwtSecret({
          cache: true,
          rateLimit: true,
          jwksRequestsPerMinute: 5,
          jwksUri,
        }),
        jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
        issuer,
        audience,
        algorithms: [alg],
      },
      (payload, done) => done(null, payload),
    ),
  )
  app.get('/protected', p.authenticate('jwt', { session: false }), (req, res) => {
    res.json({ sub: req.user.sub })
  })
  return app
}
