/**
 * How this API proves at the introspection endpoint who is asking.
 *
 * @see RFC 6749 §2.3.1 for client secrets
 * @see RFC 7523 §2.2, §3 for assertions signed with a private key or the secret
 * @see RFC 8705 §2 for certificates, RFC 7662 §2.1 for a token of our own
 */
import { createPrivateKey, createSecretKey, randomUUID, type JsonWebKey, KeyObject } from 'node:crypto'
import type { ClientCertificate } from '../io/http.js'

export type ClientAuthMethod =
  | 'client_secret_basic'
  | 'client_secret_post'
  | 'client_secret_jwt'
  | 'private_key_jwt'
  | 'tls_client_auth'
  | 'self_signed_tls_client_auth'
  | 'http_basic'

/** A private key as PEM (PKCS #8), JWK or Node `KeyObject`. */
export type PrivateKeyInput = string | JsonWebKey | KeyObject

/** A token of this API's own, or a function that gets one: asked for each call, so it should remember. */
export type BearerToken = string | (() => string | Promise<string>)

export interface ClientCredentials {
  /** Undefined only with a bearer token, which names the client by itself. */
  readonly clientId: string | undefined
  readonly clientSecret: string | undefined
  readonly privateKey: PrivateKeyInput | undefined
  /** Shown while connecting. Undefined with a TLS method: the user's dispatcher shows it. */
  readonly clientCertificate: ClientCertificate | undefined
  readonly bearerToken: BearerToken | undefined
  /**
   * Undefined: what follows from the credential; with a secret, what the server's metadata allows.
   */
  readonly authMethod: ClientAuthMethod | undefined
}

/** What goes into a request of ours besides the question. */
export interface ClientProof {
  readonly headers: Readonly<Record<string, string>>
  readonly parameters: Readonly<Record<string, string>>
}

/** @param supported the methods that the server's metadata names, if any */
export type AuthenticateClient = (
  supported: readonly string[] | undefined,
) => ClientProof | Promise<ClientProof>

