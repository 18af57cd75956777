// A Model Context Protocol server over streamable HTTP as a resource server: clients find the authorization server
// from the 401, and ask for a further scope when a tool answers 403.
import { createServer } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import express from 'express'
import { protectedResourceMetadata, requireScopes, resourceServer } from 'express-resource-server'

const { PORT = '3000', ISSUER = 'http://127.0.0.1:4010' } = process.env
const http = createServer().listen(Number(PORT), '127.0.0.1', () => {
  const origin = `http://127.0.0.1:${http.address().port}`
  http.on('request', createApp(origin))
  console.log(`listening on ${origin}/mcp`)
})

/** What each tool needs beside `orders:read`, which every request needs. */
const TOOL_SCOPES = { cancel_order: requireScopes('orders:read', 'orders:write') }

function createApp(origin) {
  const resource = `${origin}/mcp` // tokens must name exactly this in `aud`
  const server = resourceServer({ resource, issuer: ISSUER, challengeScopes: ['orders:read'] })
  const app = express()
  app.use(protectedResourceMetadata(server, { members: { resource_name: 'Orders' } }))
  app.use(
    '/mcp',
    refuseOtherOrigins(origin),
    server,
    requireScopes('orders:read'),
    express.json(),
    guardTools,
  )
  app.post('/mcp', async (req, res) => {
    // stateless: each request stands for itself, and so does its token
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true })
    res.on('close', () => transport.close())
    await createTools().connect(transport)
    await transport.handleRequest(req, res, req.body) // passes `req.auth` on to the tools
  })
  app.all('/mcp', (_req, res) => res.set('Allow', 'POST').sendStatus(405))
  return app
}

/** Pages of other sites may not speak to this server through a browser, whatever token they have. */
function refuseOtherOrigins(origin) {
  return (req, res, next) => {
    if (req.headers.origin === undefined || req.headers.origin === origin) return next()
    res.sendStatus(403)
  }
}

function guardTools(req, res, next) {
  const { method, params } = req.body ?? {}
  const guard =
    method === 'tools/call' && Object.hasOwn(TOOL_SCOPES, params?.name) && TOOL_SCOPES[params.name]
  return guard ? guard(req, res, next) : next()
}

function createTools() {
  const mcp = new McpServer({ name: 'orders', version: '1.0.0' })
  mcp.registerTool('list_orders', { description: 'The orders of the caller' }, ({ authInfo }) =>
    text(`orders of ${authInfo.clientId}: tea, biscuits`),
  )
  mcp.registerTool('cancel_order', { description: 'Cancels the last order' }, ({ authInfo }) =>
    text(`cancelled for ${authInfo.clientId}, who may ${authInfo.scopes.join(' and ')}`),
  )
  return mcp
}

function text(words) {
  return { content: [{ type: 'text', text: words }] }
}
