// Answers in the app's own format: with `errors: 'next'` the challenge (or `Retry-After`) is set on the
// response, and the error goes to the app's error handler, which sends `error.status`.
import express from 'express'
import { OAuthError, requireScopes, resourceServer, UnavailableError } from 'express-resource-server'

const { PORT = '3000', ISSUER = 'http://127.0.0.1:4010', CLIENT_SECRET = 'rs-secret' } = process.env

const app = express()
app.use(
  resourceServer({
    resource: 'https://api.example.com',
    issuer: ISSUER,
    introspection: { clientId: 'rs', clientSecret: CLIENT_SECRET },
    errors: 'next',
  }),
)
app.get('/orders', requireScopes('orders:read'), (_req, res) => res.json({ orders: ['tea', 'biscuits'] }))
app.post('/orders', requireScopes('orders:write'), (_req, res) => res.sendStatus(201))

// Problem details (RFC 9457). `error.message` is a fixed sentence and may be shown; `reason` and `evidence`
// are for the operator, and may hold what a stranger wrote: JSON keeps it on one line.
app.use((error, req, res, _next) => {
  const isOurs = error instanceof OAuthError || error instanceof UnavailableError
  if (isOurs) console.log('refused', error.status, error.reason, JSON.stringify(error.evidence))
  else console.error(error)
  const status = isOurs ? error.status : 500
  const title = isOurs ? error.message : 'Something went wrong'
  res.status(status).type('application/problem+json').json({ title, status, instance: req.path })
})

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
