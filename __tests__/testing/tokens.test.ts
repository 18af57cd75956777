import { createSecretKey } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import {
  createSigningKey,
  createTestIssuer,
  SIGNING_ALGORITHMS,
  type TestIssuer,
} from '../../lib/testing/test-issuer.js'

const AUDIENCE = 'https://api.example.com'
let as: TestIssuer

beforeAll(async () => {
  as = await createTestIssuer()
})
afterAll(() => as.close())

const verify = (token: string) => jwtVerify(token, createRemoteJWKSet(new URL(as.jwksUri)))
const partsOf = (token: string) => token.split('.').map((part) => Buffer.from(part, 'base64url').toString())

describe('mintJwt', () => {
  it.each([...SIGNING_ALGORITHMS])('signs with %s so that the published key verifies it', async (alg) => {
    const { protectedHeader } = await verify(as.mintJwt({ alg }))
    expect(protectedHeader).toEqual({ typ: 'at+jwt', alg, kid: as.keys[alg].kid })
  })

  it('has the full shape of RFC 9068 by default', async () => {
    const { payload } = await verify(as.mintJwt())
    expect(payload).toEqual({
      iss: as.issuer,
      aud: AUDIENCE,
      sub: 'alice',
      client_id: 'app',
      scope: 'read',
      iat: expect.any(Number),
      exp: payload.iat! + 600,
      jti: expect.any(String),
    })
    expect(Math.abs(payload.iat! - Date.now() / 1000)).toBeLessThan(5)
  })

  it('never repeats a token', () => {
    expect(as.mintJwt()).not.toBe(as.mintJwt())
  })

  it('takes the usual claims by their options', () => {
    const token = as.mintJwt({
      scope: ['a', 'b'],
      audience: ['x', 'y'],
      subject: 'bob',
      clientId: 'cli',
      expiresInSeconds: -5,
    })
    const { iat, exp, ...claims } = decodeJwt(token)
    expect(claims).toMatchObject({ scope: 'a b', aud: ['x', 'y'], sub: 'bob', client_id: 'cli' })
    expect(exp!).toBeLessThan(Date.now() / 1000)
    expect(iat!).toBeLessThan(exp!)
  })

  it('adds, replaces and leaves out claims and header members', () => {
    const token = as.mintJwt({
      claims: { sub: 7, extra: { deep: true }, jti: undefined },
      header: { typ: 'JWT', kid: undefined, crit: ['x'] },
    })
    expect(decodeProtectedHeader(token)).toEqual({ typ: 'JWT', alg: 'ES256', crit: ['x'] })
    expect(decodeJwt(token)).toMatchObject({ sub: 7, extra: { deep: true } })
    expect(decodeJwt(token)).not.toHaveProperty('jti')
  })

  it("signs with a stranger's key under its own name, or under the issuer's", async () => {
    const stranger = createSigningKey('ES256')
    await expect(verify(as.mintJwt({ key: stranger }))).rejects.toMatchObject({
      code: 'ERR_JWKS_NO_MATCHING_KEY',
    })
    const forged = as.mintJwt({ key: stranger, header: { kid: as.keys.ES256.kid } })
    await expect(verify(forged)).rejects.toMatchObject({ code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' })
  })

  it('signs with a shared secret, which is how algorithms are confused', async () => {
    const secret = createSecretKey(
      Buffer.from(as.keys.RS256.publicKey.export({ type: 'spki', format: 'pem' })),
    )
    const token = as.mintJwt({ alg: 'HS256', key: secret, header: { kid: as.keys.RS256.kid } })
    const { protectedHeader } = await jwtVerify(token, secret)
    expect(protectedHeader).toMatchObject({ alg: 'HS256', kid: as.keys.RS256.kid })
    expect(() => as.mintJwt({ alg: 'HS256' })).toThrow(TypeError)
  })

  it('takes the algorithm from the key when none is named', () => {
    const algorithmFor = (key: Parameters<TestIssuer['mintJwt']>[0]) =>
      decodeProtectedHeader(as.mintJwt(key)).alg
    expect(algorithmFor({ key: createSigningKey('ES384') })).toBe('ES384')
    expect(algorithmFor({ key: createSigningKey('ES512').privateKey })).toBe('ES512')
    expect(algorithmFor({ key: createSigningKey('EdDSA').privateKey })).toBe('EdDSA')
    expect(algorithmFor({ key: as.keys.RS256.privateKey })).toBe('RS256')
    expect(algorithmFor({ key: createSecretKey('secret', 'utf8') })).toBe('HS256')
  })

  it('leaves tokens unsigned on request, whatever the header claims', () => {
    expect(as.mintJwt({ alg: 'none' })).toMatch(/^[\w-]+\.[\w-]+\.$/)
    const token = as.mintJwt({ alg: 'none', header: { alg: 'ES256' } })
    expect(decodeProtectedHeader(token)).toEqual({ typ: 'at+jwt', alg: 'ES256' })
  })
})

describe('time', () => {
  afterEach(() => {
    jest.useRealTimers()
  })

  it("is Jest's: tokens are minted and keys served at the hour the test sets", async () => {
    jest.useFakeTimers({ now: new Date('2030-01-01T00:00:00Z') })
    expect(decodeJwt(as.mintJwt()).iat).toBe(Date.UTC(2030, 0) / 1000)
    expect((await fetch(as.jwksUri)).status).toBe(200)
  })
})

describe('signParts', () => {
  it('signs what is no JSON, byte for byte', () => {
    const token = as.signParts('{"alg":"ES256","alg":"none"}', Buffer.from([0xff, 0x00]))
    const [header, payload, signature] = token.split('.')
    expect(partsOf(token)[0]).toBe('{"alg":"ES256","alg":"none"}')
    expect(Buffer.from(payload!, 'base64url')).toEqual(Buffer.from([0xff, 0x00]))
    expect(header).not.toBe('')
    expect(Buffer.from(signature!, 'base64url')).toHaveLength(64)
  })

  it('makes good tokens of good parts', async () => {
    const header = JSON.stringify({ alg: 'ES384', kid: as.keys.ES384.kid })
    const { payload } = await verify(as.signParts(header, '{"iss":"me"}', { alg: 'ES384' }))
    expect(payload).toEqual({ iss: 'me' })
  })

  it('puts a given signature in its place', () => {
    expect(as.signParts('{}', '[]', { signature: 'AAAA' })).toBe('e30.W10.AAAA')
  })
})

describe('signEncoded', () => {
  it('signs what is not even encoded', () => {
    expect(as.signEncoded('***.+/=')).toMatch(/^\*\*\*\.\+\/=\.[\w-]{86}$/)
  })
})
