/** The options of security event streams: who transmits, and whom its events may touch. */
import type { JsonWebKey } from 'node:crypto'
import { ConfigurationError } from '../errors.js'
import type { KeySource } from '../issuer/jwks.js'
import { ASYMMETRIC_ALGORITHMS } from '../issuer/signature.js'
import { createTrustedIssuer } from '../issuer/trusted-issuers.js'
import type { EventMeaning } from '../revocation/caep.js'
import type { RevocationPlane } from '../revocation/revocation.js'
import type { TransmitterSettings } from '../revocation/security-event-token.js'
import type { ResolveSubject } from '../revocation/subject-identifiers.js'
import { resolveJwks, resolveMetadata } from './jwks-options.js'
import {
  address,
  assertOption,
  assertOptions,
  callback,
  either,
  integer,
  listOf,
  oneOf,
  section,
  text,
  type Rules,
} from './rules.js'

/** One transmitter of security events whose word is believed. */
export interface TransmitterOptions {
  /** The exact `iss` of its security event tokens. */
  readonly issuer: string
  /** What `aud` names: this API as the transmitter knows it. */
  readonly audience: string | readonly string[]
  /**
   * Its keys. Default: those of the trusted issuer of the same name, else those named by its metadata at
   * `/.well-known/ssf-configuration`.
   */
  readonly jwksUri?: string
  readonly keys?: readonly JsonWebKey[]
  /**
   * The trusted issuers whose tokens its events may touch; subjects that name no issuer are of the first.
   * Default: the trusted issuer of the same name, else the only one.
   */
  readonly tokenIssuer?: string | readonly string[]
  /** Accepted signature algorithms. Default `['RS256', 'ES256', 'PS256', 'EdDSA', 'Ed25519']`. */
  readonly algorithms?: readonly string[]
  /** Meanings by event type (its URI) that differ from the built-in ones. Danger: `'ignore'` lets tokens live on. */
  readonly events?: Readonly<Record<string, EventMeaning>>
  /**
   * Finds the `sub` of somebody known by an email address, a phone number, an account … Without it such
   * subjects are compared with the claims `email` and `phone_number`, and tokens without the claim are suspect.
   */
  readonly resolveSubject?: ResolveSubject
  /** The transmitter's `critical_subject_members`: an event with one that cannot be matched is discarded. */
  readonly criticalSubjectMembers?: readonly string[]
}

const ALGORITHMS = ['RS256', 'ES256', 'PS256', 'EdDSA', 'Ed25519']
const list = listOf(text)

function rulesFor(allowHttp: boolean): Rules {
  return {
    issuer: address(allowHttp),
    audience: either(text, list),
    jwksUri: address(allowHttp),
    keys: listOf(section),
    tokenIssuer: either(text, list),
    algorithms: listOf(oneOf(ASYMMETRIC_ALGORITHMS)),
    events: section,
    resolveSubject: callback,
    criticalSubjectMembers: list,
  }
}

/** @throws ConfigurationError */
export function resolveTransmitter(
  given: TransmitterOptions,
  path: string,
  plane: RevocationPlane,
): TransmitterSettings {
  const allowHttp = plane.issuers.some(({ allowInsecureHttp }) => allowInsecureHttp)
  const rules = rulesFor(allowHttp)
  assertOptions(given, path, rules)
  assertOption(given.issuer, `${path}.issuer`, address(allowHttp))
  assertOption(given.audience, `${path}.audience`, either(text, list))
  for (const [type, meaning] of Object.entries(given.events ?? {})) {
    assertOption(meaning, `${path}.events[${JSON.stringify(type)}]`, oneOf(['revoked', 'suspect', 'ignore']))
  }
  return {
    issuer: given.issuer,
    audience: [given.audience].flat(),
    keys: resolveKeys(given, path, plane, allowHttp),
    algorithms: given.algorithms ?? ALGORITHMS,
    tokenIssuers: resolveTokenIssuers(given, path, plane),
    events: given.events ?? {},
    resolveSubject: given.resolveSubject,
    criticalMembers: given.criticalSubjectMembers ?? [],
  }
}

