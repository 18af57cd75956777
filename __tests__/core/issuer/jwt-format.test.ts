/** What is a JWT, what is a well-formed one, and what is neither. */
import { describe, expect, it } from '@jest/globals'
import { InvalidTokenError } from '../../../lib/core/errors.js'
import { decodeJwt, memberOf, recognizeJwt } from '../../../lib/core/issuer/jwt-format.js'
import { encode } from '../../support/jwt-api.js'

const jws = (header: string | Buffer | object, claims: string | Buffer | object, signature = 'AAAA') =>
  `${encode(header)}.${encode(claims)}.${signature}`
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
const BOM = '\uFEFF'

function reasonOf(token: string): string {
  try {
    decodeJwt(token)
  } catch (error) {
    if (error instanceof InvalidTokenError) return `${error.reason}: ${error.evidence.name}`
    throw error
  }
  return 'decoded'
}

const parsed = (json: string) => JSON.parse(json) as Record<string, unknown>

describe('memberOf', () => {
  it.each([
    ['{"sub":"a"}', 'sub', 'a'],
    ['{"sub":null}', 'sub', null],
    ['{}', 'sub', undefined],
    ['{}', 'constructor', undefined],
    ['{}', '__proto__', undefined],
    ['{"__proto__":{"sub":"a"}}', 'sub', undefined],
    ['{"__proto__":1}', '__proto__', 1],
    ['{"hasOwnProperty":1}', 'hasOwnProperty', 1],
  ])('of %s: %s is %p', (json, name, expected) => {
    expect(memberOf(parsed(json), name)).toBe(expected)
  })
})

describe('recognizeJwt', () => {
  it.each([
    ['three parts and alg', jws({ alg: 'ES256' }, {}), 'jws'],
    ['three parts, alg of any type', jws({ alg: null }, {}), 'jws'],
    ['three parts, two of them empty', `${encode({ alg: 'none' })}..`, 'jws'],
    ['padding in the header', `${encode({ alg: 'x' })}=.e30.`, 'jws'],
    ['five parts, alg and enc', `${encode({ alg: 'dir', enc: 'A' })}....`, 'jwe'],
    ['five parts without enc', `${encode({ alg: 'dir' })}....`, undefined],
    ['three parts without alg', jws({ typ: 'JWT' }, {}), undefined],
    ['three parts, alg only inherited', jws('{"__proto__":{"alg":"ES256"}}', {}), undefined],
    ['a list for a header', jws([], {}), undefined],
    ['a text for a header', jws('"alg"', {}), undefined],
    ['no JSON for a header', jws('{alg:1}', {}), undefined],
    ['two parts', `${encode({ alg: 'ES256' })}.e30`, undefined],
    ['four parts', `${encode({ alg: 'ES256' })}.e30.AA.AA`, undefined],
    ['six parts', `${encode({ alg: 'ES256', enc: 'A' })}.....`, undefined],
    ['a thousand parts', `${encode({ alg: 'ES256', enc: 'A' })}${'.'.repeat(1000)}`, undefined],
    ['dots in an opaque token', 'a.b.c', undefined],
    ['no dot', 'opaque', undefined],
    ['nothing', '', undefined],
  ])('with %s', (_what, token, expected) => {
    expect(recognizeJwt(token)).toBe(expected)
  })
})

describe('decodeJwt', () => {
  it('decodes header and claims and keeps what was signed', () => {
    const token = jws({ alg: 'ES256', kid: 'k' }, { sub: 'zoë', n: 1.5 }, 'AQID')
    const [encodedHeader, encodedClaims] = token.split('.')
    expect(decodeJwt(token)).toEqual({
      header: { alg: 'ES256', kid: 'k' },
      claims: { sub: 'zoë', n: 1.5 },
      encodedHeader,
      encodedClaims,
      signature: 'AQID',
    })
  })

  it('takes the last of members named twice, and __proto__ for a name', () => {
    const { header, claims } = decodeJwt(jws('{"alg":"none","alg":"ES256"}', '{"__proto__":{"sub":"root"}}'))
    expect(header).toEqual({ alg: 'ES256' })
    expect(Object.keys(claims)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(claims)).toBe(Object.prototype)
    expect('sub' in claims).toBe(false)
  })

  it.each([
    ['padding', 'AA==', 'signature'],
    ['the other alphabet', 'A+/A', 'signature'],
    ['spare bits', 'AB', 'signature'],
    ['a single character', 'A', 'signature'],
    ['white space', 'AA A', 'signature'],
    ['a dot', 'AA.A', 'signature'],
  ])('refuses %s in the signature', (_what, signature, part) => {
    expect(reasonOf(jws({ alg: 'x' }, {}, signature))).toBe(`malformed_token: ${part}`)
  })

  it.each([
    ['nothing', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['a number', '1'],
    ['a text', '"x"'],
    ['half an object', '{"a":'],
    ['two objects', '{}{}'],
    ['a comment', '{}//'],
    ['a byte order mark', `${BOM}{}`],
    ['NUL', '{}\u0000'],
    ['an unescaped NUL in a text', '{"a":"\u0000"}'],
    ['NaN', '{"a":NaN}'],
    ['a hexadecimal number', '{"a":0x10}'],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d])],
    ['UTF-8 that is too long', Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d])],
    ['half a surrogate in UTF-8', Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d])],
    ['UTF-16', Buffer.from('{}', 'utf16le')],
  ])('refuses claims that are or hold %s', (_what, claims) => {
    expect(reasonOf(jws({ alg: 'x' }, claims))).toBe('malformed_token: claims')
    expect(reasonOf(jws(claims, {}))).toBe('malformed_token: header')
  })

  it.each(['e30=', 'e3 0', 'e31', '+/+/'])('refuses claims spelt %s', (claims) => {
    expect(reasonOf(`${encode({ alg: 'x' })}.${claims}.AA`)).toBe('malformed_token: claims')
  })

  it('refuses nesting beyond sixty-four levels, whatever the depth', () => {
    expect(reasonOf(jws({ alg: 'x' }, `{"a":${nested(63)}}`))).toBe('decoded')
    for (const levels of [64, 200, 6000, 400_000]) {
      expect(reasonOf(jws({ alg: 'x' }, `{"a":${nested(levels)}}`))).toBe('malformed_token: claims')
      expect(reasonOf(jws(`{"alg":${nested(levels)}}`, {}))).toBe('malformed_token: header')
      const objects = `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
      expect(reasonOf(jws({ alg: 'x' }, `{"a":${objects}}`))).toBe('malformed_token: claims')
    }
  })
})
