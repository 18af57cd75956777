/**
 * One call to the introspection endpoint: the question, the credentials, and an answer that can be read,
 * or an outage. What the answer means is decided elsewhere.
 *
 * @see RFC 7662 §2.1, §2.3
 */
import { UnavailableError, type OutageReason } from '../errors.js'
import { withinDeadline } from '../io/deadline.js'
import { HttpFailure, isJsonType, parseRetryAfter, type HttpResponse, type SendRequest } from '../io/http.js'
import type { AuthenticateClient, ClientProof } from './client-authentication.js'

/** Where to ask, and how the server's metadata says clients may authenticate there. */
export interface IntrospectionEndpoint {
  readonly url: string
  readonly authMethods: readonly string[] | undefined
}

export interface IntrospectionCallOptions {
  readonly issuer: string
  readonly settings: { readonly timeoutMs: number; readonly tokenTypeHint: boolean }
  readonly discoverEndpoint: () => IntrospectionEndpoint | Promise<IntrospectionEndpoint>
  readonly authenticate: AuthenticateClient
  readonly send: SendRequest
}

const MAX_BYTES = 256 * 1024

/**
 * @returns `call(token)`: the parsed JSON of a 200 answer, of whatever shape
 * @throws UnavailableError for everything else, within `timeoutMs`
 */
export function createIntrospectionCall(
  options: IntrospectionCallOptions,
): (token: string) => Promise<unknown> {
  const { issuer, settings } = options
  let sendHint = settings.tokenTypeHint

  async function ask(endpoint: IntrospectionEndpoint, proof: ClientProof, token: string, deadline: number) {
    const hint = sendHint ? { token_type_hint: 'access_token' } : {}
    const parameters = { token, ...hint, ...proof.parameters }
    return options.send({
      url: endpoint.url,
      method: 'POST',
      headers: {
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
        ...proof.headers,
      },
      body: new URLSearchParams(parameters).toString(),
      timeoutMs: Math.max(1, deadline - Date.now()),
      maxBytes: MAX_BYTES,
    })
  }

  async function answerOf(
    endpoint: IntrospectionEndpoint,
    token: string,
    deadline: number,
  ): Promise<HttpResponse> {
    const proof = await options.authenticate(endpoint.authMethods)
    const response = await ask(endpoint, proof, token, deadline)
    if (!sendHint || !isHintRefused(response)) return response
    // RFC 7662 §2.1 lets a server ignore the hint; one that refuses it is asked once more without
    sendHint = false
    const second = await ask(endpoint, await options.authenticate(endpoint.authMethods), token, deadline)
    if (second.status !== 200) sendHint = true
    return second
  }

  return async function call(token) {
    const deadline = Date.now() + settings.timeoutMs
    const endpoint = await withinDeadline(options.discoverEndpoint(), settings.timeoutMs, () =>
      outage('metadata_unavailable', { issuer, found: `no answer within ${settings.timeoutMs} ms` }),
    )
    try {
      return readAnswer(await answerOf(endpoint, token, deadline), endpoint.url, issuer)
    } catch (error) {
      if (!(error instanceof HttpFailure)) throw error
      throw outage('introspection_unavailable', {
        issuer,
        name: endpoint.url,
        found: error.message,
        cause: error,
      })
    }
  }
}

function isHintRefused(response: HttpResponse): boolean {
  return response.status === 400 && /"unsupported_token_type"/.test(response.body)
}

function readAnswer(response: HttpResponse, name: string, issuer: string): unknown {
  const { status, headers, body } = response
  if (status === 200 && isJsonType(headers['content-type'])) return parseAnswer(body, name, issuer)
  const found = status === 200 ? `content type ${String(headers['content-type'])}` : `status ${status}`
  const retryAfterSeconds = parseRetryAfter(headers['retry-after'], Date.now())
  throw outage(reasonOf(status), {
    issuer,
    name,
    found,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  })
}

/** Being refused ourselves says nothing about the caller's token (RFC 7662 §2.3). */
function reasonOf(status: number): OutageReason {
  if (status === 401 || status === 403) return 'introspection_credentials_refused'
  return status >= 500 || status === 429 ? 'introspection_unavailable' : 'introspection_answer_unusable'
}

function parseAnswer(body: string, name: string, issuer: string): unknown {
  try {
    return JSON.parse(body)
  } catch (error) {
    throw outage('introspection_answer_unusable', {
      issuer,
      name,
      found: 'a body that is not JSON',
      cause: error,
    })
  }
}

function outage(
  reason: OutageReason,
  details: ConstructorParameters<typeof UnavailableError>[1],
): UnavailableError {
  return new UnavailableError(reason, details)
}