function resolveTokenIssuers(given: TransmitterOptions, path: string, plane: RevocationPlane): string[] {
  const only = plane.issuers.length === 1 ? plane.issuers[0]?.name : undefined
  const fallback = plane.findIssuer(given.issuer)?.name ?? only
  const names = given.tokenIssuer === undefined ? [fallback ?? ''] : [given.tokenIssuer].flat()
  return names.map((name) => {
    const issuer = plane.findIssuer(name)
    if (issuer) return issuer.name
    throw new ConfigurationError(
      `${path}.tokenIssuer`,
      `${path}.tokenIssuer must name trusted issuers (${plane.issuers.map((known) => known.name).join(', ')}), ` +
        `received ${JSON.stringify(given.tokenIssuer)}. Write whose tokens the events of ${given.issuer} may touch`,
    )
  })
}

function resolveKeys(
  given: TransmitterOptions,
  path: string,
  plane: RevocationPlane,
  allowInsecureHttp: boolean,
): KeySource {
  const { issuer, jwksUri: uri, keys } = given
  const trusted = plane.findIssuer(issuer)
  if (trusted && uri === undefined && keys === undefined) return trusted.keys
  const jwks = { ...(uri !== undefined && { uri }), ...(keys !== undefined && { keys }) }
  const settings = {
    issuer,
    aliases: [],
    allowInsecureHttp,
    metadata: resolveMetadata({ url: configurationUrl(issuer) }, path, true),
    jwks: resolveJwks(jwks, path, allowInsecureHttp),
  }
  const transmitter = createTrustedIssuer(settings, plane.send)
  plane.signal.addEventListener('abort', () => transmitter.close())
  return transmitter.keys
}

/** Shared Signals Framework 1.0 §7.2: the well-known part stands between host and path. */
function configurationUrl(issuer: string): string {
  const { origin, pathname } = new URL(issuer)
  return `${origin}/.well-known/ssf-configuration${pathname.replace(/\/$/, '')}`
}

/** How security events are polled for. */
export interface PollOptions extends TransmitterOptions {
  /** The address of the stream at the transmitter. */
  readonly endpoint: string
  /** The `Authorization` field of each poll, such as `'Bearer …'`, or a function that makes it. */
  readonly authorization?: string | (() => string | Promise<string>)
  /** Seconds between polls that brought nothing. Default 5, limits 0 to 3600; 0: long polling. */
  readonly intervalSeconds?: number
  /** Milliseconds for a poll. Default 10000, with long polling 60000; limits 100 to 600000. */
  readonly timeoutMs?: number
  /** Events asked for at once. Default 100, limits 1 to 10000. */
  readonly maxEvents?: number
}

/** @throws ConfigurationError */
export function resolvePoll(given: PollOptions, path: string, plane: RevocationPlane) {
  const { endpoint, authorization, intervalSeconds = 5, timeoutMs, maxEvents = 100, ...transmitter } = given
  const allowHttp = plane.issuers.some(({ allowInsecureHttp }) => allowInsecureHttp)
  assertOption(endpoint, `${path}.endpoint`, address(allowHttp))
  if (authorization !== undefined) {
    assertOption(authorization, `${path}.authorization`, { ...either(text, callback), secret: true })
  }
  assertOption(intervalSeconds, `${path}.intervalSeconds`, integer(0, 3600, 5))
  assertOption(maxEvents, `${path}.maxEvents`, integer(1, 10_000, 100))
  const milliseconds = timeoutMs ?? (intervalSeconds === 0 ? 60_000 : 10_000)
  assertOption(milliseconds, `${path}.timeoutMs`, integer(100, 600_000, 10_000))
  return {
    transmitter: resolveTransmitter(transmitter, path, plane),
    poll: {
      endpoint,
      authorization: typeof authorization === 'string' ? () => authorization : authorization,
      intervalSeconds,
      timeoutMs: milliseconds,
      maxEvents,
    },
  }
}
