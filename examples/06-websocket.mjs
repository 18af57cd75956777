// WebSockets: the upgrade is authenticated before it is accepted, and the connection ends with its token.
import { createServer, STATUS_CODES } from 'node:http'
import { resourceServer } from 'express-resource-server'
import { WebSocketServer } from 'ws'

const { PORT = '3000', ISSUER = 'http://127.0.0.1:4010', CLIENT_SECRET = 'rs-secret' } = process.env

const { authenticate, answerTo } = resourceServer({
  resource: 'https://api.example.com',
  issuer: ISSUER,
  introspection: { clientId: 'rs', clientSecret: CLIENT_SECRET },
})
const sockets = new WebSocketServer({ noServer: true })
const server = createServer((_req, res) => res.writeHead(426).end())

server.on('upgrade', async (req, socket, head) => {
  socket.on('error', () => socket.destroy()) // whoever leaves while the token is checked
  try {
    const accessToken = await authenticate(req)
    sockets.handleUpgrade(req, socket, head, (ws) => welcome(ws, accessToken))
  } catch (error) {
    refuse(socket, answerTo(error, req))
  }
})

function welcome(ws, { clientId, scopes, expiresAt }) {
  ws.send(JSON.stringify({ welcome: clientId, scopes }))
  if (expiresAt === undefined) return
  const end = setTimeout(() => ws.close(1008, 'token expired'), expiresAt * 1000 - Date.now())
  ws.once('close', () => clearTimeout(end))
}

function refuse(socket, { status, headers }) {
  const fields = Object.entries({ ...headers, Connection: 'close', 'Content-Length': '0' })
  const lines = fields.flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`))
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', ''].join('\r\n'))
}

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
