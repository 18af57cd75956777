import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import { requireScopes, resourceServer, UnavailableError, type AccessToken } from 'express-resource-server'

const { ISSUER, JWT, OPAQUE } = process.env

const authenticate = resourceServer({
  resource: 'https://api.example.com',
  issuer: String(ISSUER),
  introspection: { clientId: 'rs', clientSecret: 'rs-secret' },
  onRefusal: ({ status, reason }) => {
    if (status === 503) throw new Error(reason)
  },
})
const guard: RequestHandler = requireScopes('orders:read')
const app = express()
app.use(authenticate)
app.get('/', guard, (req, res) => {
  const { format }: AccessToken = req.auth
  res.json(format)
})

async function main(): Promise<void> {
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const answers: number[] = []
  for (const token of [JWT, OPAQUE, `${JWT}x`]) {
    const headers = { authorization: `Bearer ${token}`, connection: 'close' }
    const response = await fetch(`http://127.0.0.1:${port}`, { headers })
    answers.push(response.status)
  }
  console.log(answers.join(' '))
  server.close()
  await authenticate.close()
}

main().catch((error: unknown) => {
  console.error(error instanceof UnavailableError ? error.reason : error)
  process.exitCode = 1
})
