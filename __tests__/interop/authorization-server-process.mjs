// The embedded authorization server in a process of its own, told by messages what to do.
import { startAuthorizationServer } from '../../examples/demo/authorization-server.mjs'

const server = await startAuthorizationServer(JSON.parse(process.argv[2]))

process.on('message', async ({ method, options }) => {
  await server[method](options)
  process.send('done')
})
process.on('disconnect', () => process.exit())
process.send({ issuer: server.issuer, origin: server.origin, clientKey: server.clientKey })
