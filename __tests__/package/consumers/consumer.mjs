import express from 'express'
import { requireScopes, resourceServer } from 'express-resource-server'

const { ISSUER, JWT, OPAQUE } = process.env
const authenticate = resourceServer({
  resource: 'https://api.example.com',
  issuer: ISSUER,
  introspection: { clientId: 'rs', clientSecret: 'rs-secret' },
})
const app = express()
app.use(authenticate)
app.get('/', requireScopes('orders:read'), (req, res) => res.json(req.auth.format))

const server = app.listen(0, '127.0.0.1', async () => {
  const answers = []
  for (const token of [JWT, OPAQUE, `${JWT}x`]) {
    const headers = { authorization: `Bearer ${token}`, connection: 'close' }
    const response = await fetch(`http://127.0.0.1:${server.address().port}`, { headers })
    answers.push(response.status)
  }
  console.log(answers.join(' '))
  server.close()
  await authenticate.close()
})
