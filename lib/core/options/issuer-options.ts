/** The options that each issuer may have of its own. */
import { ConfigurationError } from '../errors.js'
import type { ProfileName } from '../issuer/profiles.js'
import type { TokenIssuerSettings } from '../token/token-issuer.js'
import { resolveIntrospection, type IntrospectionOptions } from './introspection-options.js'
import { resolveJwks, resolveMetadata, type JwksOptions, type MetadataOptions } from './jwks-options.js'
import { resolveJwt, type JwtOptions } from './jwt-options.js'
import { PROFILE_RULE, resolveProfile, type ProfileOptions } from './profile-options.js'
import {
  address,
  assertOption,
  assertOptions,
  either,
  flag,
  joinOptions,
  listOf,
  oneOf,
  rule,
  secret,
  section,
  text,
  type Rules,
} from './rules.js'
import { assertProfileIssuer, type ProfiledOptions } from './security-profile.js'

/** What may stand at the top, for all issuers, or in an entry of `issuers`. */
export interface SharedIssuerOptions {
  /** Accepted `aud` values, compared exactly. Default: `resource`. */
  readonly audience?: string | readonly string[]
  /** The authorization server's dialect. Default `'rfc9068'`, which is strict. */
  readonly profile?: ProfileName | ProfileOptions
  /** False: JWTs are introspected too. */
  readonly jwt?: false | JwtOptions
  readonly jwks?: JwksOptions
  readonly metadata?: MetadataOptions
  /** Needed for opaque tokens only. False in an entry of `issuers`: none for this one. Default: off. */
  readonly introspection?: false | IntrospectionOptions
  /** Allows `http:` beyond the loopback interface. Default false. Danger: tokens and keys travel readable and forgeable. */
  readonly allowInsecureHttp?: boolean
}

/** What stands at the top for all issuers, and what else has a say in what they may be. */
export interface IssuerContext extends SharedIssuerOptions, ProfiledOptions {
  readonly resource: string
  readonly dispatcher?: unknown
}

/** One of several issuers. */
export interface IssuerOptions extends SharedIssuerOptions {
  readonly issuer: string
  /** Further values of `iss` under which this issuer issues with the same keys. */
  readonly aliases?: readonly string[]
}

/**
 * Names the issuer that a token says it is of, or says that there is none (undefined). Asked with what a stranger
 * wrote, before any signature is checked: look the name up, do not build addresses from it.
 */
export type IssuerResolver = (
  issuer: string,
) => IssuerOptions | undefined | Promise<IssuerOptions | undefined>

const list = listOf(text)

/** Rules for what may stand at the top and in an entry; the sections have rules of their own. */
export const SHARED_RULES: Rules = {
  issuer: text,
  audience: either(text, list),
  profile: PROFILE_RULE,
  // what stands here instead of an object may be the secret itself
  jwt: secret(either(oneOf([false]), section)),
  jwks: secret(section),
  metadata: section,
  introspection: secret(either(oneOf([false]), section)),
  allowInsecureHttp: flag,
}

const ENTRY_RULES: Rules = { ...SHARED_RULES, aliases: list }

/**
 * Joins what an entry says with what stands at the top for all.
 *
 * @param path where the entry stands; empty where the only issuer stands at the top
 * @throws ConfigurationError
 */
export function resolveIssuer(
  entry: IssuerOptions,
  shared: IssuerContext,
  path: string,
): TokenIssuerSettings {
  if (path !== '') assertOptions(entry, path, ENTRY_RULES)
  const at = (name: keyof SharedIssuerOptions) =>
    path !== '' && entry[name] !== undefined ? `${path}.${name}` : name
  const allowInsecureHttp = entry.allowInsecureHttp ?? shared.allowInsecureHttp ?? false
  assertOption(entry.issuer, path === '' ? 'issuer' : `${path}.issuer`, issuerAddress(allowInsecureHttp))
  const introspection = entry.introspection ?? shared.introspection
  const hasDispatcher = shared.dispatcher !== undefined
  const { securityProfile } = shared
  const jwt = resolveJwt(merge(shared.jwt, entry.jwt), at('jwt'), securityProfile)
  if (jwt === false && !introspection) throw nothingAccepted(at('jwt'))
  assertProfileIssuer(securityProfile, { jwt, allowInsecureHttp }, at)
  return {
    issuer: entry.issuer,
    aliases: [...(entry.aliases ?? [])],
    audience: [entry.audience ?? shared.audience ?? shared.resource].flat(),
    profile: resolveProfile(entry.profile ?? shared.profile ?? 'rfc9068', at('profile')),
    jwt,
    jwks: resolveJwks(joinOptions(shared.jwks, entry.jwks), at('jwks'), allowInsecureHttp),
    metadata: resolveMetadata(
      joinOptions(shared.metadata, entry.metadata),
      at('metadata'),
      allowInsecureHttp,
    ),
    introspection: introspection
      ? resolveIntrospection(introspection, at('introspection'), {
          resource: shared.resource,
          allowHttp: allowInsecureHttp,
          hasDispatcher,
          securityProfile,
        })
      : undefined,
    allowInsecureHttp,
    isDynamic: false,
  }
}

/**
 * An entry that a function named: its addresses come from data, so that they are held to its own host and to
 * the public internet unless they are listed.
 *
 * @throws ConfigurationError
 */
export function resolveDynamicIssuer(
  entry: IssuerOptions,
  shared: IssuerContext,
  path: string,
): TokenIssuerSettings {
  const settings = resolveIssuer(entry, shared, path)
  if (settings.introspection?.clientCertificate) {
    throw new ConfigurationError(
      `${path}.introspection.clientCertificate`,
      `resourceServer: ${path}.introspection.clientCertificate needs a list of issuers: its connections are its own, ` +
        `and go anywhere. Write issuers: [{ issuer, introspection: { clientCertificate } }]`,
    )
  }
  if (settings.jwt !== false && settings.jwt.decryptionKeys.length > 0) {
    throw new ConfigurationError(
      `${path}.jwt.decryptionKeys`,
      `resourceServer: ${path}.jwt.decryptionKeys needs a list of issuers: an encrypted token names none. ` +
        `Write issuers: [{ issuer, jwt: { decryptionKeys } }]`,
    )
  }
  const { allowedHosts = [] } = settings.metadata
  return { ...settings, metadata: { ...settings.metadata, allowedHosts }, isDynamic: true }
}

function merge(
  shared: SharedIssuerOptions['jwt'],
  own: SharedIssuerOptions['jwt'],
): SharedIssuerOptions['jwt'] {
  return own === false || own === undefined || !shared ? (own ?? shared) : joinOptions(shared, own)
}

/** RFC 8414 §2: an https URL without query or fragment. */
function issuerAddress(allowInsecureHttp: boolean) {
  const base = address(allowInsecureHttp)
  return rule(
    `${base.wants}, without query and fragment`,
    `'https://login.example.com'`,
    (value) => base.accepts(value) && !/[?#]/.test(String(value)),
  )
}

function nothingAccepted(path: string): ConfigurationError {
  return new ConfigurationError(
    path,
    `resourceServer: ${path} is false and there is no introspection: no token could ever be accepted. ` +
      `Write introspection: { clientId, clientSecret }, or leave jwt out`,
  )
}
