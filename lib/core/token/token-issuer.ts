/** One trusted issuer, with what judges its tokens and what is remembered of them. */
import { UnavailableError } from '../errors.js'
import { createCache, type Cache } from '../io/cache.js'
import type { SendRequest } from '../io/http.js'
import type { Store } from '../io/store.js'
import type { IssuerMetadata } from '../issuer/discovery.js'
import type { Profile } from '../issuer/profiles.js'
import { isOnHost } from '../issuer/discovery.js'
import { createTrustedIssuer, type IssuerSettings, type TrustedIssuer } from '../issuer/trusted-issuers.js'
import { withRefinedClaims, type RefineClaims } from './claims-refinement.js'
import { usesCertificate } from './client-authentication.js'
import { createCommonValues } from './common-values.js'
import { createDecryption } from './decryption.js'
import type { IntrospectionEndpoint } from './introspection-call.js'
import { createIntrospection, type Introspection, type IntrospectionSettings } from './introspection.js'
import type { DecodedJwt } from '../issuer/jwt-format.js'
import { createJwtValidation, type JwtSettings, type VerifiedJwt } from './jwt.js'
import type { VerifySignature } from '../issuer/signature.js'

/** How tokens of one issuer are judged. */
export interface TokenIssuerSettings extends IssuerSettings {
  readonly audience: readonly string[]
  readonly profile: Profile
  /** False: JWTs of this issuer are introspected like opaque tokens. */
  readonly jwt: JwtSettings | false
  readonly introspection: IntrospectionSettings | undefined
  /** Named by a function and not by the list: its addresses come from data. */
  readonly isDynamic: boolean
}

/** How the outside is reached. */
export interface Connections {
  readonly send: SendRequest
  /** Refuses to connect to private addresses. */
  readonly sendPublic: SendRequest
}

export interface TokenIssuer {
  readonly trusted: TrustedIssuer<TokenIssuerSettings>
  /** The issuer identifier. */
  readonly name: string
  /** JWTs found good, by the digest of the token. */
  readonly verified: Cache<VerifiedJwt>
  /** Undefined where JWTs are not verified here. */
  readonly validateJwt: ((jwt: DecodedJwt) => Promise<VerifiedJwt>) | undefined
  /** Undefined where tokens come unencrypted. */
  readonly decrypt: ((token: string) => Promise<DecodedJwt>) | undefined
  /** Undefined where opaque tokens are not accepted. */
  readonly introspection: Introspection | undefined
  close(): Promise<void>
}

/** What the issuers have in common. */
interface Shared {
  readonly send: SendRequest
  readonly verifySignature: VerifySignature
  readonly store: Store | undefined
}

/** A store, and the part of it that only these nodes can have written. */
export interface SharedMemory extends Store {
  readonly sealed?: Store
}

/** What all issuers share. */
export interface TokenIssuerTools extends Connections {
  readonly verifySignature: VerifySignature
  /** What several nodes share, if anything: introspection answers, and sealed the keys. */
  readonly store?: SharedMemory | undefined
  /** Undefined: claims are taken as they are. */
  readonly refineClaims: RefineClaims | undefined
}

export function createTokenIssuer(
  settings: TokenIssuerSettings,
  { verifySignature, refineClaims, store, ...connections }: TokenIssuerTools,
): TokenIssuer {
  const send = selectConnection(settings, connections)
  const trusted = createTrustedIssuer(settings, send, store?.sealed)
  const { keys } = trusted
  const { jwt } = settings
  const validateJwt =
    jwt === false ? undefined : createJwtValidation({ ...settings, jwt, keys, verifySignature })
  const introspection =
    settings.introspection &&
    createIssuerIntrospection(trusted, settings.introspection, { send, verifySignature, store })
  return {
    trusted,
    name: settings.issuer,
    verified: createCache<VerifiedJwt>(jwt === false ? 0 : jwt.cacheMaxEntries),
    validateJwt: validateJwt && refineClaims ? withRefinedFacts(validateJwt, refineClaims) : validateJwt,
    decrypt:
      jwt !== false && jwt.decryptionKeys.length > 0 ? createDecryption(jwt.decryptionKeys) : undefined,
    introspection:
      introspection && refineClaims ? withRefinedClaims(introspection, refineClaims) : introspection,
    async close() {
      trusted.close()
      await introspection?.close()
    },
  }
}

function withRefinedFacts(
  validateJwt: NonNullable<TokenIssuer['validateJwt']>,
  refineClaims: RefineClaims,
): NonNullable<TokenIssuer['validateJwt']> {
  return async function validateRefined(jwt) {
    const verified = await validateJwt(jwt)
    return { ...verified, facts: refineClaims(verified.facts) }
  }
}

/** What came from data leads into one's own network only where the host is listed (RFC 8725 §3.10). */
function selectConnection(
  { isDynamic, metadata: { allowedHosts = [] } }: TokenIssuerSettings,
  { send, sendPublic }: Connections,
): SendRequest {
  if (!isDynamic) return send
  return (request) => (isOnHost(request.url, allowedHosts) ? send(request) : sendPublic(request))
}

function createIssuerIntrospection(
  trusted: TrustedIssuer<TokenIssuerSettings>,
  introspection: IntrospectionSettings,
  shared: Shared,
): Introspection {
  const { issuer, aliases, audience, profile, jwt } = trusted.settings
  return createIntrospection({
    issuer,
    issuerNames: [issuer, ...aliases],
    audience,
    profile,
    allowMissingAudience: introspection.allowMissingAudience,
    common: createCommonValues(),
    clockToleranceSeconds: jwt === false ? DEFAULT_CLOCK_TOLERANCE_SECONDS : jwt.clockToleranceSeconds,
    settings: introspection,
    discoverEndpoint: endpointOf(trusted, introspection),
    keys: trusted.keys,
    ...shared,
  })
}

const DEFAULT_CLOCK_TOLERANCE_SECONDS = 30

/** The endpoint that was given, or the one that the metadata names for this way of authenticating. */
function endpointOf(
  trusted: TrustedIssuer<TokenIssuerSettings>,
  settings: IntrospectionSettings,
): () => IntrospectionEndpoint | Promise<IntrospectionEndpoint> {
  const { endpoint } = settings
  if (endpoint !== undefined) {
    return () => ({ url: endpoint, authMethods: undefined, signingAlgorithms: undefined })
  }
  const isByCertificate = usesCertificate(settings)

  function toEndpoint(metadata: IssuerMetadata): IntrospectionEndpoint {
    const alias = isByCertificate ? metadata.introspectionMtlsEndpoint : undefined
    const url = alias ?? metadata.introspectionEndpoint
    if (url === undefined) {
      throw new UnavailableError('introspection_endpoint_unknown', { issuer: trusted.settings.issuer })
    }
    const { introspectionAuthMethods, introspectionSigningAlgorithms } = metadata
    return { url, authMethods: introspectionAuthMethods, signingAlgorithms: introspectionSigningAlgorithms }
  }

  return function discoverEndpoint() {
    const metadata = trusted.metadata()
    return metadata instanceof Promise ? metadata.then(toEndpoint) : toEndpoint(metadata)
  }
}
