// Two authorization servers: our own, and a partner's, of which one client is let in. Each has keys and
// caches of its own; a subject is unique only together with its issuer.
import express from 'express'
import { requireScopes, resourceServer } from 'express-resource-server'

const { PORT = '3000' } = process.env
const { ISSUER = 'http://127.0.0.1:4010', PARTNER_ISSUER = 'http://127.0.0.1:4011' } = process.env

const app = express()
app.use(
  resourceServer({
    resource: 'https://api.example.com',
    issuers: [
      { issuer: ISSUER, introspection: { clientId: 'rs', clientSecret: 'rs-secret' } },
      { issuer: PARTNER_ISSUER, audience: 'https://partner.example.com' }, // JWTs only
    ],
  }),
)
app.get('/orders', requireScopes('orders:read'), ({ auth }, res) =>
  res.json({ orders: ordersOf(auth.issuer, auth.subject ?? auth.clientId), from: auth.issuer }),
)

function ordersOf(issuer, subject) {
  return issuer === PARTNER_ISSUER ? [`for the partner's ${subject}`] : [`for our ${subject}`]
}

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
