// Sends the requests of the demo, prints each with its answer, and compares the answer with what was announced.
import { inspect } from 'node:util'

const useColour = Boolean(process.stdout.isTTY) && !process.env.NO_COLOR
const paint = (code) => (text) => (useColour ? `\x1b[${code}m${text}\x1b[0m` : text)
const [bold, red, green, cyan] = ['1', '31', '32', '36'].map(paint)

const JUDGED = {
  verification: 'verified here, with the published keys of the authorization server',
  introspection: 'introspected: the authorization server was asked',
  cache: 'from cache: found good a moment ago',
}

/** @param origin of the API */
export function createTranscript({ origin }) {
  const tokens = {}
  const differing = []
  let count = 0
  let pending // what the API says during a request is shown after the answer

  const tell = (line) => (pending ? pending.lines.push(line) : console.log(line))

  return {
    say: (text) => console.log(`\n${text}`),
    /** A command that belongs to no numbered request. */
    show: (command) => console.log(`\n    ${cyan(command)}`),
    /** From here on `$name` stands for the token, in the reader's shell too. `command` says how it came about. */
    export(name, token, command) {
      tokens[name] = token
      console.log(`\n    ${cyan(command)}\n    export ${name}=${token}`)
    },
    /** For the hook `onRefusal`. */
    onRefusal(event) {
      tell(`    operator  ${toLine(event)}`)
      if (pending) pending.reason = event.reason
    },
    /** For the library's advice to the developer. */
    onWarning: ({ message }) => tell(`    warning   ${message}`),
    /**
     * @param token the name of an exported token, or undefined
     * @param expected `status`, and any of `challenge` (a part of it), `reason`, `format`, `source`, `retryAfter`
     */
    async request(title, { method = 'GET', token, ...expected }) {
      count += 1
      const heading = `${count}. ${title}`
      console.log(`\n${bold(heading)}`)
      console.log(`    ${cyan(toCurl(origin, method, token))}`)
      pending = { lines: [] }
      const seen = await send(`${origin}/orders`, method, tokens[token])
      const { lines, reason } = pending
      pending = undefined
      print(seen)
      for (const line of lines) console.log(line)
      const differences = compare(expected, { ...seen, reason })
      if (differences.length > 0) differing.push(heading)
      for (const difference of differences) console.log(red(`    not as announced: ${difference}`))
      return seen
    },
    /** @returns whether every request was answered as announced */
    end() {
      const colour = differing.length === 0 ? green : red
      console.log(
        `\n${colour(`${count - differing.length} of ${count} requests were answered as announced.`)}`,
      )
      for (const heading of differing) console.log(red(`  differs: ${heading}`))
      return differing.length === 0
    },
  }
}

function toCurl(origin, method, token) {
  const how = method === 'GET' ? '' : ` -X ${method}`
  const credentials = token === undefined ? '' : ` -H "Authorization: Bearer $${token}"`
  return `curl -i${how}${credentials} ${origin}/orders`
}

async function send(url, method, token) {
  const startedAt = performance.now()
  const response = await fetch(url, {
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  })
  const body = await response.json()
  return {
    status: response.status,
    statusText: response.statusText,
    milliseconds: performance.now() - startedAt,
    challenge: response.headers.get('www-authenticate') ?? undefined,
    retryAfter: response.headers.get('retry-after') ?? undefined,
    format: body.format,
    source: body.source,
  }
}

function print({ status, statusText, milliseconds, challenge, retryAfter, format, source }) {
  const colour = status < 400 ? green : red
  console.log(`    ${colour(`${status} ${statusText}`)}  ${milliseconds.toFixed(1)} ms`)
  if (challenge) console.log(`    WWW-Authenticate: ${challenge}`)
  if (retryAfter) console.log(`    Retry-After: ${retryAfter}`)
  if (source) console.log(`    judged    ${format}, ${JUDGED[source]}`)
}

/** What the hook `onRefusal` was told. The values may be a stranger's: quoted, and cut. */
function toLine({ reason, name, expected, found }) {
  const evidence = Object.entries({ name, expected, found }).filter(([, value]) => value !== undefined)
  const shown = evidence.map(
    ([key, value]) => `${key} ${inspect(value, { breakLength: Infinity, maxStringLength: 80 })}`,
  )
  return [reason, ...shown].join(', ')
}

function compare(expected, seen) {
  return Object.entries(expected)
    .filter(([key, value]) => (key === 'challenge' ? !seen[key]?.includes(value) : seen[key] !== value))
    .map(([key, value]) => `${key} should be ${value}, is ${seen[key]}`)
}
