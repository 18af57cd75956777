/**
 * X.509 certificates for tests, made here so that no test needs a tool that may not be installed.
 *
 * @see RFC 5280 §4.1 for the form
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export interface TestCertificate {
  /** PEM. */
  readonly cert: string
  /** PEM (PKCS #8). */
  readonly key: string
  /** The base64url SHA-256 of the certificate, as in `cnf["x5t#S256"]` (RFC 8705 §3.1). */
  readonly thumbprint: string
}

export interface TestCertificateOptions {
  /** Default: `'test'`. */
  readonly commonName?: string
  /** IPv4 addresses and host names that it is good for. Default: 127.0.0.1 and localhost. */
  readonly names?: readonly string[]
  /** Who signs it. Default: itself. */
  readonly issuedBy?: TestCertificateAuthority
  /** Seconds from now; negative ones make a certificate that has expired. Default: a day. */
  readonly expiresInSeconds?: number
}

export interface TestCertificateAuthority extends TestCertificate {
  readonly commonName: string
  readonly privateKey: KeyObject
}

/** Makes a certificate and its P-256 key. */
export function createTestCertificate(options: TestCertificateOptions = {}): TestCertificate {
  return makeCertificate(options, false)
}

/** Makes a certificate that may sign others, and signs itself. */
export function createTestAuthority(commonName = 'test authority'): TestCertificateAuthority {
  return makeCertificate({ commonName, names: [] }, true)
}

const DAY_SECONDS = 86_400
const LOOPBACK = ['127.0.0.1', 'localhost']

function makeCertificate(options: TestCertificateOptions, isAuthority: boolean): TestCertificateAuthority {
  const { commonName = 'test', names = LOOPBACK, issuedBy, expiresInSeconds = DAY_SECONDS } = options
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signer = issuedBy ?? { commonName, privateKey }
  const end = Date.now() + expiresInSeconds * 1000
  const body = sequence(
    tagged(0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    nameOf(signer.commonName),
    sequence(time(end - 2 * DAY_SECONDS * 1000), time(end)),
    nameOf(commonName),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(
      3,
      sequence(basicConstraints(isAuthority), ...(names.length > 0 ? [alternativeNames(names)] : [])),
    ),
  )
  const signature = sign('sha256', body, signer.privateKey)
  const certificate = sequence(body, ECDSA_WITH_SHA256, bits(signature))
  return {
    commonName,
    privateKey,
    cert: toPem(certificate),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    thumbprint: createHash('sha256').update(certificate).digest('base64url'),
  }
}

function toPem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'))

function basicConstraints(isAuthority: boolean): Buffer {
  const critical = der(0x01, Buffer.from([0xff]))
  return sequence(oid('551d13'), critical, octets(sequence(...(isAuthority ? [critical] : []))))
}

function alternativeNames(names: readonly string[]): Buffer {
  const encoded = names.map((name) =>
    /^[\d.]+$/.test(name)
      ? der(0x87, Buffer.from(name.split('.').map(Number)))
      : der(0x82, Buffer.from(name)),
  )
  return sequence(oid('551d11'), octets(sequence(...encoded)))
}

function nameOf(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(commonName)))))
}

function time(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replace(/[-:T]|\.\d+/g, '')
  return der(0x18, Buffer.from(digits))
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'))
}

function integer(bytes: Buffer): Buffer {
  return der(0x02, bytes)
}

function octets(content: Buffer): Buffer {
  return der(0x04, content)
}

function bits(content: Buffer): Buffer {
  return der(0x03, Buffer.concat([Buffer.from([0]), content]))
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function tagged(number: number, content: Buffer): Buffer {
  return der(0xa0 + number, content)
}

/** Tag, length, content (X.690 §8.1). */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  if (length < 0x100) return Buffer.concat([Buffer.from([tag, 0x81, length]), content])
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), content])
}
