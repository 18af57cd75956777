/** One contestant in one process. Arguments: its file, and what it is told, as JSON. */
import crypto from 'node:crypto'
import http from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { pathToFileURL } from 'node:url'
import { answerCalls, cpuUsage } from './ipc.mjs'

const [, , file, json] = process.argv
const config = JSON.parse(json)
let unhandled = 0
let verifications = 0

process.on('unhandledRejection', (error) => {
  unhandled += 1
  console.error(`${config.name}: unhandled rejection`, error)
})
if (config.countVerifications) countVerifications()

const { default: create } = await import(pathToFileURL(file).href)
const server = http.createServer(await create(config))
server.keepAliveTimeout = 60_000
await new Promise((resolve) => server.listen(config.port, '127.0.0.1', 4096, resolve))

answerCalls({
  cpu: cpuUsage,
  memory: () => {
    globalThis.gc?.()
    globalThis.gc?.()
    return process.memoryUsage()
  },
  unhandled: () => unhandled,
  verifications: () => verifications,
})

/** Whatever way a contestant verifies signatures, it goes through one of these. */
function countVerifications() {
  count(crypto.webcrypto.subtle, 'verify', Object.getPrototypeOf(crypto.webcrypto.subtle))
  count(crypto, 'verify')
  count(crypto.Verify.prototype, 'verify')
  syncBuiltinESMExports()
}

function count(object, name, holder = object) {
  const original = holder[name]
  Object.defineProperty(holder, name, {
    configurable: true,
    writable: true,
    value: function verify(...args) {
      verifications += 1
      return original.apply(this, args)
    },
  })
}
