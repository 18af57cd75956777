/**
 * Tokens that are bound to a client certificate: the peer of this very connection must have shown it. Who
 * issued the certificate does not matter; that the sender has its key was shown in the handshake.
 *
 * @see RFC 8705 §3
 */
import { invalidToken } from '../errors.js'
import { createClientCertificate, type CertificateSource } from './client-certificate.js'
import type { SenderRequest } from './sender-request.js'

export interface MtlsSettings {
  readonly source: CertificateSource
}

/**
 * @returns `confirmCertificate(x5t, request, issuer)`
 * @throws InvalidTokenError unless the certificate is there, comes from where it may, and is the one
 */
export function createCertificateConfirmation({
  source,
}: MtlsSettings): (x5t: string, request: SenderRequest, issuer: string) => void {
  const thumbprintOf = createClientCertificate(source)

  return function confirmCertificate(x5t, request, issuer) {
    const found = thumbprintOf(request)
    if (found === 'malformed' || found === 'untrusted') throw invalidToken(`certificate_${found}`, { issuer })
    if (found === undefined) throw invalidToken('certificate_missing', { issuer })
    if (found.thumbprint === x5t) return
    const evidence = { issuer, name: 'x5t#S256', expected: x5t, found: found.thumbprint }
    throw invalidToken('certificate_mismatch', evidence)
  }
}
