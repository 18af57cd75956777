/** Which members of a published set may verify what, and which of them are tried for a token. */
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { parseKeySet, selectKeys } from '../../../lib/core/issuer/key-set.js'
import { createSigningKey, SIGNING_ALGORITHMS } from '../../../lib/testing/test-issuer.js'

type Jwk = Readonly<Record<string, unknown>>

const vectors = JSON.parse(readFileSync('__tests__/vectors/keys.json', 'utf8')) as { keys: Jwk[] }
const published = JSON.parse(readFileSync('__tests__/vectors/signatures.json', 'utf8')) as {
  signatures: { name: string; alg: string; jwk: Jwk }[]
}

const rsa = createSigningKey('RS256', 'rsa').publicJwk as Jwk
const ec = createSigningKey('ES256', 'ec').publicJwk as Jwk
const okp = createSigningKey('EdDSA', 'okp').publicJwk as Jwk
const { privateKey: small } = generateKeyPairSync('rsa', { modulusLength: 2040 })

const algorithmsOf = (jwk: unknown) => parseKeySet({ keys: [jwk] })?.keys[0]?.algorithms
const without = (jwk: Jwk, ...names: string[]) =>
  Object.fromEntries(Object.entries(jwk).filter(([name]) => !names.includes(name)))

describe('parseKeySet', () => {
  it.each([undefined, null, 1, 'x', [], {}, { keys: null }, { keys: {} }, { keys: 'x' }, { KEYS: [] }])(
    'finds no key set in %j',
    (value) => {
      expect(parseKeySet(value)).toBeUndefined()
    },
  )

  it('takes an empty set for what it is', () => {
    expect(parseKeySet({ keys: [] })).toMatchObject({ keys: [], skipped: 0 })
  })

  it('takes up to a thousand members', () => {
    const keys = (length: number) => ({ keys: Array.from({ length }, () => ({})) })
    expect(parseKeySet(keys(1000))).toMatchObject({ keys: [], skipped: 1000 })
    expect(parseKeySet(keys(1001))).toBeUndefined()
  })

  it('reads the keys of RFC 7520 §3: the public ones and the public halves, not those for encryption', () => {
    const set = parseKeySet(vectors)!
    expect(set.keys.map(({ kid, algorithms, publicKey }) => [kid, algorithms[0], publicKey.type])).toEqual([
      ['bilbo.baggins@hobbiton.example', 'ES512', 'public'],
      ['bilbo.baggins@hobbiton.example', 'RS256', 'public'],
    ])
    expect(set.skipped).toBe(4)
  })

  it.each(
    published.signatures
      .filter(({ jwk }) => jwk['kty'] !== 'oct')
      .map(({ name, alg, jwk }) => [name, alg, jwk] as const),
  )('reads the key of %s', (_name, alg, jwk) => {
    expect(algorithmsOf(jwk)).toContain(alg)
  })

  it.each(SIGNING_ALGORITHMS)('lets a key that names %s serve it alone', (alg) => {
    const expected = /^Ed/.test(alg) ? ['EdDSA', 'Ed25519'] : [alg]
    expect(algorithmsOf(createSigningKey(alg).publicJwk)).toEqual(expected)
  })

  it.each([
    ['RSA', rsa, ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
    ['P-256', ec, ['ES256']],
    ['Ed25519', okp, ['EdDSA', 'Ed25519']],
  ])('lets a key of %s without alg and use serve what fits its type', (_type, jwk, expected) => {
    expect(algorithmsOf(without(jwk, 'alg', 'use'))).toEqual(expected)
    expect(algorithmsOf({ ...without(jwk, 'alg', 'use'), key_ops: ['verify'] })).toEqual(expected)
  })

  it.each<[string, unknown]>([
    ['null', null],
    ['a list', [rsa]],
    ['a number', 1],
    ['a text', 'key'],
    ['nothing in it', {}],
    ['no kty', without(rsa, 'kty')],
    ['another kty', { ...rsa, kty: 'rsa' }],
    ['kty of another type', { ...rsa, kty: ['RSA'] }],
    ['a symmetric key', { kty: 'oct', k: 'AAAA', alg: 'HS256' }],
    ['a key for encryption', { ...rsa, use: 'enc' }],
    ['use of another type', { ...rsa, use: 1 }],
    ['operations without verify', { ...rsa, key_ops: ['encrypt'] }],
    ['operations that are no list', { ...rsa, key_ops: 'verify' }],
    ['operations of another type', { ...rsa, key_ops: ['verify', 1] }],
    ['an algorithm for encryption', { ...rsa, alg: 'RSA-OAEP' }],
    ['an algorithm of another type of key', { ...rsa, alg: 'ES256' }],
    ['an algorithm of another curve', { ...ec, alg: 'ES384' }],
    ['an unknown algorithm', { ...rsa, alg: 'RS1' }],
    ['alg of another type', { ...rsa, alg: ['RS256'] }],
    ['kid of another type', { ...rsa, kid: 1 }],
    ['no modulus', without(rsa, 'n')],
    ['no exponent', without(rsa, 'e')],
    ['an exponent of 1', { ...rsa, e: 'AQ' }],
    ['an even exponent', { ...rsa, e: 'BA' }],
    ['a modulus of another type', { ...rsa, n: {} }],
    [
      'a modulus nested without end',
      { ...rsa, n: JSON.parse('['.repeat(400_000) + ']'.repeat(400_000)) as unknown },
    ],
    ['an RSA key below 2048 bits', small.export({ format: 'jwk' })],
    ['a point off the curve', { ...ec, y: ec['x'] }],
    ['half a point', without(ec, 'y')],
    ['an empty point', { ...ec, x: '', y: '' }],
    ['another curve', { ...ec, crv: 'secp256k1' }],
    ['Ed448', generateKeyPairSync('ed448').publicKey.export({ format: 'jwk' })],
    ['X25519', generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' })],
    ['a short Ed25519 key', { ...okp, x: 'AAAA' }],
    ['a name of prototypes for a curve', { ...ec, kty: '__proto__', crv: 'constructor' }],
  ])('skips a member that is or has %s', (_what, member) => {
    const set = parseKeySet({ keys: [member, ec] })!
    expect(set.keys.map(({ kid }) => kid)).toEqual(['ec'])
    expect(set.skipped).toBe(1)
  })

  it('holds no private key that was published by mistake', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const [key] = parseKeySet({ keys: [privateKey.export({ format: 'jwk' })] })!.keys
    expect(key?.publicKey.type).toBe('public')
  })

  it('takes one key under several kids, and members given twice once', () => {
    const set = parseKeySet({ keys: [ec, { ...ec, kid: 'ec2' }, ec] })!
    expect(set.keys.map(({ kid }) => kid)).toEqual(['ec', 'ec2'])
    expect(set.skipped).toBe(1)
  })

  it('keeps a key that stays, marks one that is gone, and takes one that comes back for a new one', () => {
    const first = parseKeySet({ keys: [rsa, ec] })!
    const second = parseKeySet({ keys: [ec] }, first)!
    expect(second.keys[0]).toBe(first.keys[1])
    expect(first.keys.map(({ isPublished }) => isPublished)).toEqual([false, true])
    const third = parseKeySet({ keys: [rsa, ec] }, second)!
    expect(third.keys.map(({ isPublished }) => isPublished)).toEqual([true, true])
    expect(third.keys[0]).not.toBe(first.keys[0])
  })

  it.each([
    ['material', { ...createSigningKey('ES256', 'ec').publicJwk }],
    ['name', { ...ec, kid: 'other' }],
    ['purpose', { ...ec, use: 'enc' }],
    ['algorithm', { ...ec, alg: 'ES384' }],
  ])('takes a key with another %s for another key', (_what, jwk) => {
    const first = parseKeySet({ keys: [ec] })!
    parseKeySet({ keys: [jwk] }, first)
    expect(first.keys[0]?.isPublished).toBe(false)
  })
})

describe('selectKeys', () => {
  const named = (alg: 'ES256' | 'RS256', kid?: string) => ({ ...(alg === 'ES256' ? ec : rsa), kid })
  const select = (keys: unknown[], kid: string | undefined, alg = 'ES256') =>
    selectKeys(parseKeySet({ keys })!, { alg, kid }).map((key) => [key.kid, key.algorithms[0]])

  it('takes the keys of that name which fit the algorithm', () => {
    expect(select([named('RS256', 'k'), named('ES256', 'k'), named('ES256', 'l')], 'k')).toEqual([
      ['k', 'ES256'],
    ])
    expect(select([named('RS256', 'k')], 'k')).toEqual([])
  })

  it.each(['K', ' k', 'k ', '', '__proto__', 'constructor'])(
    'does not take the key k for the name %j',
    (kid) => {
      expect(select([named('ES256', 'k')], kid)).toEqual([])
    },
  )

  it('takes keys without a name for a name that none bears', () => {
    expect(select([named('ES256', 'k'), named('ES256')], 'other')).toEqual([[undefined, 'ES256']])
    expect(select([named('ES256', 'k'), named('ES256')], 'k')).toEqual([['k', 'ES256']])
  })

  it('takes all that fit for a token without kid', () => {
    expect(select([named('ES256', 'k'), named('RS256', 'r'), named('ES256')], undefined)).toEqual([
      ['k', 'ES256'],
      [undefined, 'ES256'],
    ])
  })

  it('takes sixteen at most', () => {
    const many = Array.from({ length: 20 }, () => createSigningKey('ES256', 'k').publicJwk)
    expect(select(many, 'k')).toHaveLength(16)
    expect(select(many, undefined)).toHaveLength(16)
  })
})
