/** A request, in the order of the questions: which token, is it valid, and whose is it? */
import type { AccessToken } from './access-token.js'
import { createHttpClient } from './io/http.js'
import { createPublicHttpClient } from './io/public-http.js'
import type { RefreshedValueHealth } from './io/refreshed-value.js'
import type { JwksHealth } from './issuer/jwks.js'
import type { ResolvedOptions } from './options/options.js'
import { createExtraction, type TokenRequest } from './token/extraction.js'
import type { IntrospectionHealth } from './token/introspection.js'
import type { TokenIssuer } from './token/token-issuer.js'
import { createTokenValidation } from './token/validation.js'

/** What is known of one issuer at this moment. */
export interface IssuerHealth {
  readonly issuer: string
  readonly metadata: RefreshedValueHealth
  /** Undefined where JWTs are not verified here. */
  readonly keys: JwksHealth | undefined
  /** Undefined where opaque tokens are not accepted. */
  readonly introspection: IntrospectionHealth | undefined
  /** JWTs whose facts are remembered. */
  readonly cachedJwts: number
}

export interface Authenticator {
  /**
   * At once where nothing has to be asked, else as a promise.
   * @throws OAuthError @throws UnavailableError (or rejects with them)
   */
  authenticate(request: TokenRequest): AccessToken | Promise<AccessToken>
  /** Loads what the first request would have to wait for. @throws UnavailableError */
  ready(): Promise<void>
  health(): readonly IssuerHealth[]
  close(): Promise<void>
}

export function createAuthenticator(options: ResolvedOptions): Authenticator {
  const http = createHttpClient(options.dispatcher)
  const publicHttp = createPublicHttpClient(options.dispatcher)
  const extractToken = createExtraction(options.extraction)
  const { validate, issuers } = createTokenValidation({
    ...options,
    send: http.send,
    sendPublic: publicHttp.send,
  })

  return {
    authenticate(request) {
      const token = extractToken(request)
      return validate(token, request)
    },
    async ready() {
      await Promise.all([http.ready(), ...issuers.open.map(readyIssuer)])
    },
    health: () => issuers.open.map(toHealth),
    async close() {
      await Promise.all([issuers.close(), http.close(), publicHttp.close()])
    },
  }
}

async function readyIssuer({ trusted, validateJwt, introspection }: TokenIssuer): Promise<void> {
  const needsKeys = validateJwt && trusted.settings.jwt !== false && !trusted.settings.jwt.secret
  await Promise.all([needsKeys && trusted.keys.ready(), introspection?.ready()])
}

function toHealth({ trusted, name, validateJwt, verified, introspection }: TokenIssuer): IssuerHealth {
  return {
    issuer: name,
    metadata: trusted.metadataHealth(),
    keys: validateJwt && trusted.keys.health(),
    introspection: introspection?.health(),
    cachedJwts: verified.size,
  }
}
