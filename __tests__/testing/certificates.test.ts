import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { createTestAuthority, createTestCertificate } from '../../lib/testing/test-issuer.js'

describe('createTestCertificate', () => {
  it('makes a certificate for this machine that signs itself', () => {
    const { cert, key, thumbprint } = createTestCertificate({ commonName: 'rs' })
    const read = new X509Certificate(cert)
    expect(read.subject).toBe('CN=rs')
    expect(read.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(read.checkHost('localhost')).toBe('localhost')
    expect(read.verify(read.publicKey)).toBe(true)
    expect(read.ca).toBe(false)
    expect(key).toContain('BEGIN PRIVATE KEY')
    expect(Buffer.from(thumbprint, 'base64url').toString('hex').toUpperCase()).toBe(
      read.fingerprint256.replaceAll(':', ''),
    )
  })

  it.each([1, 20, 60, 120, 200, 300])(
    'makes one that an authority signs, with a name of %i letters',
    (length) => {
      const authority = createTestAuthority()
      const name = `${'a'.repeat(length)}.example`
      const read = new X509Certificate(createTestCertificate({ names: [name], issuedBy: authority }).cert)
      const root = new X509Certificate(authority.cert)
      expect([read.verify(root.publicKey), read.checkIssued(root), root.ca]).toEqual([true, true, true])
      expect(read.subjectAltName).toBe(`DNS:${name}`)
    },
  )

  it('makes one that has expired', () => {
    const { validTo } = new X509Certificate(createTestCertificate({ expiresInSeconds: -60 }).cert)
    expect(Date.parse(validTo)).toBeLessThan(Date.now())
  })
})
