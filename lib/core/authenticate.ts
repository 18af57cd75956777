/** A request, in the order of the questions: which token, is it valid, may this sender use it, is it still good? */
import type { AccessToken } from './access-token.js'
import { createHttpClient } from './io/http.js'
import { createPublicHttpClient } from './io/public-http.js'
import type { RefreshedValueHealth } from './io/refreshed-value.js'
import type { JwksHealth } from './issuer/jwks.js'
import { createSignatureVerification } from './issuer/signature.js'
import type { ResolvedOptions } from './options/options.js'
import type { IssuerOfTokens } from './revocation/issuer-of-tokens.js'
import { createRevocation, type RevocationPlane } from './revocation/revocation.js'
import { createConfirmation } from './sender-constraint/confirmation.js'
import type { VerifiedProof } from './sender-constraint/dpop.js'
import { createExtraction, type Credentials, type TokenRequest } from './token/extraction.js'
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
  /** A DPoP nonce to be sent along with the answer to an accepted request (RFC 9449 §8.2). */
  renewedNonce(request: TokenRequest): string | undefined
  /** Loads what the first request would have to wait for. @throws UnavailableError */
  ready(): Promise<void>
  /** What is known of revocations, and what comes to know it. */
  readonly revocation: RevocationPlane
  health(): readonly IssuerHealth[]
  close(): Promise<void>
}

export function createAuthenticator(options: ResolvedOptions): Authenticator {
  const http = createHttpClient(options.dispatcher)
  const publicHttp = createPublicHttpClient(options.dispatcher)
  const extractToken = createExtraction(options.extraction)
  const { send } = http
  // proofs and tokens of one turn of the event loop are verified in one go
  const verifySignature = createSignatureVerification()
  const connections = { send, sendPublic: publicHttp.send, verifySignature }
  const { validate, issuers } = createTokenValidation({ ...options, ...connections })
  const sender = createConfirmation({
    ...options.senderConstraint,
    verifySignature,
    ...(options.store && { store: options.store }),
  })
  const revocation = createRevocation({
    settings: options.revocation,
    // of issuers that a function names nothing is known before their tokens come
    issuers: options.resolution ? [] : issuers.open.map(toIssuerOfTokens),
    verifySignature,
    send,
  })
  const checkRevocation = (accessToken: AccessToken) => revocation.check(accessToken)

  function judge(
    { token }: Credentials,
    request: TokenRequest,
    proof: VerifiedProof | undefined,
  ): AccessToken | Promise<AccessToken> {
    const valid = validate(token, request)
    const confirmed =
      valid instanceof Promise
        ? valid.then((accessToken) => sender.confirm(accessToken, request, proof))
        : sender.confirm(valid, request, proof)
    return confirmed instanceof Promise ? confirmed.then(checkRevocation) : checkRevocation(confirmed)
  }

  return {
    authenticate(request) {
      const credentials = extractToken(request)
      const proving = sender.verifyProof(credentials, request)
      // nobody is asked about a token whose sender could not even make a proof (RFC 9449 §7)
      if (proving) return proving.then((proof) => judge(credentials, request, proof))
      return judge(credentials, request, undefined)
    },
    renewedNonce: (request) => sender.renewedNonce(request),
    async ready() {
      await Promise.all([http.ready(), ...issuers.open.map(readyIssuer), revocation.ready()])
    },
    revocation,
    health: () => issuers.open.map(toHealth),
    async close() {
      revocation.close()
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

const NO_INTROSPECTION = { introspect: undefined, introspectionTimeoutMs: 0, clientId: undefined }

function toIssuerOfTokens({ name, trusted, introspection }: TokenIssuer): IssuerOfTokens {
  const { settings, keys } = trusted
  const { aliases, allowInsecureHttp } = settings
  const known = { name, aliases, keys, allowInsecureHttp }
  if (!introspection || !settings.introspection) return { ...known, ...NO_INTROSPECTION }
  const { clientId, timeoutMs } = settings.introspection
  return {
    ...known,
    introspect: (token, digest, flight) => introspection.ask(token, digest, flight),
    introspectionTimeoutMs: timeoutMs,
    clientId,
  }
}
