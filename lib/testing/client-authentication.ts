/**
 * How the test issuer knows who asks at its introspection endpoint.
 *
 * @see RFC 6749 §2.3.1 for secrets, RFC 7523 §3 for assertions
 */
import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { SIGNING_ALGORITHMS } from './signing-keys.js'

export type TestClientAuthMethod =
  'client_secret_basic' | 'client_secret_post' | 'client_secret_jwt' | 'private_key_jwt'

export const CLIENT_AUTH_METHODS: readonly TestClientAuthMethod[] = [
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
]

/** A client that may introspect. */
export interface TestClient {
  readonly secret?: string
  /** Checks `private_key_jwt`; of a private key only the public half is used. */
  readonly jwk?: Readonly<JsonWebKey>
  /** The one method taken from this client. Default: any that its credentials allow. */
  readonly authMethod?: TestClientAuthMethod
}

/** Clients by identifier; a string is a secret. */
export type TestClients = Readonly<Record<string, string | TestClient>>

export type AuthenticatesClient = (
  authorization: string | undefined,
  parameters: URLSearchParams,
) => Promise<boolean>

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

  return async function authenticatesClient(authorization, parameters) {
    const proofs = proofsIn(authorization, parameters)
    const [proof] = proofs
    // RFC 6749 §2.3: one method a request
    if (proof === undefined || proofs.length > 1) return false
    const client: TestClient | undefined = registered.get(proof.clientId)
    if (client === undefined || (client.authMethod ?? proof.method) !== proof.method) return false
    if (proof.method === 'private_key_jwt') {
      return client.jwk !== undefined && isGoodAssertion(proof, toPublicKey(client.jwk))
    }
    if (client.secret === undefined) return false
    if (proof.method !== 'client_secret_jwt') return proof.value === client.secret
    return isGoodAssertion(proof, createSecretKey(client.secret, 'utf8'))
  }
}

function toPublicKey(jwk: Readonly<JsonWebKey>): KeyObject {
  return createPublicKey({ key: jwk, format: 'jwk' })
}

function proofsIn(authorization: string | undefined, parameters: URLSearchParams): Proof[] {
  const found: (Proof | undefined)[] = []
  if (authorization !== undefined) found.push(basicProof(authorization))
  if (parameters.has('client_secret')) found.push(postProof(parameters))
  if (parameters.has('client_assertion')) found.push(assertionProof(parameters))
  return found.includes(undefined) ? [] : found.filter((proof) => proof !== undefined)
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

function postProof(parameters: URLSearchParams): Proof {
  const value = parameters.get('client_secret') ?? ''
  return { clientId: parameters.get('client_id') ?? '', value, method: 'client_secret_post' }
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
