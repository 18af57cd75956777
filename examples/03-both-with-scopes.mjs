// Both kinds of token in front of the same routes, which say what scope they need. An open route beside
// them, keys loaded ahead of traffic, and an orderly end.
import express from 'express'
import { requireScopes, resourceServer } from 'express-resource-server'

const { PORT = '3000', ISSUER = 'http://127.0.0.1:4010', CLIENT_SECRET = 'rs-secret' } = process.env

const authenticate = resourceServer({
  resource: 'https://api.example.com',
  issuer: ISSUER,
  introspection: { clientId: 'rs', clientSecret: CLIENT_SECRET },
  // for the operator: why, what was expected, what was found; never the token
  onRefusal: ({ status, reason, name }) => console.log('refused', status, reason, name ?? ''),
})

const app = express()
app.get('/health', (_req, res) => res.json(authenticate.health()))
app.use('/orders', authenticate)
app.get('/orders', requireScopes('orders:read'), (req, res) =>
  res.json({ orders: ['tea', 'biscuits'], format: req.auth.format, source: req.auth.source }),
)
app.post('/orders', requireScopes('orders:read', 'orders:write'), (_req, res) => res.sendStatus(201))

// the API starts even if the authorization server does not: it answers 503 until it is back
await authenticate.ready().catch((error) => console.log(error.reason))

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
process.once('SIGTERM', () => server.close(() => authenticate.close()))
