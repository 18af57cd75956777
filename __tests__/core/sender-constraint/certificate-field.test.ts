/** What proxies write, read by the book. Over HTTP: the rows of RFC 8705. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { toCertificateHash } from '../../../lib/core/sender-constraint/certificate-field.js'

/** Not a certificate, but it begins like one; the remainder of its length decides about padding. */
const derOf = (length: number) => Buffer.concat([Buffer.from([0x30]), Buffer.alloc(length - 1, 0xfb)])
const hashOf = (der: Buffer) => createHash('sha256').update(der).digest('base64url')

describe('toCertificateHash', () => {
  it.each([300, 301, 302])('reads base64 of %i bytes, with padding and without', (length) => {
    const der = derOf(length)
    const base64 = der.toString('base64')
    for (const text of [base64, base64.replace(/=+$/, '')]) {
      expect(toCertificateHash(`:${text}:`, 'client-cert')).toBe(hashOf(der))
      expect(toCertificateHash(text, 'der')).toBe(hashOf(der))
      const pem = `-----BEGIN CERTIFICATE-----\n${text.replace(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n`
      for (const line of [pem, pem.replaceAll('\n', '\t'), encodeURIComponent(pem)]) {
        expect(toCertificateHash(line, 'pem')).toBe(hashOf(der))
      }
    }
  })

  it.each(['', '=', '====', 'A', 'AAAAA', 'MA=', 'MAA==', 'MA==MA=='])('takes no %j for base64', (text) => {
    expect(toCertificateHash(text, 'der')).toBeUndefined()
  })

  it('takes what Envoy quotes as it stands', () => {
    const hex = 'AB'.repeat(32)
    const expected = Buffer.from(hex, 'hex').toString('base64url')
    expect(toCertificateHash(`Subject="CN=\\"a\\",b;Hash=x";hash=${hex}`, 'xfcc')).toBe(expected)
    expect(toCertificateHash(`Hash="${hex}"`, 'xfcc')).toBe(expected)
    expect(toCertificateHash(`Subject="never closed;Hash=${hex}`, 'xfcc')).toBeUndefined()
  })

  it('ends for a long line without structure', () => {
    expect(toCertificateHash('"\\'.repeat(8000), 'xfcc')).toBeUndefined()
    expect(toCertificateHash(`-----BEGIN CERTIFICATE-----${'A '.repeat(8000)}`, 'pem')).toBeUndefined()
    expect(toCertificateHash(`:${'A'.repeat(16_001)}:`, 'client-cert')).toBeUndefined()
  })
})
