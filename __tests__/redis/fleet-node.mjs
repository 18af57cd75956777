// One node of the fleet: a program of its own, as it would be deployed.
import { randomUUID } from 'node:crypto'
import express from 'express'
import { resourceServer } from 'express-resource-server'
import { redisStore } from 'express-resource-server/redis'
import { createClient } from 'redis'

const { ISSUER, REDIS_URL, MAX_LAG_SECONDS, INTROSPECTION_TTL_SECONDS } = process.env

const client = await createClient({ url: REDIS_URL, socket: { reconnectStrategy: 50 } })
  .on('error', () => undefined)
  .connect()
const server = resourceServer({
  resource: 'https://api.example.com',
  issuer: ISSUER,
  introspection: {
    clientId: 'rs',
    clientSecret: 'rs-secret',
    cacheTtlSeconds: Number(INTROSPECTION_TTL_SECONDS ?? 30),
  },
  revocation: MAX_LAG_SECONDS ? { maxLagSeconds: Number(MAX_LAG_SECONDS), whenStale: 'refuse' } : {},
  store: redisStore(client),
})
await server.ready()

const app = express()
app.post('/revoke/:jti', async (req, res) => {
  await server.revocations.revoke({ jti: req.params.jti })
  res.sendStatus(204)
})
app.get('/health', (_req, res) => res.json(server.health()))
app.use(server)
app.get('/', (req, res) => res.json({ subject: req.auth.subject, id: randomUUID() }))

const listener = app.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${listener.address().port}`)
})
