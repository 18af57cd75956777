/**
 * Refusals and outages that look like a setting gone wrong, told once with the line to change:
 * nobody should have to guess why the first request is a 401.
 */
import { guessProfile, PROFILES } from './issuer/profiles.js'
import type { OutageReason, RefusalReason } from './errors.js'
import type { OnRefusal, ResourceServerEvent } from './events.js'

const MAX_HINTS = 1000

type Hint = (event: ResourceServerEvent) => string

const HINTS: Partial<Record<RefusalReason | OutageReason, Hint>> = {
  token_type_mismatch: ({ name, expected, found, issuer }) =>
    `its ${name ?? 'typ'} is ${show(found)}, accepted is ${show(expected)}. ${cure(issuer, 'types')}`,
  missing_claim: ({ name, issuer }) =>
    `it has no ${show(name)} claim, which is required. ${cure(issuer, 'requiredClaims')}`,
  audience_mismatch: audience,
  opaque_audience_mismatch: audience,
  audience_missing: ({ expected }) =>
    `the introspection answer names no audience (expected is ${show(expected)}). If this authorization server never ` +
    `does, and all its tokens are meant for this API, write introspection: { allowMissingAudience: true }`,
  untrusted_issuer: ({ expected, found }) =>
    `its iss is ${show(found)}, trusted is ${show(expected)}. Write issuer: ${show(found)} if that is yours (the ` +
    `comparison is exact, a trailing slash counts)`,
  issuer_mismatch: ({ expected, found }) =>
    `the introspection answer says iss ${show(found)}, expected is ${show(expected)}. Write it as issuer, or in aliases`,
  opaque_not_accepted: () =>
    `it is opaque. To accept opaque tokens write introspection: { clientId: '…', clientSecret: '…' }`,
  opaque_token_type_mismatch: ({ name, found, issuer }) =>
    `the introspection answer says ${name ?? 'token_type'} ${show(found)}: that is no access token, unless this ` +
    `server calls them so. ${cure(issuer, 'introspectionTokenTypes')}`,
  encrypted_token: () => `it is encrypted. To accept it write jwt: { decryptionKeys: [...] }`,
  algorithm_not_allowed: ({ expected, found }) =>
    `its alg is ${show(found)}, accepted is ${show(expected)}. Write jwt: { algorithms: [...] } if it should be`,
  sender_constraint_unsupported: ({ name, found }) =>
    name === 'dpop.origin'
      ? `it is to be sent with a proof (DPoP), and where clients reach this API does not follow from resource. ` +
        `Write dpop: { origin: 'https://…' }`
      : `it is bound by ${name ?? 'cnf'} ${show(found)}, which cannot be enforced here`,
  dpop_uri_mismatch: ({ expected, found }) =>
    `the proof (DPoP) is for ${show(found)}, expected is ${show(expected)}. The origin expected is that of resource, ` +
    `never that of the Host field. If clients reach this API elsewhere, on this machine for instance, write dpop: ` +
    `{ origin: 'http://127.0.0.1:3000' }; if a proxy takes the beginning off the path, dpop: { pathPrefix: '/…' }`,
  dpop_algorithm_not_allowed: ({ expected, found }) =>
    `the alg of its proof (DPoP) is ${show(found)}, accepted is ${show(expected)}. Write dpop: { algorithms: [...] } ` +
    `if it should be`,
  certificate_missing: () =>
    `it is bound to a client certificate, and the connection shows none. Where this process ends TLS, ask for one: ` +
    `https.createServer({ requestCert: true, rejectUnauthorized: false, … }). Where a proxy does, write mtls: ` +
    `{ certificateFrom: 'client-cert', trustedProxies: ['10.0.0.0/8'] }`,
  certificate_untrusted: () =>
    `the field with the client certificate came from an address that is not in mtls: { trustedProxies }`,
  replay_memory_full: () =>
    `too many proofs (DPoP) within maxProofAgeSeconds. Write dpop: { replayMaxEntries } larger, or the age smaller`,
  introspection_credentials_refused: ({ name, found }) =>
    isFromWso2(found)
      ? `${name ?? 'the introspection endpoint'} refused this API's own credentials before looking at them. WSO2 Identity ` +
        `Server takes client credentials there only with [[resource.access_control]] context="(.*)/oauth2/introspect(.*)" ` +
        `http_method="all" secure=true allowed_auth_handlers="BasicClientAuthentication" in deployment.toml. Without it ` +
        `write introspection: { clientId: '<user>', clientSecret: '<password>', authMethod: 'http_basic' } for a user, or ` +
        `bearerToken, either with the permission internal_oauth2_introspect`
      : `${name ?? 'the introspection endpoint'} answered ${show(found)} to this API's own credentials. Check ` +
        `introspection: { clientId, clientSecret, authMethod }, and that this client may introspect`,
  introspection_credentials_unavailable: ({ found }) =>
    `there was no token of this API's own to ask with: ${show(found)}. Check introspection: { bearerToken }`,
  introspection_endpoint_unknown: () =>
    `its metadata names no introspection_endpoint. Write introspection: { endpoint: 'https://…' }`,
  introspection_answer_unusable: ({ name, found }) =>
    `${name ?? 'the introspection endpoint'} answered with ${show(found)}. Check introspection: { endpoint }`,
  issuer_unusable: ({ name, found }) =>
    `the function given as issuers returned options that cannot work: ${show(found)} (${name ?? ''})`,
  issuer_unresolved: ({ found }) => `the function given as issuers failed: ${show(found)}`,
  metadata_unusable: ({ name, expected, found }) =>
    `its metadata (${name ?? ''}) says ${show(found)}, expected is ${show(expected)}. Write issuer exactly as the ` +
    `authorization server does`,
  metadata_unavailable: ({ name, found }) =>
    `its metadata could not be had from ${name ?? 'the well-known addresses'} (${show(found)}). If it is elsewhere write ` +
    `metadata: { url: 'https://…' }; without metadata write jwks: { uri: 'https://…' }`,
  revocation_not_checked: () =>
    `it may have been revoked, and nobody can be asked. Write introspection: { clientId: '…', clientSecret: '…' }, or ` +
    `say in revocation: { whenUncheckable } what such a token is worth`,
  revocation_stale: ({ expected, found }) =>
    `what is known of revocations is ${show(found)} seconds old, at most ${show(expected)} are wanted. Look at ` +
    `health().revocation.feeds; a feed counts from its first heartbeat`,
  status_list_unavailable: ({ name, expected, found }) =>
    `its status list ${name ?? ''} could not be used (${show(found)}, expected is ${show(expected)}). If it is at ` +
    `another place than the issuer write revocation: { statusList: { allowedOrigins: ['https://…'] } }`,
}

