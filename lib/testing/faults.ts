/** What can go wrong between an answer and the one who waits for it, on a test's word. */
import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Answer, type AnswerShape, sendAnswer, setHead, toAnswer } from './answers.js'
import type { EndpointName } from './request-log.js'

export type FaultyEndpoint = Exclude<EndpointName, 'other'>

export type Fault =
  /** Another answer. */
  | ({ readonly kind: 'status'; readonly status: number } & AnswerShape)
  /** Another body under a status of success. */
  | {
      readonly kind: 'body'
      readonly body: string | Buffer
      readonly contentType?: string
      readonly status?: number
    }
  /** No answer until `heal`, which lets it go. */
  | { readonly kind: 'hang' }
  /** The right answer, as it was when asked for, after `until` has resolved. */
  | { readonly kind: 'delay'; readonly until: Promise<void> }
  /** The connection breaks before the first byte. */
  | { readonly kind: 'reset' }
  /** The connection breaks halfway through the right answer. */
  | { readonly kind: 'truncate' }
  /** Well-formed JSON of so many bytes, of undeclared length. */
  | { readonly kind: 'oversize'; readonly bytes: number }
  /** Status 302 unless given. */
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: number }

/** One request in need of an answer. */
export interface Exchange {
  readonly response: ServerResponse
  readonly answer: () => Promise<Answer>
}

export interface Faults {
  readonly fail: (endpoint: FaultyEndpoint, fault: Fault, options?: { readonly times?: number }) => void
  readonly heal: (endpoint?: FaultyEndpoint) => void
  /** Answers rightly, or as the test has planned. */
  readonly deliver: (endpoint: FaultyEndpoint, exchange: Exchange) => Promise<void>
}

interface Plan {
  /** Used up one by one, ahead of the standing fault. */
  counted: Fault[]
  standing: Fault | undefined
  /** Releases the requests that hang. */
  held: (() => void)[]
}

export function createFaults(): Faults {
  const plans: Readonly<Record<FaultyEndpoint, Plan>> = {
    metadata: noFaults(),
    jwks: noFaults(),
    introspection: noFaults(),
  }

  return {
    fail(endpoint, fault, { times } = {}) {
      if (times === undefined) plans[endpoint].standing = fault
      else plans[endpoint].counted.push(...Array.from({ length: times }, () => fault))
    },
    heal(endpoint) {
      const healed = endpoint === undefined ? Object.values(plans) : [plans[endpoint]]
      for (const plan of healed) {
        const { held } = plan
        Object.assign(plan, noFaults())
        for (const release of held) release()
      }
    },
    async deliver(endpoint, exchange) {
      const plan = plans[endpoint]
      const fault = plan.counted.shift() ?? plan.standing
      const answer = fault ? await applyFault(fault, exchange, hold) : await exchange.answer()
      if (answer) sendAnswer(exchange.response, answer)

      function hold(): Promise<void> {
        return new Promise((resolve) => plan.held.push(resolve))
      }
    },
  }
}

function noFaults(): Plan {
  return { counted: [], standing: undefined, held: [] }
}

/** @returns what is left to be sent, if anything. */
async function applyFault(
  fault: Fault,
  { response, answer }: Exchange,
  hold: () => Promise<void>,
): Promise<Answer | undefined> {
  switch (fault.kind) {
    case 'status':
      return toAnswer(fault)
    case 'body': {
      const { status = 200, contentType = 'application/json', body } = fault
      return { status, headers: { 'content-type': contentType }, body }
    }
    case 'redirect':
      return toAnswer({ status: fault.status ?? 302, headers: { location: fault.location } })
    case 'hang':
      return answerAfter(hold(), answer)
    case 'delay':
      return answerAfter(fault.until, answer)
    case 'reset':
      response.socket?.resetAndDestroy()
      return undefined
    case 'truncate':
      sendHalf(response, await answer())
      return undefined
    case 'oversize':
      await sendPadding(response, fault.bytes)
      return undefined
  }
}

/** The answer is made at once and only held back, as by a slow network. */
async function answerAfter(gate: Promise<void>, answer: Exchange['answer']): Promise<Answer> {
  const [made] = await Promise.all([answer(), gate])
  return made
}

function sendHalf(response: ServerResponse, answer: Answer): void {
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  setHead(response, { ...answer, headers: { ...answer.headers, 'content-length': String(body.length + 1) } })
  response.write(body.subarray(0, Math.ceil(body.length / 2)), () => response.destroy())
}

async function sendPadding(response: ServerResponse, bytes: number): Promise<void> {
  setHead(response, { status: 200, headers: { 'content-type': 'application/json' } })
  try {
    await pipeline(Readable.from(paddedJson(bytes)), response)
  } catch (error) {
    // the client has hung up, as it should
    if (!response.destroyed) throw error
  }
}

const CHUNK_BYTES = 65_536

function* paddedJson(bytes: number): Generator<Buffer> {
  const opening = '{"padding":"'
  const closing = '"}'
  yield Buffer.from(opening)
  for (let left = bytes - opening.length - closing.length; left > 0; left -= CHUNK_BYTES) {
    yield Buffer.alloc(Math.min(left, CHUNK_BYTES), 'x')
  }
  yield Buffer.from(closing)
}
