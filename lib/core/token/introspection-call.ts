/**
 * One call to the introspection endpoint: the question, the credentials, and an answer that can be read,
 * or an outage. What the answer means is decided elsewhere.
 *
 * @see RFC 7662 §2.1, §2.3
 * @see RFC 9701 §4 for asking for a signed answer
 */
import { UnavailableError, type OutageDetails, type OutageReason } from '../errors.js'
import { withinDeadline } from '../io/deadline.js'
import { HttpFailure, isJsonType, parseRetryAfter, type HttpResponse, type SendRequest } from '../io/http.js'
import { BearerTokenFailure, type AuthenticateClient, type ClientProof } from './client-authentication.js'
import { SIGNED_ANSWER_TYPE, type ReadSignedAnswer } from './introspection-jwt.js'

/** Where to ask, and what the server's metadata says about asking there. */
export interface IntrospectionEndpoint {
  readonly url: string
  /** How clients may authenticate. */
  readonly authMethods: readonly string[] | undefined
  /** How answers may be signed. */
  readonly signingAlgorithms: readonly string[] | undefined
}

export interface IntrospectionCallOptions {
  readonly issuer: string
  readonly settings: { readonly timeoutMs: number; readonly tokenTypeHint: boolean }
  readonly discoverEndpoint: () => IntrospectionEndpoint | Promise<IntrospectionEndpoint>
  readonly authenticate: AuthenticateClient
  /** Undefined: answers come as plain JSON. */
  readonly readSignedAnswer: ReadSignedAnswer | undefined
  readonly send: SendRequest
}

const MAX_BYTES = 256 * 1024
/** A client is not told to stay away for longer, whatever the server says. */
const MAX_RETRY_AFTER_SECONDS = 3600

/**
 * @returns `call(token)`: the answer of status 200, parsed, of whatever shape
 * @throws UnavailableError for everything else, within `timeoutMs`
 */
export function createIntrospectionCall(
  options: IntrospectionCallOptions,
): (token: string) => Promise<unknown> {
  const { issuer, settings, readSignedAnswer } = options
  const accept = readSignedAnswer ? SIGNED_ANSWER_TYPE : 'application/json'
  let sendsHint = settings.tokenTypeHint
  let hintIsTaken = false

  function prove(endpoint: IntrospectionEndpoint, deadline: number): ClientProof | Promise<ClientProof> {
    const proof = options.authenticate(endpoint.authMethods)
    if (!(proof instanceof Promise)) return proof
    return withinDeadline(
      proof,
      deadline - Date.now(),
      () => new BearerTokenFailure('bearerToken: no token in time'),
    )
  }

  async function ask(
    endpoint: IntrospectionEndpoint,
    token: string,
    deadline: number,
  ): Promise<HttpResponse> {
    const proof = await prove(endpoint, deadline)
    const hint = sendsHint ? { token_type_hint: 'access_token' } : {}
    return options.send({
      url: endpoint.url,
      method: 'POST',
      headers: { accept, 'content-type': 'application/x-www-form-urlencoded', ...proof.headers },
      body: new URLSearchParams({ token, ...hint, ...proof.parameters }).toString(),
      timeoutMs: Math.max(1, deadline - Date.now()),
      maxBytes: MAX_BYTES,
    })
  }

  /** RFC 7662 §2.1 lets a server ignore the hint; one that refuses it is asked once more without. */
  async function askWithHint(
    endpoint: IntrospectionEndpoint,
    token: string,
    deadline: number,
  ): Promise<HttpResponse> {
    const response = await ask(endpoint, token, deadline)
    if (!sendsHint) return response
    // a hint once taken is never at fault: then it is the token that the server cannot stomach
    if (response.status === 200) hintIsTaken = true
    if (hintIsTaken || !isHintRefused(response)) return response
    sendsHint = false
    const second = await ask(endpoint, token, deadline)
    if (second.status !== 200) sendsHint = true
    return second
  }

  async function read(
    response: HttpResponse,
    endpoint: IntrospectionEndpoint,
    deadline: number,
  ): Promise<unknown> {
    const { url: name, signingAlgorithms } = endpoint
    const body = readBody(response, readSignedAnswer ? isSignedType : isJsonType, { issuer, name })
    if (!readSignedAnswer) return parseAnswer(body, { issuer, name })
    // the keys may have to be fetched
    return withinDeadline(readSignedAnswer(body, signingAlgorithms), deadline - Date.now(), () =>
      outage('keys_unavailable', { issuer, found: `no keys within ${settings.timeoutMs} ms` }),
    )
  }

  return async function call(token) {
    const deadline = Date.now() + settings.timeoutMs
    const endpoint = await withinDeadline(options.discoverEndpoint(), settings.timeoutMs, () =>
      outage('metadata_unavailable', { issuer, found: `no answer within ${settings.timeoutMs} ms` }),
    )
    try {
      return await read(await askWithHint(endpoint, token, deadline), endpoint, deadline)
    } catch (error) {
      throw toOutage(error, { issuer, name: endpoint.url })
    }
  }
}

function isHintRefused(response: HttpResponse): boolean {
  return response.status === 400 && /"unsupported_token_type"/.test(response.body)
}

function isSignedType(contentType: string | string[] | undefined): boolean {
  return (
    typeof contentType === 'string' &&
    contentType.split(';', 1)[0]?.trim().toLowerCase() === SIGNED_ANSWER_TYPE
  )
}

function readBody(
  { status, headers, body }: HttpResponse,
  isWanted: typeof isJsonType,
  where: OutageDetails,
): string {
  const contentType = headers['content-type']
  if (status === 200 && isWanted(contentType)) return body
  const found =
    status === 200 ? `content type ${String(contentType)}` : `status ${status}${describeRefusal(body)}`
  const retryAfter = parseRetryAfter(headers['retry-after'], Date.now())
  throw outage(reasonOf(status), {
    ...where,
    found,
    ...(retryAfter === undefined ? {} : { retryAfterSeconds: Math.min(retryAfter, MAX_RETRY_AFTER_SECONDS) }),
  })
}

/** WSO2's filter before the endpoint says so in a JSON of its own, whatever the credentials were. */
function describeRefusal(body: string): string {
  return /"traceId"\s*:/.test(body) && /"code"\s*:/.test(body) ? ' in the form of WSO2 Identity Server' : ''
}

/** Being refused ourselves says nothing about the caller's token (RFC 7662 §2.3). */
function reasonOf(status: number): OutageReason {
  if (status === 401 || status === 403) return 'introspection_credentials_refused'
  return status >= 500 || status === 429 ? 'introspection_unavailable' : 'introspection_answer_unusable'
}

function parseAnswer(body: string, where: OutageDetails): unknown {
  try {
    return JSON.parse(body)
  } catch {
    // a SyntaxError quotes the body, which may repeat the token
    throw outage('introspection_answer_unusable', { ...where, found: 'a body that is not JSON' })
  }
}

/** A failure that has a name becomes an outage; a bug stays what it is. */
function toOutage(error: unknown, where: OutageDetails): unknown {
  if (error instanceof BearerTokenFailure) {
    return outage('introspection_credentials_unavailable', { ...where, found: error.message, cause: error })
  }
  if (!(error instanceof HttpFailure)) return error
  const isAnswer = error.kind === 'too_large' || error.kind === 'not_utf8'
  const reason = isAnswer ? 'introspection_answer_unusable' : 'introspection_unavailable'
  return outage(reason, { ...where, found: error.message, cause: error })
}

function outage(reason: OutageReason, details: OutageDetails): UnavailableError {
  return new UnavailableError(reason, details)
}
