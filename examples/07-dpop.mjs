// Tokens that are worthless to a thief: bound to a key of the client's, which shows it with every request.
// examples/demo/dpop-client.mjs is such a client, and the thief as well.
import express from 'express'
import { requireSenderConstrained, resourceServer } from 'express-resource-server'

const { PORT = '3000', ISSUER = 'http://127.0.0.1:4010' } = process.env

const app = express()
const server = app.listen(Number(PORT), '127.0.0.1', () => {
  const origin = `http://127.0.0.1:${server.address().port}`
  app.use(
    resourceServer({
      resource: 'https://api.example.com',
      issuer: ISSUER,
      // nothing of this is needed behind https://api.example.com: bound tokens are accepted as it is
      dpop: { origin, nonce: 'required' },
    }),
  )
  app.get('/', requireSenderConstrained('dpop'), (req, res) => res.json({ hello: req.auth.clientId }))
  console.log(`listening on ${origin}`)
})
