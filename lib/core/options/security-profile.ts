/**
 * The option `securityProfile`: what a security profile asks of a resource server, as checks while building. What
 * the options leave open gets the profile's value; what they say against it is a mistake at the start.
 *
 * @see FAPI 2.0 Security Profile §5.3.4 (resource servers), §5.4.1 (algorithms), §5.2 (TLS)
 */
import { ConfigurationError } from '../errors.js'
import type { RevocationSettings } from '../revocation/revocation.js'
import type { TokenIssuerSettings } from '../token/token-issuer.js'

export type SecurityProfile = 'fapi2'

export const SECURITY_PROFILES: readonly SecurityProfile[] = ['fapi2']

/** The option, as other options see it. */
export interface ProfiledOptions {
  /**
   * `'fapi2'`: this API keeps to the FAPI 2.0 Security Profile. Tokens come in the header only and are bound to
   * their sender, by DPoP or mutual TLS; an unbound one is refused (401). JWTs, proofs and status lists are signed
   * with PS256, ES256 or EdDSA (Ed25519); clocks may differ by 10 to 60 seconds; authorization servers are called
   * over TLS. Options that say otherwise, and JWTs whose revocation nothing would tell, are a ConfigurationError.
   * Default none: each of these is an option of its own. Limits: what the authorization server and the clients do
   * is theirs, and so are the algorithms of security events and of logout tokens. Danger: clients whose tokens are
   * not bound are locked out at once.
   */
  readonly securityProfile?: SecurityProfile
}

/** §5.4.1: for every JWT, tokens and proofs alike. */
const ALGORITHMS = ['PS256', 'ES256', 'EdDSA', 'Ed25519']
/** §5.3.2.1: 10 seconds are to be accepted, more than 60 to be refused. */
const CLOCK_TOLERANCE_SECONDS = { minimum: 10, usual: 30, maximum: 60 }

/**
 * The algorithms that an option comes to.
 *
 * @param otherwise where neither the option nor a profile names any
 * @throws ConfigurationError
 */
export function resolveAlgorithms<T>(
  given: readonly string[] | undefined,
  otherwise: T,
  path: string,
  profile: SecurityProfile | undefined,
): readonly string[] | T {
  if (profile === undefined) return given ?? otherwise
  const misfit = given?.find((algorithm) => !ALGORITHMS.includes(algorithm))
  if (misfit === undefined) return given ?? ALGORITHMS
  throw against(profile, path, `accepts ${ALGORITHMS.join(', ')}, received ${misfit}`, 'Leave it out')
}

/** @throws ConfigurationError */
export function resolveClockTolerance(
  given: number | undefined,
  path: string,
  profile: SecurityProfile | undefined,
): number {
  const { minimum, usual, maximum } = CLOCK_TOLERANCE_SECONDS
  const seconds = given ?? usual
  if (profile === undefined || (seconds >= minimum && seconds <= maximum)) return seconds
  const problem = `is from ${minimum} to ${maximum}, received ${seconds}`
  throw against(profile, path, problem, `Write ${usual}, or leave it out`)
}

/**
 * §5.3.4: tokens stand in the header, where a proof or a certificate comes along; and what is known of revocations
 * is not passed over.
 *
 * @throws ConfigurationError
 */
export function assertProfile(
  profile: SecurityProfile | undefined,
  { tokenFrom, revocation }: { readonly tokenFrom: unknown; readonly revocation: RevocationSettings },
): void {
  if (profile === undefined) return
  if (tokenFrom !== undefined) {
    throw against(profile, 'tokenFrom', 'takes tokens from the header only', 'Leave it out')
  }
  const ignored = (['whenStale', 'whenUncheckable'] as const).find((name) => revocation[name] === 'accept')
  if (ignored !== undefined) {
    const remedy = 'Leave it out'
    throw against(profile, `revocation.${ignored}`, 'accepts no token that could not be checked', remedy)
  }
  if (revocation.statusList === false) {
    throw against(profile, 'revocation.statusList', 'obeys status lists', 'Leave it out')
  }
}

/**
 * §5.2, §5.4.1: who vouches for tokens does so over TLS and with a key pair.
 *
 * @throws ConfigurationError
 */
export function assertProfileIssuer(
  profile: SecurityProfile | undefined,
  { jwt, allowInsecureHttp }: Pick<TokenIssuerSettings, 'jwt' | 'allowInsecureHttp'>,
  at: (name: 'jwt' | 'allowInsecureHttp') => string,
): void {
  if (profile === undefined) return
  if (allowInsecureHttp) {
    throw against(profile, at('allowInsecureHttp'), 'calls authorization servers over TLS', 'Leave it out')
  }
  if (jwt !== false && jwt.secret) {
    throw against(
      profile,
      `${at('jwt')}.secret`,
      'takes no tokens signed with a shared secret',
      'Leave it out',
    )
  }
}

/**
 * §5.3.4 (3): the revocation status is verified too. A JWT does not tell it by itself; introspection does where it
 * is asked about JWTs: always (`jwt: false`), or whenever nothing else is known (`maxLagSeconds`).
 *
 * @throws ConfigurationError
 */
export function assertProfileRevocation(
  profile: SecurityProfile | undefined,
  { jwt, profile: dialect }: TokenIssuerSettings,
  { feeds, log, maxLagSeconds }: RevocationSettings,
  path: string,
): void {
  if (profile === undefined || jwt === false || dialect.requiredClaims.includes('status')) return
  if (feeds.length > 0 || log !== undefined || maxLagSeconds !== undefined) return
  throw against(
    profile,
    path,
    'verifies the revocation status of every token, and nothing tells that of JWTs',
    `Write jwt: false with introspection (all tokens are introspected), revocation: { maxLagSeconds: 10 } ` +
      `(what no feed vouches for is introspected every 10 seconds), revocation: { log } or { feeds }, or a ` +
      `profile whose requiredClaims name 'status'`,
  )
}

function against(
  profile: SecurityProfile,
  path: string,
  problem: string,
  remedy: string,
): ConfigurationError {
  const message = `resourceServer: ${path}: securityProfile '${profile}' ${problem}. ${remedy}`
  return new ConfigurationError(path, message)
}