/** The API's own token could not be had. The message never holds one. */
export class BearerTokenFailure extends Error {
  override readonly name = 'BearerTokenFailure'
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const ASSERTION_SECONDS = 60

/**
 * @param audience who the assertions are for: the issuer identifier.
 * @throws TypeError if the private key cannot be read or has no signature algorithm
 */
export function createClientAuthentication(
  credentials: ClientCredentials,
  audience: string,
): AuthenticateClient {
  const { clientId = '', clientSecret = '', privateKey, bearerToken, authMethod } = credentials
  if (bearerToken !== undefined) return bearer(bearerToken)
  if (usesCertificate(credentials)) return () => ({ headers: {}, parameters: { client_id: clientId } })
  if (privateKey !== undefined) return privateKeyJwt(clientId, privateKey, audience)
  if (authMethod === 'http_basic') return httpBasic(clientId, clientSecret)
  if (authMethod === 'client_secret_jwt') {
    return signedAssertion(clientId, audience, createSecretKey(clientSecret, 'utf8'), 'HS256')
  }
  const basic: ClientProof = {
    headers: { authorization: basicCredentials(clientId, clientSecret) },
    parameters: {},
  }
  const post: ClientProof = { headers: {}, parameters: { client_id: clientId, client_secret: clientSecret } }
  if (authMethod !== undefined) return () => (authMethod === 'client_secret_post' ? post : basic)
  return (supported) => (takesOnlyPost(supported) ? post : basic)
}

/** Whether the connection itself says who is asking (RFC 8705 §2). */
export function usesCertificate({ clientCertificate, authMethod }: ClientCredentials): boolean {
  return clientCertificate !== undefined || authMethod?.includes('tls_client_auth') === true
}

/** RFC 6750 §2.1: b64token. */
const BEARER_TOKEN = /^[\w\-.~+/]+=*$/

/** Whether a value can be sent as a bearer token: not everything can stand in a header field. */
export function isBearerToken(value: unknown): boolean {
  return typeof value === 'string' && BEARER_TOKEN.test(value)
}

function bearer(source: BearerToken): AuthenticateClient {
  if (typeof source === 'string') return () => toBearerProof(source)

  return async function proveByToken() {
    return toBearerProof(await tokenFrom(source))
  }
}

async function tokenFrom(source: () => string | Promise<string>): Promise<string> {
  try {
    return await source()
  } catch (error) {
    // whatever the user's function throws means one thing: there is no token to ask with
    throw new BearerTokenFailure('bearerToken: the function threw', { cause: error })
  }
}

function toBearerProof(token: unknown): ClientProof {
  if (isBearerToken(token)) return { headers: { authorization: `Bearer ${String(token)}` }, parameters: {} }
  throw new BearerTokenFailure(
    `bearerToken: the function returned ${token === '' ? 'nothing' : `no token (${typeof token})`}`,
  )
}

function takesOnlyPost(supported: readonly string[] | undefined): boolean {
  return (
    supported !== undefined &&
    supported.includes('client_secret_post') &&
    !supported.includes('client_secret_basic')
  )
}

/** A user's name and password as they are (RFC 7617 §2): servers that want a user decode no form. */
function httpBasic(name: string, password: string): AuthenticateClient {
  const authorization = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
  return () => ({ headers: { authorization }, parameters: {} })
}

/** Both halves are form-encoded before they are joined: a colon or a space in them would otherwise be lost. */
function basicCredentials(clientId: string, clientSecret: string): string {
  const pair = `${formEncode(clientId)}:${formEncode(clientSecret)}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

/** application/x-www-form-urlencoded (RFC 6749 appendix B). */
function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

function privateKeyJwt(clientId: string, input: PrivateKeyInput, audience: string): AuthenticateClient {
  const key = toPrivateKey(input)
  const named = typeof input === 'object' && !(input instanceof KeyObject) ? input : {}
  const algorithm = typeof named['alg'] === 'string' ? named['alg'] : algorithmFor(key)
  const kid = typeof named['kid'] === 'string' ? named['kid'] : undefined
  return signedAssertion(clientId, audience, key, algorithm, kid)
}

function toPrivateKey(input: PrivateKeyInput): KeyObject {
  if (input instanceof KeyObject) return input
  return typeof input === 'string' ? createPrivateKey(input) : createPrivateKey({ key: input, format: 'jwk' })
}

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}

function algorithmFor(key: KeyObject): string {
  if (key.type !== 'private') throw new TypeError('the key must be a private key')
  if (key.asymmetricKeyType === 'rsa') return 'RS256'
  if (key.asymmetricKeyType === 'ed25519') return 'EdDSA'
  const algorithm = CURVES[key.asymmetricKeyDetails?.namedCurve ?? '']
  if (algorithm === undefined) throw new TypeError('the key must be RSA, EC P-256, P-384, P-521 or Ed25519')
  return algorithm
}

/** A fresh assertion for each call: servers remember the `jti` of those they have seen. */
function signedAssertion(
  clientId: string,
  audience: string,
  key: KeyObject,
  alg: string,
  kid?: string,
): AuthenticateClient {
  const header = kid === undefined ? { alg } : { alg, kid }

  return async function signAssertion() {
    // imported when first needed: it takes longer than all of ours
    const { SignJWT } = await import('jose')
    const now = Math.floor(Date.now() / 1000)
    const assertion = await new SignJWT({ iss: clientId, sub: clientId, aud: audience, jti: randomUUID() })
      .setProtectedHeader(header)
      .setIssuedAt(now)
      .setExpirationTime(now + ASSERTION_SECONDS)
      .sign(key)
    const parameters = {
      client_id: clientId,
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: assertion,
    }
    return { headers: {}, parameters }
  }
}
