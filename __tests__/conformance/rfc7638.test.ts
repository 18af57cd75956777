/** JWK thumbprints, by the row of the checklist (RFC 7638). */
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, it } from '@jest/globals'
import { toEssentialJwk, toThumbprint } from '../../lib/core/sender-constraint/thumbprint.js'
import { createSigningKey } from '../../lib/testing/signing-keys.js'

function thumbprintOf(jwk: Record<string, unknown>): string | undefined {
  const essential = toEssentialJwk(jwk)
  return essential && toThumbprint(essential)
}

describe('a thumbprint', () => {
  it('R7638-01 of the example of the specification is the one given there', () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn' +
      'jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qM' +
      'QvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJ' +
      'zKnqDKgw'
    const jwk = { kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' }
    expect(thumbprintOf(jwk)).toBe('NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs')
  })

  it.each(['ES256', 'ES384', 'ES512', 'Ed25519', 'RS256'] as const)(
    'R7638-01 of a key for %s is made of what makes the key, in whatever order it stands and whatever stands beside',
    async (alg) => {
      const { publicJwk } = createSigningKey(alg)
      const expected = await calculateJwkThumbprint(publicJwk)
      const reversed = Object.fromEntries(Object.entries(publicJwk).reverse())
      expect(thumbprintOf(publicJwk as Record<string, unknown>)).toBe(expected)
      expect(thumbprintOf({ use: 'enc', more: { x: 1 }, ...reversed, kid: 'another' })).toBe(expected)
    },
  )

  it.each([
    [{}],
    [{ kty: 'oct', k: 'AQAB' }],
    [{ kty: 'EC', crv: 'P-256', x: 'AQAB' }],
    [{ kty: 'EC', crv: 'P-256', x: 'AQAB', y: 7 }],
    [{ kty: ['EC'], crv: 'P-256', x: 'AQAB', y: 'AQAB' }],
    [{ kty: 'constructor' }],
    [Object.create({ kty: 'OKP', crv: 'Ed25519', x: 'AQAB' })],
  ])('R7638-01 %j has none', (jwk) => {
    expect(thumbprintOf(jwk as Record<string, unknown>)).toBeUndefined()
  })
})
