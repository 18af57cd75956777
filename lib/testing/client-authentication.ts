/**
 * How the test issuer knows who asks at its introspection endpoint.
 *
 * @see RFC 6749 §2.3.1 for secrets, RFC 7523 §3 for assertions, RFC 8705 §2 for certificates
 */
import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose'
import type { RecordedRequest } from './request-log.js'
import { SIGNING_ALGORITHMS } from './signing-keys.js'

export type TestClientAuthMethod =
  | 'client_secret_basic'
  | 'client_secret_post'
  | 'client_secret_jwt'
  | 'private_key_jwt'
  | 'tls_client_auth'
  | 'bearer'

export const CLIENT_AUTH_METHODS: readonly TestClientAuthMethod[] = [
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
  'tls_client_auth',
]

/** A client that may introspect. */
export interface TestClient {
  readonly secret?: string
  /** Checks `private_key_jwt`; of a private key only the public half is used. */
  readonly jwk?: Readonly<JsonWebKey>
  /** The thumbprint of the certificate that it must show. */
  readonly certificateThumbprint?: string
  /** An access token of its own. */
  readonly bearerToken?: string
  /** The one method taken from this client. Default: any that its credentials allow. */
  readonly authMethod?: TestClientAuthMethod
}

/** Clients by identifier; a string is a secret. */
export type TestClients = Readonly<Record<string, string | TestClient>>

/** @returns the client's identifier, or undefined if it is not who it says. */
export type AuthenticatesClient = (
  request: RecordedRequest,
  parameters: URLSearchParams,
) => Promise<string | undefined>

interface Proof {
  readonly clientId: string
  readonly method: TestClientAuthMethod
  /** A secret, or an assertion. */
  readonly value: string
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** @param audiences what an assertion may be addressed to. */
export function createClientCheck(clients: TestClients, audiences: readonly string[]): AuthenticatesClient {
  const registered = new Map(
    Object.entries(clients).map(([id, client]) => [
      id,
      typeof client === 'string' ? { secret: client } : client,
    ]),
  )
  const seenAssertions = new Set<string>()

  async function isGoodAssertion({ clientId, value }: Proof, key: KeyObject): Promise<boolean> {
    if (seenAssertions.has(value)) return false
    const isSecret = key.type === 'secret'
    try {
      await jwtVerify(value, key, {
        issuer: clientId,
        subject: clientId,
        audience: [...audiences],
        algorithms: isSecret ? ['HS256', 'HS384', 'HS512'] : [...SIGNING_ALGORITHMS],
        requiredClaims: ['exp', 'jti'],
      })
    } catch (error) {
      if (error instanceof errors.JOSEError) return false
      throw error
    }
    seenAssertions.add(value)
    return true
  }

  async function isGood(proof: Proof, client: TestClient): Promise<boolean> {
    const { method, value } = proof
    if ((client.authMethod ?? method) !== method) return false
    if (method === 'tls_client_auth') return value === client.certificateThumbprint
    if (method === 'bearer') return value === client.bearerToken
    if (method === 'private_key_jwt') {
      return client.jwk !== undefined && isGoodAssertion(proof, toPublicKey(client.jwk))
    }
    if (client.secret === undefined) return false
    if (method !== 'client_secret_jwt') return value === client.secret
    return isGoodAssertion(proof, createSecretKey(client.secret, 'utf8'))
  }

  /** A bearer token names its client by itself. */
  function holderOf(token: string): string {
    return [...registered].find(([, { bearerToken }]) => bearerToken === token)?.[0] ?? ''
  }

  return async function authenticatesClient(request, parameters) {
    const proofs = proofsIn(request, parameters)
    const [proof] = proofs
    // RFC 6749 §2.3: one method a request
    if (proof === undefined || proofs.length > 1) return undefined
    const clientId = proof.method === 'bearer' ? holderOf(proof.value) : proof.clientId
    const client: TestClient | undefined = registered.get(clientId)
    return client && (await isGood(proof, client)) ? clientId : undefined
  }
}

function toPublicKey(jwk: Readonly<JsonWebKey>): KeyObject {
  return createPublicKey({ key: jwk, format: 'jwk' })
}

function proofsIn({ headers, certificateThumbprint }: RecordedRequest, parameters: URLSearchParams): Proof[] {
  const found: (Proof | undefined)[] = []
  const { authorization } = headers
  if (authorization !== undefined) found.push(bearerProof(authorization) ?? basicProof(authorization))
  if (parameters.has('client_secret')) {
    found.push(proofOf(parameters, parameters.get('client_secret') ?? '', 'client_secret_post'))
  }
  if (parameters.has('client_assertion')) found.push(assertionProof(parameters))
  // a certificate may be shown beside another proof, which then is the one that counts
  if (found.length === 0 && certificateThumbprint !== undefined && parameters.has('client_id')) {
    found.push(proofOf(parameters, certificateThumbprint, 'tls_client_auth'))
  }
  return found.includes(undefined) ? [] : found.filter((proof) => proof !== undefined)
}

function bearerProof(authorization: string): Proof | undefined {
  const [, value] = /^bearer ([\w\-.~+/]+=*)$/i.exec(authorization) ?? []
  return value === undefined ? undefined : { clientId: '', value, method: 'bearer' }
}

function basicProof(authorization: string): Proof | undefined {
  const [, encoded] = /^basic ([\w+/]+={0,2})$/i.exec(authorization) ?? []
  const pair = Buffer.from(encoded ?? '', 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  if (colon < 0) return undefined
  try {
    const [clientId, value] = [formDecode(pair.slice(0, colon)), formDecode(pair.slice(colon + 1))]
    return { clientId, value, method: 'client_secret_basic' }
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

/** Both halves were form-encoded before they were joined (RFC 6749 appendix B). */
function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

function proofOf(parameters: URLSearchParams, value: string, method: TestClientAuthMethod): Proof {
  return { clientId: parameters.get('client_id') ?? '', value, method }
}

function assertionProof(parameters: URLSearchParams): Proof | undefined {
  const value = parameters.get('client_assertion') ?? ''
  const { sub, alg } = readAssertion(value)
  const clientId = parameters.get('client_id') ?? sub
  if (parameters.get('client_assertion_type') !== ASSERTION_TYPE || clientId !== sub) return undefined
  if (sub === undefined || alg === undefined) return undefined
  return { clientId: sub, value, method: alg.startsWith('HS') ? 'client_secret_jwt' : 'private_key_jwt' }
}

function readAssertion(assertion: string): { sub?: string | undefined; alg?: string | undefined } {
  try {
    return { sub: decodeJwt(assertion).sub, alg: decodeProtectedHeader(assertion).alg }
  } catch (error) {
    // jose's two words for what cannot be read
    if (error instanceof errors.JOSEError || error instanceof TypeError) return {}
    throw error
  }
}
