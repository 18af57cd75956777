import express from 'express'
import passport from 'passport'
import { Strategy } from 'passport-http-bearer'
export default async function ({ introspectionEndpoint, clientId, clientSecret, audience }) {
  const app = express()
  const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
  const p = new passport.Passport()
  p.use(
    new Strategy((token, done) => {
      fetch(introspectionEndpoint, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ token }).toString(),
      })
        .then((r) => r.json())
        .then((c) => done(null, c.active && c.aud === audience ? c : false), done)
    }),
  )
  app.get('/protected', p.authenticate('bearer', { session: false }), (req, res) => {
    res.json({ sub: req.user.sub })
  })
  return app
}
