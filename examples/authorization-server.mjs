// The authorization server of the demo alone, for the examples:  node examples/authorization-server.mjs [port]
import { startAuthorizationServer } from './demo/authorization-server.mjs'

const { issuer } = await startAuthorizationServer({ port: Number(process.argv[2] ?? 4010) })
console.log(`listening on ${issuer}`)
