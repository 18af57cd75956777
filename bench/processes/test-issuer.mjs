/** The authorization server of the test kit, in a process of its own, so that its cost is not ours. */
import { createTestIssuer } from '../../dist/testing/index.js'

const as = await createTestIssuer()
const grant = { expiresInSeconds: 3600 }
console.log(JSON.stringify({ issuer: as.issuer, jwt: as.mintJwt(grant), opaque: as.issueOpaque(grant) }))
process.once('SIGTERM', () => void as.close())
