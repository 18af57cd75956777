// A token stops when it is revoked and not when it expires: by hand, and by back-channel logout. A payment asks the
// authorization server itself. Try it:  curl -X POST 127.0.0.1:3000/admin/revoke -H 'content-type: application/json' -d '{"subject":"alice"}'
import express from 'express'
import { backchannelLogout, requireFresh, requireScopes, resourceServer } from 'express-resource-server'

const { PORT = '3000', ISSUER = 'http://127.0.0.1:4010' } = process.env

const server = resourceServer({
  resource: 'https://api.example.com',
  issuer: ISSUER,
  introspection: { clientId: 'rs', clientSecret: 'rs-secret' },
  revocation: {
    maxTokenLifetimeSeconds: 3600, // the longest life of an access token here
    onRevocation: (event) =>
      console.log(event.kind, event.outcome, JSON.stringify(event.record?.target ?? '')),
  },
})

const app = express()

// before the resource server: whoever calls it has no access token, its logout token is its proof
app.post('/backchannel-logout', backchannelLogout(server, { clientId: 'spa' }))

// for people of your own; guard it as everything of theirs
app.post('/admin/revoke', express.json(), async (req, res) => {
  await server.revocations.revoke({ subject: req.body.subject, reason: 'by hand' })
  res.json([...server.revocations.list()])
})
app.get('/admin/health', (_req, res) => res.json(server.health().revocation))

app.use(server)
app.get('/orders', requireScopes('orders:read'), (req, res) => res.json({ of: req.auth.subject }))
app.post('/payments', requireFresh({ maxLagSeconds: 0 }), (_req, res) => res.status(201).json({ paid: true }))

const http = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${http.address().port}`)
})
