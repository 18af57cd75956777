// Opaque access tokens: the authorization server is asked about each of them. With `jwt: false` it is
// asked about JWTs too, so that nothing lives on after its revocation for longer than `cacheTtlSeconds`.
import express from 'express'
import { resourceServer } from 'express-resource-server'

const { PORT = '3000', ISSUER = 'http://127.0.0.1:4010', CLIENT_SECRET = 'rs-secret' } = process.env

const app = express()
app.use(
  resourceServer({
    resource: 'https://api.example.com',
    issuer: ISSUER,
    jwt: false,
    introspection: { clientId: 'rs', clientSecret: CLIENT_SECRET, cacheTtlSeconds: 0 },
  }),
)
app.get('/', (req, res) => res.json({ hello: req.auth.clientId, expiresAt: req.auth.expiresAt }))

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
