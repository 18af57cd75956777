/** The address to which WSO2 Identity Server or Asgardeo says that something was revoked. */
import type { ServerResponse } from 'node:http'
import { ConfigurationError, UnavailableError } from '../core/errors.js'
import { isSigned, parseWso2Event } from '../core/revocation/wso2-events.js'
import { BodyError, readRawBody } from './body.js'
import { REVOCATION, type ExpressRequest, type Handler } from './request.js'
import type { ResourceServer } from './resource-server.js'

/** Options of `wso2Events()`. */
export interface Wso2EventsOptions {
  /** The webhook's secret, at least 16 characters. Required: the events are not signed otherwise. */
  readonly secret: string
  /** The trusted issuer whose tokens are meant. Required where several are trusted. */
  readonly tokenIssuer?: string
  /** Topics (`hub.topic`) that this API wants to be subscribed to, for the WebSub challenge of Asgardeo. Default: any. */
  readonly topics?: readonly string[]
}

const MAX_BYTES = 256 * 1024
const SIGNATURE_HEADERS = ['x-wso2-event-signature', 'x-hub-signature']

/**
 * Makes the handler of WSO2 webhooks. They name a user and applications but no token, so matching tokens that
 * were issued up to the event become suspect: configure `introspection`, by which each is asked about once.
 *
 * Mount it with `app.use`, before `resourceServer` and before `express.json()`: the signature is over the
 * bytes, and GET answers the WebSub challenge.
 *
 * @throws ConfigurationError if there is no secret, or no saying whose tokens are meant
 * @example app.use('/wso2-events', wso2Events(server, { secret: process.env.WSO2_WEBHOOK_SECRET }))
 */
export function wso2Events(server: ResourceServer, options: Wso2EventsOptions): Handler {
  const plane = server[REVOCATION]
  const { secret, tokenIssuer, topics } = options
  if (typeof secret !== 'string' || secret.length < 16) {
    throw new ConfigurationError(
      'wso2Events.secret',
      'wso2Events: secret must be a string of at least 16 characters',
    )
  }
  const only = plane.issuers.length === 1 ? plane.issuers[0] : undefined
  const issuer = tokenIssuer === undefined ? only : plane.findIssuer(tokenIssuer)
  if (!issuer) {
    throw new ConfigurationError(
      'wso2Events.tokenIssuer',
      'wso2Events: tokenIssuer must name one of the trusted issuers',
    )
  }
  const feed = plane.feeds.open({ name: 'wso2 events', issuers: [issuer.name] })

  async function receive(request: ExpressRequest): Promise<number> {
    const body = await readRawBody(request, MAX_BYTES)
    const signature = SIGNATURE_HEADERS.map((name) => request.headers[name]).find(
      (value) => value !== undefined,
    )
    if (!body || !isSigned(body, typeof signature === 'string' ? signature : undefined, secret)) return 401
    const event = parseWso2Event(parse(body), issuer?.name ?? '', feed.name)
    if (!event) return 400
    const name = `wso2 ${issuer?.name ?? ''} ${event.jti ?? ''}`
    if (event.jti !== undefined && (await plane.seenOnce.has(name))) return 202
    for (const record of event.records) await plane.revocations.record(record)
    if (event.jti !== undefined) await plane.seenOnce.remember(name, plane.settings.maxTokenLifetimeSeconds)
    feed.event()
    return 202
  }

  return function wso2Events(request, response, next) {
    if (request.method === 'GET') return answerChallenge(request, response, topics)
    if (request.method !== 'POST') return answer(response, 405)
    receive(request).then(
      (status) => answer(response, status),
      (error: unknown) => {
        if (error instanceof BodyError) return answer(response, error.status)
        if (error instanceof UnavailableError) return answer(response, 503)
        next(error)
      },
    )
  }
}

/** WebSub §5.3: whoever wants to subscribe us must find that we want it. Only plain characters are echoed. */
function answerChallenge(
  request: ExpressRequest,
  response: ServerResponse,
  topics: readonly string[] | undefined,
): void {
  const [, search = ''] = (request.url ?? '').split('?', 2)
  const query = new URLSearchParams(search)
  const challenge = query.get('hub.challenge') ?? ''
  const isOurs = topics === undefined || topics.includes(query.get('hub.topic') ?? '')
  if (!isOurs || !/^[\w\-.~+/=]{1,512}$/.test(challenge)) return answer(response, 404)
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.end(challenge)
}

function answer(response: ServerResponse, status: number): void {
  response.statusCode = status
  response.setHeader('Cache-Control', 'no-store')
  response.end()
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    // a SyntaxError is the parser's way to say "not JSON"
    return undefined
  }
}
