/** One contestant's app, called without sockets. Arguments: its file, and what it is told, as JSON. */
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { performance } from 'node:perf_hooks'
import { pathToFileURL } from 'node:url'
import { answerCalls } from './ipc.mjs'

const [, , file, json] = process.argv
const config = JSON.parse(json)
const tokens = config.tokens ?? JSON.parse(readFileSync(config.file, 'utf8')).tokens.slice(0, config.count)
// each request reads its header anew, as a fresh string, as from the HTTP parser
const headers = tokens.map((token) => Buffer.from(`Bearer ${token}`, 'latin1'))
/** Requests between two turns of the event loop, as under load. */
const BATCH = 32

const DONE = Symbol('done')
const { end } = http.ServerResponse.prototype
http.ServerResponse.prototype.end = function (...args) {
  const result = end.apply(this, args)
  this[DONE]?.(this.statusCode)
  return result
}

const nothing = () => undefined
const socket = {
  remoteAddress: '127.0.0.1',
  writable: true,
  destroyed: false,
  on: nothing,
  once: nothing,
  removeListener: nothing,
  emit: nothing,
  cork: nothing,
  uncork: nothing,
  write: () => true,
}

const { default: create } = await import(pathToFileURL(file).href)
const app = await create(config)
let next = 0
let refused = 0

function call(done) {
  const authorization = headers[next++ % headers.length].latin1Slice()
  const request = new http.IncomingMessage(socket)
  request.method = 'GET'
  request.url = '/protected'
  request.httpVersionMajor = 1
  request.httpVersionMinor = 1
  request.httpVersion = '1.1'
  const fields = [
    'Host',
    '127.0.0.1:80',
    'Authorization',
    authorization,
    'Accept',
    '*/*',
    'User-Agent',
    'bench',
  ]
  request._addHeaderLines(fields, fields.length)
  // after that: header lines of a complete request are trailers
  request.complete = true
  const response = new http.ServerResponse(request)
  response[DONE] = done
  app(request, response)
}

function run(ms) {
  return new Promise((resolve) => {
    const startedAt = performance.now()
    const until = startedAt + ms
    let count = 0
    let isLooping = false
    let again = false

    function finish() {
      resolve({ us: ((performance.now() - startedAt) * 1000) / count, refused })
    }

    function done(status) {
      if (status !== 200) refused += 1
      count += 1
      // answered at once: the loop goes on, and the stack does not grow
      if (isLooping) again = true
      else loop()
    }

    function loop() {
      isLooping = true
      do {
        again = false
        if (count % BATCH === BATCH - 1 && performance.now() >= until) {
          isLooping = false
          return setImmediate(finish)
        }
        call(done)
      } while (again && count % BATCH !== 0)
      isLooping = false
      if (again) setImmediate(loop)
    }
    loop()
  })
}

answerCalls({ run })
