/**
 * Signs any bytes as a compact JWS, however wrong their content: what checks a token must not help to make it.
 *
 * @see RFC 7515 §7.1, RFC 7518 §3
 */
import { constants, createHmac, KeyObject, sign } from 'node:crypto'
import type { SigningAlgorithm, SigningKey } from './signing-keys.js'

/** How a token is signed: also with a shared secret, or not at all. */
export type SignatureAlgorithm = SigningAlgorithm | 'HS256' | 'HS384' | 'HS512' | 'none'

export interface SignatureOptions {
  /** How the signature is made. Default: what `key` is for, else the default of the issuer. */
  readonly alg?: SignatureAlgorithm
  /** Whose signature it is. Default: the issuer's current key for `alg`. */
  readonly key?: SigningKey | KeyObject
  /** The third part as it shall stand there, instead of a signature. */
  readonly signature?: string
}

export interface Signer {
  readonly alg: SignatureAlgorithm
  /** Undefined when the key is a bare `KeyObject`, or there is none. */
  readonly kid: string | undefined
  readonly sign: (signingInput: string) => string
}

/**
 * @param keys the issuer's own, for those who name no key.
 * @throws TypeError if `alg` needs a secret and `key` is missing
 */
export function createSigner(
  { alg, key, signature }: SignatureOptions,
  keys: Readonly<Record<SigningAlgorithm, SigningKey>>,
  defaultAlgorithm: SigningAlgorithm,
): Signer {
  const how = alg ?? (key === undefined ? defaultAlgorithm : algorithmOf(key))
  const who = key ?? (isAsymmetric(how) ? keys[how] : undefined)
  const kid = who instanceof KeyObject ? undefined : who?.kid
  const keyObject = who instanceof KeyObject ? who : who?.privateKey

  return {
    alg: how,
    kid,
    sign: (signingInput) => `${signingInput}.${signature ?? signatureOf(signingInput, how, keyObject)}`,
  }
}

function isAsymmetric(alg: SignatureAlgorithm): alg is SigningAlgorithm {
  return alg !== 'none' && !alg.startsWith('HS')
}

const CURVES: Readonly<Record<string, SigningAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}

function algorithmOf(key: SigningKey | KeyObject): SignatureAlgorithm {
  if (!(key instanceof KeyObject)) return key.alg
  if (key.type === 'secret') return 'HS256'
  if (key.asymmetricKeyType === 'rsa') return 'RS256'
  return CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? 'EdDSA'
}

function signatureOf(signingInput: string, alg: SignatureAlgorithm, key: KeyObject | undefined): string {
  if (alg === 'none') return ''
  if (key === undefined) throw new TypeError(`${alg} needs a key: pass createSecretKey(...) as "key"`)
  return signBytes(Buffer.from(signingInput), alg, key).toString('base64url')
}

function signBytes(data: Buffer, alg: Exclude<SignatureAlgorithm, 'none'>, key: KeyObject): Buffer {
  const digest = `sha${alg.slice(2)}`
  switch (alg.slice(0, 2)) {
    case 'HS':
      return createHmac(digest, key).update(data).digest()
    case 'RS':
      return sign(digest, data, key)
    case 'PS':
      return sign(digest, data, {
        key,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      })
    case 'ES':
      return sign(digest, data, { key, dsaEncoding: 'ieee-p1363' })
    default:
      return sign(null, data, key)
  }
}
