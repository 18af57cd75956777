/** Node's signature verification behind our table: published vectors, and every way to spoil a signature. */
import { createPublicKey, createSecretKey, randomBytes, type JsonWebKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { createSignatureVerification, isVerified } from '../../../lib/core/issuer/signature.js'
import { createSigningKey, SIGNING_ALGORITHMS } from '../../../lib/testing/test-issuer.js'
import { createSigner, type SignatureAlgorithm } from '../../../lib/testing/signatures.js'

const { signatures } = JSON.parse(readFileSync('__tests__/vectors/signatures.json', 'utf8')) as {
  signatures: readonly { name: string; alg: string; jws: string; jwk: JsonWebKey }[]
}

function toKey(jwk: JsonWebKey): KeyObject {
  return jwk.kty === 'oct'
    ? createSecretKey(Buffer.from(jwk.k ?? '', 'base64url'))
    : createPublicKey({ key: jwk, format: 'jwk' })
}

function toParts(jws: string) {
  const [encodedHeader = '', encodedClaims = '', signature = ''] = jws.split('.')
  return { header: {}, claims: {}, encodedHeader, encodedClaims, signature }
}

const HMAC = ['HS256', 'HS384', 'HS512'] as const
const ALGORITHMS: readonly SignatureAlgorithm[] = [...SIGNING_ALGORITHMS, ...HMAC]

interface Signed {
  readonly alg: SignatureAlgorithm
  readonly jwt: ReturnType<typeof toParts>
  readonly publicKey: KeyObject
}

const signed = new Map<string, Signed>(ALGORITHMS.map((alg) => [alg, sign(alg)]))

function sign(alg: SignatureAlgorithm): Signed {
  const isHmac = (HMAC as readonly string[]).includes(alg)
  const secret = createSecretKey(randomBytes(64))
  const pair = isHmac ? undefined : createSigningKey(alg as (typeof SIGNING_ALGORITHMS)[number])
  const key = pair ?? secret
  const signer = createSigner({ alg, key }, {} as never, 'ES256')
  return { alg, jwt: toParts(signer.sign('eyJhIjoxfQ.eyJiIjoyfQ')), publicKey: pair?.publicKey ?? secret }
}

const spoil = (bytes: Buffer, at: number) => {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

describe('isVerified', () => {
  it.each(signatures)('accepts the published signature of $name', ({ alg, jws, jwk }) => {
    expect(isVerified(toParts(jws), alg, toKey(jwk))).toBe(true)
  })

  it.each(signatures)('refuses $name with any one byte changed', ({ alg, jws, jwk }) => {
    const jwt = toParts(jws)
    const bytes = Buffer.from(jwt.signature, 'base64url')
    for (let at = 0; at < bytes.length; at += 7) {
      const signature = spoil(bytes, at).toString('base64url')
      expect(isVerified({ ...jwt, signature }, alg, toKey(jwk))).toBe(false)
    }
  })

  describe.each(ALGORITHMS)('with %s', (alg) => {
    const { jwt, publicKey } = signed.get(alg) ?? sign(alg)
    const bytes = Buffer.from(jwt.signature, 'base64url')

    it('accepts a good signature', () => {
      expect(isVerified(jwt, alg, publicKey)).toBe(true)
    })

    it.each([
      ['empty', Buffer.alloc(0)],
      ['a byte short', bytes.subarray(1)],
      ['a byte short at the end', bytes.subarray(0, -1)],
      ['a byte too long', Buffer.concat([bytes, Buffer.alloc(1)])],
      ['a zero byte too long in front', Buffer.concat([Buffer.alloc(1), bytes])],
      ['all zeros', Buffer.alloc(bytes.length)],
      ['all ones', Buffer.alloc(bytes.length, 0xff)],
      ['twice', Buffer.concat([bytes, bytes])],
    ])('refuses one that is %s', (_what, signature) => {
      expect(isVerified({ ...jwt, signature: signature.toString('base64url') }, alg, publicKey)).toBe(false)
    })

    it('refuses a changed header and changed claims', () => {
      expect(isVerified({ ...jwt, encodedHeader: 'eyJhIjoyfQ' }, alg, publicKey)).toBe(false)
      expect(isVerified({ ...jwt, encodedClaims: 'eyJiIjozfQ' }, alg, publicKey)).toBe(false)
    })

    it('refuses the signature of another key of its kind', () => {
      expect(isVerified(sign(alg).jwt, alg, publicKey)).toBe(false)
    })

    it('refuses every other algorithm, whatever the key', () => {
      const synonyms = new Set(['EdDSA', 'Ed25519'])
      for (const other of ALGORITHMS) {
        if (other === alg || (synonyms.has(alg) && synonyms.has(other))) continue
        expect(isVerified(jwt, other, publicKey)).toBe(false)
        expect(isVerified(jwt, alg, signed.get(other)?.publicKey ?? publicKey)).toBe(false)
      }
    })
  })

  describe.each(['ES256', 'ES384', 'ES512'] as const)('with %s', (alg) => {
    const { jwt, publicKey } = signed.get(alg) ?? sign(alg)
    const half = Buffer.from(jwt.signature, 'base64url').length / 2
    const bytes = Buffer.from(jwt.signature, 'base64url')

    it.each([
      ['R is zero', Buffer.concat([Buffer.alloc(half), bytes.subarray(half)])],
      ['S is zero', Buffer.concat([bytes.subarray(0, half), Buffer.alloc(half)])],
      ['R and S change places', Buffer.concat([bytes.subarray(half), bytes.subarray(0, half)])],
    ])('refuses a signature in which %s', (_what, signature) => {
      expect(isVerified({ ...jwt, signature: signature.toString('base64url') }, alg, publicKey)).toBe(false)
    })

    it('refuses the DER form of a good signature', () => {
      const der = toDer(bytes.subarray(0, half), bytes.subarray(half)).toString('base64url')
      expect(isVerified({ ...jwt, signature: der }, alg, publicKey)).toBe(false)
    })

    it('accepts numbers that begin with zeros, as one signature in 256 has them', () => {
      // signing is random: sooner or later R or S is short
      let short = false
      for (let tries = 0; !short && tries < 20_000; tries += 1) {
        const again = toParts(
          createSigner({ alg, key: pairs[alg] }, {} as never, alg).sign('eyJhIjoxfQ.eyJiIjoyfQ'),
        )
        const [r0, s0] = [0, half].map((at) => Buffer.from(again.signature, 'base64url')[at])
        // the first byte of ES512 holds one bit only: two zero bytes are the rarity there
        short = alg === 'ES512' ? r0 === 0 && s0 === 0 : r0 === 0 || s0 === 0
        if (short) expect(isVerified(again, alg, pairs[alg].publicKey)).toBe(true)
      }
      expect(short).toBe(true)
    })
  })

  it.each(['none', 'None', 'rs256', 'RS1', 'ES256K', 'Ed448', '', '__proto__', 'constructor'])(
    'knows no algorithm %j',
    (alg) => {
      const { jwt, publicKey } = signed.get('RS256') ?? sign('RS256')
      expect(isVerified({ ...jwt, signature: '' }, alg, publicKey)).toBe(false)
      expect(isVerified(jwt, alg, publicKey)).toBe(false)
    },
  )

  it('refuses an RSA public key taken for an HMAC secret', () => {
    const { publicKey } = signed.get('RS256') ?? sign('RS256')
    const pem = createSecretKey(Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })))
    const forged = toParts(
      createSigner({ alg: 'HS256', key: pem }, {} as never, 'ES256').sign('eyJhIjoxfQ.eyJiIjoyfQ'),
    )
    expect(isVerified(forged, 'HS256', publicKey)).toBe(false)
    expect(isVerified(forged, 'RS256', publicKey)).toBe(false)
  })
})

describe('createSignatureVerification', () => {
  it('answers each of many signatures of one turn by itself', async () => {
    const verify = createSignatureVerification()
    const entries = [...signed.values()]
    const answers = entries.flatMap(({ jwt, alg, publicKey }) => [
      verify(jwt, alg, publicKey),
      verify({ ...jwt, encodedClaims: 'eyJiIjozfQ' }, alg, publicKey),
    ])
    expect(await Promise.all(answers)).toEqual(entries.flatMap(() => [true, false]))
  })
})

const pairs = {
  ES256: createSigningKey('ES256'),
  ES384: createSigningKey('ES384'),
  ES512: createSigningKey('ES512'),
}

function toDer(r: Buffer, s: Buffer): Buffer {
  const integer = (bytes: Buffer) => {
    const digits = bytes.subarray(bytes.findIndex((byte) => byte !== 0))
    const padded = (digits[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.alloc(1), digits]) : digits
    return Buffer.concat([Buffer.from([2, padded.length]), padded])
  }
  const body = Buffer.concat([integer(r), integer(s)])
  return Buffer.concat([
    Buffer.from(body.length < 128 ? [0x30, body.length] : [0x30, 0x81, body.length]),
    body,
  ])
}