/**
 * A listener that tells each kind of hint once per issuer.
 * @param tell receives the sentence and its code
 */
export function createHints(tell: (message: string, code: string) => void): OnRefusal {
  const told = new Set<string>()
  // issuers may be many where a function names them
  const isFull = () => told.size >= MAX_HINTS

  return function hint(event) {
    const build = HINTS[event.reason]
    const key = `${event.reason} ${event.issuer ?? ''}`
    if (!build || told.has(key) || isFull()) return
    told.add(key)
    const what =
      event.kind === 'refusal' ? 'an access token was refused' : 'an access token could not be checked'
    const where = event.issuer === undefined ? '' : ` (issuer ${event.issuer})`
    tell(`${what}${where}: ${build(event)}. (Told once.)`, `RESOURCE_SERVER_${event.reason.toUpperCase()}`)
  }
}

function isFromWso2(found: unknown): boolean {
  return typeof found === 'string' && found.includes('WSO2')
}

/** The profile that would make such a token pass, by name if the issuer's own name gives its server away. */
function cure(issuer: string | undefined, member: string): string {
  const guessed = issuer === undefined ? undefined : guessProfile(issuer)
  const name = guessed ?? 'keycloak'
  const server = guessed === undefined ? 'for Keycloak' : `this issuer looks like it`
  return (
    `If this issuer does not follow RFC 9068, name its dialect: profile: '${name}' (${server}; known are ` +
    `${Object.keys(PROFILES).join(', ')}), or an object: profile: { extends: '${name}', ${member}: [...] }`
  )
}

function audience({ name, expected, found }: ResourceServerEvent): string {
  return (
    `its ${name ?? 'aud'} is ${show(found)}, accepted is ${show(expected)}. Either the token is meant for another API, ` +
    `or write audience: ${show(Array.isArray(found) ? found[0] : found)}`
  )
}

/** JSON keeps what a stranger wrote on one line; long values are cut. */
function show(value: unknown): string {
  const json = JSON.stringify(value) as string | undefined
  const line = (json ?? 'absent').replace(/[^\x20-\x7E]/g, '?')
  return line.length > 200 ? `${line.slice(0, 200)}…` : line
}
