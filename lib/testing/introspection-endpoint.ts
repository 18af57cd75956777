/**
 * The introspection endpoint of the test issuer.
 *
 * @see RFC 7662 §2, and RFC 9701 §4, §5 for signed answers
 */
import { type Answer, type AnswerShape, methodNotAllowed, toAnswer } from './answers.js'
import type { AuthenticatesClient } from './client-authentication.js'
import type { RecordedRequest } from './request-log.js'

/** Takes the place of the answer, once the client is known and a token was sent. */
export type AnswerIntrospection = (
  token: string,
  request: RecordedRequest,
) => AnswerShape | Promise<AnswerShape>

export interface IntrospectionEndpoint {
  readonly answer: (request: RecordedRequest) => Promise<Answer>
  readonly replaceAnswer: (replacement: AnswerIntrospection | null) => void
}

const SIGNED_TYPE = 'application/token-introspection+jwt'
const NO_STORE = { 'cache-control': 'no-store' }

export function createIntrospectionEndpoint(
  authenticatesClient: AuthenticatesClient,
  introspect: (token: string) => object,
  signAnswer: (answer: object, clientId: string) => string,
): IntrospectionEndpoint {
  let replacement: AnswerIntrospection | null = null

  async function answerShape(request: RecordedRequest): Promise<AnswerShape> {
    const { headers } = request
    if (!isForm(headers['content-type'])) return refusal(400, 'invalid_request')
    const parameters = new URLSearchParams(request.body)
    const clientId = await authenticatesClient(request, parameters)
    if (clientId === undefined) return invalidClient()
    const [token, ...more] = parameters.getAll('token')
    if (token === undefined || more.length > 0) return refusal(400, 'invalid_request')
    if (replacement) return replacement(token, request)
    const answer = introspect(token)
    if (!headers.accept?.includes(SIGNED_TYPE)) return { headers: NO_STORE, body: answer }
    return { headers: { ...NO_STORE, 'content-type': SIGNED_TYPE }, body: signAnswer(answer, clientId) }
  }

  return {
    async answer(request) {
      return request.method === 'POST' ? toAnswer(await answerShape(request)) : methodNotAllowed('POST')
    },
    replaceAnswer(next) {
      replacement = next
    },
  }
}

function isForm(contentType: string | undefined): boolean {
  return /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(contentType ?? '')
}

function refusal(status: number, error: string, headers: Record<string, string> = {}): AnswerShape {
  return { status, headers: { ...NO_STORE, ...headers }, body: { error } }
}

function invalidClient(): AnswerShape {
  return refusal(401, 'invalid_client', { 'www-authenticate': 'Basic realm="test issuer"' })
}
