/** Every request that reached the test issuer, so that a test can count, read and await them. */
import type { IncomingHttpHeaders } from 'node:http'

export type EndpointName = 'metadata' | 'jwks' | 'introspection' | 'other'

export interface RecordedRequest {
  readonly method: string
  /** The endpoint by name; `url` tells the two addresses of the metadata apart. */
  readonly path: EndpointName
  /** Path and query as received. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** The base64url SHA-256 of the certificate that the client showed, if any. */
  readonly certificateThumbprint?: string | undefined
}

export interface RequestLog {
  readonly requests: readonly RecordedRequest[]
  readonly record: (request: RecordedRequest) => void
  readonly count: (endpoint?: EndpointName) => number
  readonly nextRequest: (endpoint: EndpointName) => Promise<RecordedRequest>
  readonly reset: () => void
}

export function createRequestLog(): RequestLog {
  const requests: RecordedRequest[] = []
  const waiting = new Map<EndpointName, ((request: RecordedRequest) => void)[]>()

  return {
    requests,
    record(request) {
      requests.push(request)
      const resolvers = waiting.get(request.path) ?? []
      waiting.delete(request.path)
      for (const resolve of resolvers) resolve(request)
    },
    count(endpoint) {
      return endpoint === undefined
        ? requests.length
        : requests.filter(({ path }) => path === endpoint).length
    },
    nextRequest(endpoint) {
      return new Promise((resolve) => {
        waiting.set(endpoint, [...(waiting.get(endpoint) ?? []), resolve])
      })
    },
    reset() {
      requests.length = 0
    },
  }
}
