/** As whom this API asks at an introspection endpoint: one credential, and a method that uses it. */
import { KeyObject } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { ConfigurationError } from '../errors.js'
import type { ClientCertificate } from '../io/http.js'
import {
  createClientAuthentication,
  isBearerToken,
  type ClientAuthMethod,
  type ClientCredentials,
} from '../token/client-authentication.js'
import { assertOption, assertOptions, oneOf, rule, secret, section, text, type Rules } from './rules.js'

export type CredentialOptions = Partial<ClientCredentials>

const SECRET_METHODS: readonly ClientAuthMethod[] = [
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'http_basic',
]
const TLS_METHODS: readonly ClientAuthMethod[] = ['tls_client_auth', 'self_signed_tls_client_auth']

/** What can be form-encoded (RFC 6749 Appendix B): half a surrogate pair cannot. */
const unicode = rule(
  'a string that is not empty',
  `'…'`,
  (value) => text.accepts(value) && !/\p{Surrogate}/u.test(String(value)),
)

export const CREDENTIAL_RULES: Rules = {
  clientId: unicode,
  clientSecret: secret(unicode),
  privateKey: secret(rule('a private key as PEM, JWK or KeyObject', 'privateKey', isKeyInput)),
  clientCertificate: secret(section),
  bearerToken: secret(rule('a bearer token, or a function that returns one', 'getToken', isBearerTokenInput)),
  authMethod: oneOf([...SECRET_METHODS, 'private_key_jwt', ...TLS_METHODS]),
}

const pem = rule('a text in PEM, as string or Buffer', "readFileSync('client.pem')", isPem)
const CERTIFICATE_RULES: Rules = { cert: secret(pem), key: secret(pem) }

/**
 * An anonymous question is never asked (RFC 7662 §2.1).
 *
 * @param hasDispatcher whether calls go through a dispatcher of the user's
 * @throws ConfigurationError
 */
export function assertCredentials(given: CredentialOptions, path: string, hasDispatcher: boolean): void {
  if (given.bearerToken === undefined) assertOption(given.clientId, `${path}.clientId`, unicode)
  const { authMethod } = given
  const credential = onlyCredential(given, path)
  const needed = authMethod && credentialFor(authMethod)
  if (needed !== undefined && needed !== (credential ?? 'clientCertificate')) {
    throw new ConfigurationError(
      `${path}.authMethod`,
      `resourceServer: ${path}.authMethod ${authMethod} needs ${needed}. Write ${path}.${needed}, or leave authMethod out`,
    )
  }
  if (authMethod === 'http_basic') assertOption(given.clientId, `${path}.clientId`, userName)
  if (credential === 'privateKey') assertKeyReadable(given, path)
  if (needed === 'clientCertificate' || credential === 'clientCertificate') {
    assertCertificate(given.clientCertificate, path, hasDispatcher)
  }
}

/** RFC 7617 §2: the first colon ends the name. */
const userName = rule(
  'a name without a colon',
  "'admin@example.com'",
  (value) => text.accepts(value) && !String(value).includes(':'),
)

const CREDENTIALS = ['clientSecret', 'privateKey', 'clientCertificate', 'bearerToken'] as const
type Credential = (typeof CREDENTIALS)[number]

/** Undefined with a TLS method whose certificate the dispatcher shows. */
function onlyCredential(given: CredentialOptions, path: string): Credential | undefined {
  const found = CREDENTIALS.filter((name) => given[name] !== undefined)
  const isByDispatcher = given.authMethod !== undefined && TLS_METHODS.includes(given.authMethod)
  if (found.length === 1 || (found.length === 0 && isByDispatcher)) return found[0]
  const received = found.length === 0 ? 'none' : found.join(' and ')
  throw new ConfigurationError(
    path,
    `resourceServer: ${path} needs one of clientSecret, privateKey, clientCertificate and bearerToken, ` +
      `received ${received}. Write ${path}: { clientId, clientSecret: process.env.CLIENT_SECRET }`,
  )
}

function credentialFor(method: ClientAuthMethod): Credential {
  if (SECRET_METHODS.includes(method)) return 'clientSecret'
  return TLS_METHODS.includes(method) ? 'clientCertificate' : 'privateKey'
}

function assertKeyReadable({ clientId, privateKey, authMethod }: CredentialOptions, path: string): void {
  const others = { clientSecret: undefined, clientCertificate: undefined, bearerToken: undefined }
  try {
    createClientAuthentication({ ...others, clientId, privateKey, authMethod }, '')
  } catch {
    // the reason could quote the key
    throw new ConfigurationError(
      `${path}.privateKey`,
      `resourceServer: ${path}.privateKey must be a private key (RSA, EC P-256/384/521 or Ed25519) as PEM, JWK or KeyObject`,
    )
  }
}

/** A certificate that nobody shows would make the question an anonymous one. */
function assertCertificate(
  certificate: ClientCertificate | undefined,
  path: string,
  hasDispatcher: boolean,
): void {
  const at = `${path}.clientCertificate`
  if ((certificate === undefined) !== hasDispatcher) {
    const problem = hasDispatcher ? 'cannot be shown by the dispatcher' : 'is needed by authMethod'
    const remedy = hasDispatcher
      ? `Write dispatcher: new Agent({ connect: { cert, key } }) and ${path}.authMethod: 'tls_client_auth' alone`
      : `Write ${at}: { cert, key }`
    throw new ConfigurationError(at, `resourceServer: ${at} ${problem}. ${remedy}`)
  }
  if (certificate === undefined) return
  assertOptions(certificate, at, CERTIFICATE_RULES)
  assertOption(certificate.cert, `${at}.cert`, secret(pem))
  assertOption(certificate.key, `${at}.key`, secret(pem))
  try {
    createSecureContext({ cert: certificate.cert, key: certificate.key })
  } catch {
    // the reason could quote the key
    throw new ConfigurationError(
      at,
      `resourceServer: ${at} must be a certificate and its unencrypted private key in PEM. Write ${at}: { cert, key }`,
    )
  }
}

function isKeyInput(value: unknown): boolean {
  return (typeof value === 'string' && value !== '') || value instanceof KeyObject || section.accepts(value)
}

function isBearerTokenInput(value: unknown): boolean {
  return typeof value === 'function' || isBearerToken(value)
}

function isPem(value: unknown): boolean {
  return (typeof value === 'string' || Buffer.isBuffer(value)) && value.includes('-----BEGIN ')
}
