/** Handlers and guards stand wherever Express takes a handler, and do not blur the types of those beside them. */
import express, { Router, type RequestHandler } from 'express'
import {
  requireAnyScope,
  requireClaim,
  requireScopes,
  resourceServer,
  type AccessToken,
} from '../../lib/main.js'

const app = express()
const server = resourceServer({ resource: 'https://api.example.com', issuer: 'https://login.example.com' })

app.use(server)
app.use('/orders', server, requireScopes('orders:read'))
app.use(Router().use(server))
app.route('/reports').all(requireAnyScope('reports', 'admin'))
app.get('/orders/:id', requireScopes('orders:read'), (req, res) => {
  const accessToken: AccessToken = req.auth
  const id: string = req.params.id
  res.json({ id, subject: accessToken.subject })
})
app.post('/orders', server, requireScopes('orders:write'), requireClaim('tenant', 'acme'), (req, res) =>
  res.status(201).json(req.auth.scopes),
)

export const handlers: RequestHandler[] = [
  server,
  requireScopes('orders:read'),
  requireAnyScope('orders:read'),
  requireClaim('age', (age) => Number(age) >= 18),
]

app.get('/', (req) => {
  // @ts-expect-error what was accepted is not changed
  req.auth.subject = 'somebody else'
  // @ts-expect-error a claim may be of any type, or not be there
  return req.auth.claims['tenant'].length
})
