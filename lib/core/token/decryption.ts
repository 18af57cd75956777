/**
 * Opens an encrypted access token. What is inside is still only a signed token to be verified.
 *
 * @see RFC 7516, RFC 9068 §4
 */
import type { KeyObject } from 'node:crypto'
import { invalidToken } from '../errors.js'
import { decodeJwt, recognizeJwt, type DecodedJwt } from '../issuer/jwt-format.js'

/** A private key of this API's, to which the authorization server encrypts. */
export interface DecryptionKey {
  readonly kid: string | undefined
  readonly privateKey: KeyObject
}

/** No passwords (PBES2: its work factor is the sender's choice), no RSA PKCS #1 v1.5. */
const KEY_MANAGEMENT: Readonly<Record<string, readonly string[]>> = {
  rsa: ['RSA-OAEP', 'RSA-OAEP-256', 'RSA-OAEP-384', 'RSA-OAEP-512'],
  ec: ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A192KW', 'ECDH-ES+A256KW'],
  x25519: ['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A192KW', 'ECDH-ES+A256KW'],
}
const CONTENT_ENCRYPTION = [
  'A128GCM',
  'A192GCM',
  'A256GCM',
  'A128CBC-HS256',
  'A192CBC-HS384',
  'A256CBC-HS512',
]

/** Small bombs unfold to much (RFC 8725 §3.6 as revised). */
const MAX_DECOMPRESSED_BYTES = 250_000

/** Whether a key is of a kind that tokens can be encrypted to. */
export function isDecryptionKey(key: KeyObject): boolean {
  return key.type === 'private' && KEY_MANAGEMENT[key.asymmetricKeyType ?? ''] !== undefined
}

/**
 * @returns `decrypt(token)`: the signed token inside, decoded and unverified
 * @throws InvalidTokenError `decryption_failed` if no key opens it, `malformed_token` if there is no JWS inside
 */
export function createDecryption(keys: readonly DecryptionKey[]): (token: string) => Promise<DecodedJwt> {
  return async function decrypt(token) {
    const inner = await open(token, keys)
    if (recognizeJwt(inner) !== 'jws')
      throw invalidToken('malformed_token', { expected: 'a signed token inside' })
    return decodeJwt(inner)
  }
}

async function open(token: string, keys: readonly DecryptionKey[]): Promise<string> {
  // imported when first needed: it takes longer than all of ours
  const { compactDecrypt, decodeProtectedHeader, errors } = await import('jose')
  const kid = readKid(token, decodeProtectedHeader)
  for (const { privateKey } of fittingKeys(kid, keys)) {
    try {
      const { plaintext } = await compactDecrypt(token, privateKey, {
        keyManagementAlgorithms: [...(KEY_MANAGEMENT[privateKey.asymmetricKeyType ?? ''] ?? [])],
        contentEncryptionAlgorithms: CONTENT_ENCRYPTION,
        maxDecompressedLength: MAX_DECOMPRESSED_BYTES,
      })
      return Buffer.from(plaintext).toString('utf8')
    } catch (error) {
      // a TypeError is jose's way to say that key and header do not fit
      if (!(error instanceof errors.JOSEError || error instanceof TypeError)) throw error
    }
  }
  throw invalidToken('decryption_failed')
}

function fittingKeys(kid: unknown, keys: readonly DecryptionKey[]): readonly DecryptionKey[] {
  const named = kid === undefined ? [] : keys.filter((key) => key.kid === kid)
  return named.length > 0 ? named : keys
}

function readKid(token: string, decodeHeader: (token: string) => { kid?: unknown }): unknown {
  try {
    return decodeHeader(token).kid
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw invalidToken('malformed_token', { name: 'header' })
  }
}
