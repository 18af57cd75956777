/** Opening encrypted tokens: by the vectors of RFC 7520, and by what others would like us to open. */
import { createPrivateKey, createSecretKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { CompactEncrypt } from 'jose'
import { InvalidTokenError } from '../../../lib/core/errors.js'
import { createDecryption, isDecryptionKey, type DecryptionKey } from '../../../lib/core/token/decryption.js'
import { encode } from '../../support/jwt-api.js'

interface Vector {
  readonly name: string
  readonly alg: string
  readonly key: JsonWebKey
  readonly jwe: string
}

const { jwe: vectors, nested } = JSON.parse(readFileSync('__tests__/vectors/encryption.json', 'utf8')) as {
  jwe: Vector[]
  nested: { key: JsonWebKey; jwe: string; jws: string; claims: string }
}

const toKey = (jwk: JsonWebKey, kid = jwk['kid'] as string | undefined): DecryptionKey => ({
  kid,
  privateKey: createPrivateKey({ key: jwk, format: 'jwk' }),
})
const asymmetric = vectors.filter(({ key }) => key.kty !== 'oct')

async function reasonOf(token: string, keys: readonly DecryptionKey[]): Promise<string> {
  try {
    await createDecryption(keys)(token)
  } catch (error) {
    if (error instanceof InvalidTokenError) return error.reason
    throw error
  }
  return 'opened'
}

// what is inside the examples of RFC 7520 §5 is prose: it is opened, and then it is no signed token
const OPENED = 'malformed_token'

describe('createDecryption', () => {
  it.each(
    asymmetric.filter(({ alg }) => alg !== 'RSA1_5').map(({ name, key, jwe }) => [name, key, jwe] as const),
  )('opens %s', async (_name, key, jwe) => {
    expect(await reasonOf(jwe, [toKey(key)])).toBe(OPENED)
    const spoilt = jwe.replace(/\.[^.]{4}([^.]*\.[^.]*)$/, '.AAAA$1')
    expect(await reasonOf(spoilt, [toKey(key)])).toBe('decryption_failed')
  })

  it.each(
    vectors
      .filter((one) => !asymmetric.includes(one) || one.alg === 'RSA1_5')
      .map(({ name, jwe }) => [name, jwe] as const),
  )('does not open %s', async (_name, jwe) => {
    expect(
      await reasonOf(
        jwe,
        asymmetric.map(({ key }) => toKey(key)),
      ),
    ).toBe('decryption_failed')
  })

  it('opens the nested token of RFC 7520 §6, and hands out the signed one inside', async () => {
    const jwt = await createDecryption([toKey(nested.key)])(nested.jwe)
    expect(jwt.claims).toEqual(JSON.parse(nested.claims))
    expect(`${jwt.encodedHeader}.${jwt.encodedClaims}.${jwt.signature}`).toBe(nested.jws)
  })

  const pairs = [
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ]
  const [first, second] = pairs.map(({ privateKey }, index) => ({ kid: `k${index}`, privateKey })) as [
    DecryptionKey,
    DecryptionKey,
  ]
  const inside = `${encode({ alg: 'ES256' })}.${encode({ sub: 'a' })}.AAAA`
  const encrypt = (to: number, header: object = {}, text = inside) =>
    new CompactEncrypt(Buffer.from(text))
      .setProtectedHeader({ alg: 'RSA-OAEP', enc: 'A256GCM', ...header })
      .encrypt(pairs[to]!.publicKey)

  it('uses the key that the token names, or tries all where it names none of ours', async () => {
    expect(await reasonOf(await encrypt(1, { kid: 'k1' }), [first, second])).toBe('opened')
    expect(await reasonOf(await encrypt(1), [first, second])).toBe('opened')
    expect(await reasonOf(await encrypt(1, { kid: 'other' }), [first, second])).toBe('opened')
    expect(await reasonOf(await encrypt(1, { kid: 'k0' }), [first, second])).toBe('decryption_failed')
    expect(await reasonOf(await encrypt(1), [first])).toBe('decryption_failed')
  })

  it.each(['', '{}', 'a.b.c', '{"sub":"a"}', inside.slice(0, -6), `${inside}.AA`])(
    'does not take %j inside for a token',
    async (text) => {
      expect(await reasonOf(await encrypt(0, {}, text), [first])).toBe('malformed_token')
    },
  )

  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecKey: DecryptionKey = { kid: undefined, privateKey: ec.privateKey }
  const epk = ec.publicKey.export({ format: 'jwk' })
  const oddHeaders: object[] = [
    {},
    { alg: 1, enc: 1 },
    { alg: 'ECDH-ES', enc: 'A128GCM' },
    { alg: 'ECDH-ES', enc: 'A128GCM', epk: null },
    { alg: 'ECDH-ES', enc: 'A128GCM', epk: { ...epk, y: epk.x } },
    { alg: 'ECDH-ES', enc: 'A128GCM', epk: { kty: 'OKP', crv: 'X25519', x: 'AA' } },
    { alg: 'ECDH-ES', enc: 'A128GCM', epk, apu: 1, apv: {} },
    { alg: 'ECDH-ES', enc: 'none', epk },
    { alg: 'ECDH-ES+A128KW', enc: 'A128CBC-HS256', epk },
    { alg: 'RSA-OAEP', enc: 'A256GCM', crit: ['x'], x: 1 },
    { alg: 'RSA-OAEP', enc: 'A256GCM', crit: 'x' },
    { alg: 'RSA-OAEP', enc: 'A256GCM', zip: 'GZ' },
    { alg: 'RSA-OAEP', enc: 'A256GCM', zip: {} },
    { alg: 'RSA-OAEP', enc: 'A256GCM', kid: {} },
    { alg: 'RSA1_5', enc: 'A256GCM' },
    { alg: 'dir', enc: 'A256GCM' },
    { alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', p2c: 1e9, p2s: 'AAAA' },
  ]

  it.each(oddHeaders)('refuses the header %j, whatever follows', async (header) => {
    const tails = [
      '....',
      '..AAAA.AA.AA',
      '..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA',
      `.${'A'.repeat(342)}.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA`,
      `.${'A'.repeat(54)}.AAAAAAAAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA`,
      '.!.!.!.!',
    ]
    for (const tail of tails) {
      expect(await reasonOf(encode(header) + tail, [first, ecKey])).toBe('decryption_failed')
    }
  })

  it.each(['a....', '.....', 'e30=....', `${encode('[]')}....`, `${encode('null')}....`])(
    'refuses what has no header: %s',
    async (token) => {
      expect(['malformed_token', 'decryption_failed']).toContain(await reasonOf(token, [first]))
    },
  )
})

describe('isDecryptionKey', () => {
  it('takes private keys to which tokens can be encrypted', () => {
    const kinds = {
      rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
      ec: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
      x25519: generateKeyPairSync('x25519'),
      ed25519: generateKeyPairSync('ed25519'),
    }
    expect(Object.entries(kinds).map(([kind, pair]) => [kind, isDecryptionKey(pair.privateKey)])).toEqual([
      ['rsa', true],
      ['ec', true],
      ['x25519', true],
      ['ed25519', false],
    ])
    expect(isDecryptionKey(kinds.rsa.publicKey)).toBe(false)
    expect(isDecryptionKey(createSecretKey(Buffer.alloc(32)))).toBe(false)
  })
})
