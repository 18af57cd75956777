/**
 * The client certificate of a request, as its thumbprint: of the TLS connection, or, where TLS ends before us,
 * of a header field that a proxy writes. Anybody can write such a field; it counts only from a known proxy.
 *
 * @see RFC 8705 §3.1, §6.5
 * @see RFC 9440 §2.4, §4
 */
import { hash } from 'node:crypto'
import { fieldLines } from '../io/field-lines.js'
import { toCertificateHash, type CertificateFormat } from './certificate-field.js'
import type { SenderRequest } from './sender-request.js'

/** Where the certificate is looked for. */
export type CertificateSource =
  | { readonly from: 'tls' }
  | {
      readonly from: 'header'
      /** In lower case. */
      readonly name: string
      readonly format: CertificateFormat
      /** Whether the peer of a connection, by its address, is a proxy that writes the field itself. */
      readonly isTrusted: (address: string | undefined) => boolean
    }

/** base64url(SHA-256(DER)) without padding: the value of `x5t#S256`. */
export interface ClientCertificate {
  readonly thumbprint: string
}

/** Undefined: there is none. */
export type FoundCertificate = ClientCertificate | 'malformed' | 'untrusted' | undefined

/** @returns `certificateOf(request)` */
export function createClientCertificate(
  source: CertificateSource,
): (request: SenderRequest) => FoundCertificate {
  const ofSocket = createSocketCertificate()
  if (source.from === 'tls') return ({ socket }) => ofSocket(socket)
  const { name, format, isTrusted } = source

  return function certificateOf(request) {
    const lines = fieldLines(request, name)
    if (!isTrusted(addressOf(request.socket))) {
      // whoever writes the field without being a proxy has something in mind
      return lines.length > 0 ? 'untrusted' : ofSocket(request.socket)
    }
    // the certificate of this connection is the proxy's own then, never the client's
    if (lines.length === 0) return undefined
    const thumbprint = lines.length === 1 ? toCertificateHash(lines[0] ?? '', format) : undefined
    return thumbprint === undefined ? 'malformed' : { thumbprint }
  }
}

/** Asked of each connection once: what it answers stays, and costs more than all else here. */
function createSocketCertificate(): (socket: unknown) => ClientCertificate | undefined {
  const known = new WeakMap<object, ClientCertificate>()

  return function certificateOfSocket(socket) {
    if (!isTlsSocket(socket)) return undefined
    const remembered = known.get(socket)
    if (remembered) return remembered
    const { raw } = socket.getPeerCertificate() ?? {}
    if (!(raw instanceof Uint8Array) || raw.length === 0) return undefined
    const certificate = { thumbprint: hash('sha256', raw, 'base64url') }
    known.set(socket, certificate)
    return certificate
  }
}

interface TlsSocket {
  /** Empty where the peer showed none; null where the connection is over. */
  getPeerCertificate(): { readonly raw?: unknown } | null
}

function isTlsSocket(socket: unknown): socket is TlsSocket {
  return (
    typeof socket === 'object' &&
    socket !== null &&
    'getPeerCertificate' in socket &&
    typeof socket.getPeerCertificate === 'function'
  )
}

function addressOf(socket: unknown): string | undefined {
  if (typeof socket !== 'object' || socket === null || !('remoteAddress' in socket)) return undefined
  return typeof socket.remoteAddress === 'string' ? socket.remoteAddress : undefined
}
