// See server-process.ts.
import { startAuthorizationServer } from '../../examples/demo/authorization-server.mjs'

const server = await startAuthorizationServer(JSON.parse(process.argv[2]))

process.on('message', async ({ method, argument }) => {
  await server[method](argument)
  process.send('done')
})
process.on('disconnect', () => process.exit())
process.send({ issuer: server.issuer, origin: server.origin, clientKey: server.clientKey })
