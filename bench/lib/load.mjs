/**
 * Load over plain sockets: requests encoded beforehand and just enough of a parser for the answers, so
 * that one core can drive a server on the other.
 */
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { performance } from 'node:perf_hooks'
import { median } from './stats.mjs'
import { zipf } from './tokens.mjs'

const END_OF_HEAD = Buffer.from('\r\n\r\n')
const LAST_CHUNK = Buffer.from('0\r\n\r\n')
const MAX_LATENCIES = 4_000_000
const PATH = '/protected'

/** The length of the answer that a buffer begins with, or -1 while it is incomplete. */
function answerLength(buffer) {
  const end = buffer.indexOf(END_OF_HEAD)
  if (end < 0) return -1
  const head = buffer.latin1Slice(0, end)
  const length = /\r\ncontent-length: (\d+)/i.exec(head)
  if (length) {
    const total = end + 4 + Number(length[1])
    return buffer.length >= total ? total : -1
  }
  if (!/\r\ntransfer-encoding: chunked/i.test(head)) return end + 4
  const last = buffer.indexOf(LAST_CHUNK, end)
  return last < 0 ? -1 : last + 5
}

const statusOf = (answer) => (answer[9] - 48) * 100 + (answer[10] - 48) * 10 + (answer[11] - 48)

function encodeRequest(port, token, fields = '') {
  const authorization = token === null ? '' : `Authorization: Bearer ${token}\r\n`
  const head = `GET ${PATH} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${authorization}`
  return Buffer.from(`${head}Accept: */*\r\nUser-Agent: bench\r\n${fields}\r\n`, 'latin1')
}

const pools = new Map()
function tokensOf({ tokens, file }) {
  if (tokens) return tokens
  if (!pools.has(file)) pools.set(file, JSON.parse(readFileSync(file, 'utf8')).tokens)
  return pools.get(file)
}

/** The next request to send, or null when there is none left. */
function createPicker(requests, order) {
  let next = 0
  if (order === 'zipf') {
    const draw = zipf(requests.length)
    return () => requests[draw()]
  }
  if (order === 'once') return () => requests[next++] ?? null
  return () => requests[next++ % requests.length]
}

/**
 * A closed loop on kept-alive connections for `ms` milliseconds.
 * @param job `{ port, tokens | file, from, count, order: 'cycle' | 'zipf' | 'once', connections, ms }`
 */
export function runLoad(job) {
  const cpuAtStart = process.cpuUsage()
  const tokens = tokensOf(job)
  const from = job.from ?? 0
  const count = job.count ?? tokens.length - from
  const requests = tokens.slice(from, from + count).map((token) => encodeRequest(job.port, token))
  const pick = createPicker(requests, job.order)
  const latencies = new Float32Array(MAX_LATENCIES)
  const status = {}
  const sockets = new Set()
  let done = 0
  let errors = 0
  let stopped = false

  return new Promise((resolve) => {
    const startedAt = performance.now()
    const until = startedAt + job.ms
    let endedAt = startedAt
    const giveUp = setTimeout(
      () => {
        stopped = true
        for (const socket of sockets) socket.destroy()
      },
      job.ms + (job.graceMs ?? 15_000),
    )

    function finish() {
      clearTimeout(giveUp)
      const seconds = (endedAt - startedAt) / 1000
      const sorted = latencies.subarray(0, Math.min(done, MAX_LATENCIES)).sort()
      const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
      const cpu = process.cpuUsage(cpuAtStart)
      const loaderUs = cpu.user + cpu.system
      resolve({
        done,
        errors,
        status,
        rps: done / seconds,
        p50: at(0.5),
        p99: at(0.99),
        max: at(1),
        loaderUs,
        loaderBusy: loaderUs / 1e6 / seconds,
      })
    }

    function connect() {
      const socket = net.connect({ port: job.port, host: '127.0.0.1', noDelay: true })
      sockets.add(socket)
      let sentAt = 0
      let pending
      let waiting = false

      function fire() {
        const request = stopped || performance.now() >= until ? null : pick()
        if (request === null) return socket.end()
        waiting = true
        sentAt = performance.now()
        socket.write(request)
      }

      socket.on('connect', fire)
      socket.on('data', (chunk) => {
        const answer = pending ? Buffer.concat([pending, chunk]) : chunk
        pending = answerLength(answer) < 0 ? answer : undefined
        if (pending) return
        endedAt = performance.now()
        if (done < MAX_LATENCIES) latencies[done] = endedAt - sentAt
        done += 1
        const code = statusOf(answer)
        status[code] = (status[code] ?? 0) + 1
        waiting = false
        fire()
      })
      // the close that follows is counted
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        if (waiting) {
          errors += 1
          endedAt = performance.now()
          if (!stopped && endedAt < until && errors < 1000) return connect()
        }
        if (sockets.size === 0) finish()
      })
    }
    for (let index = 0; index < job.connections; index += 1) connect()
  })
}

/** `count` requests with one token at the same moment, on connections opened beforehand. */
export async function herd({ port, token, count, timeoutMs = 20_000 }) {
  const clients = await Promise.all(Array.from({ length: count }, () => connectClient(port)))
  const answers = await Promise.all(clients.map((client) => client.request(token, timeoutMs)))
  for (const client of clients) client.close()
  const status = {}
  for (const answer of answers) status[answer.status] = (status[answer.status] ?? 0) + 1
  const times = answers.map((answer) => answer.ms)
  return { status, p50: median(times), max: Math.max(...times) }
}

/** One kept-alive connection, one request at a time, with the whole answer. */
export function connectClient(port) {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  let pending = Buffer.alloc(0)
  let settle = () => undefined
  socket.on('data', (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    const length = answerLength(pending)
    if (length < 0) return
    const answer = pending.subarray(0, length)
    pending = pending.subarray(length)
    settle({ status: statusOf(answer), answer })
  })
  socket.on('error', (error) => settle({ status: error.code }))
  socket.on('close', () => settle({ status: 'closed' }))

  const client = {
    isOpen: () => !socket.destroyed,
    close: () => socket.destroy(),
    /** @returns status (or the error's code), milliseconds, header fields asked for, and the body */
    request(token, timeoutMs = 40_000) {
      const sentAt = performance.now()
      return new Promise((resolve) => {
        const timer = setTimeout(() => settle({ status: 'no answer' }), timeoutMs)
        settle = ({ status, answer }) => {
          settle = () => undefined
          clearTimeout(timer)
          resolve({ status, ms: performance.now() - sentAt, ...readAnswer(answer) })
        }
        socket.write(encodeRequest(port, token))
      })
    },
  }
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(client))
    socket.once('error', () => resolve(client))
  })
}

function readAnswer(answer) {
  if (!answer) return {}
  const end = answer.indexOf(END_OF_HEAD)
  const head = answer.latin1Slice(0, end)
  return {
    challenge: /\r\nwww-authenticate: ([^\r]*)/i.exec(head)?.[1],
    retryAfter: /\r\nretry-after: ([^\r]*)/i.exec(head)?.[1],
    body: answer.utf8Slice(end + 4),
  }
}

/** One request on a connection of its own. */
export async function requestOnce({ port, token, timeoutMs }) {
  const client = await connectClient(port)
  const answer = await client.request(token, timeoutMs)
  client.close()
  return answer
}
