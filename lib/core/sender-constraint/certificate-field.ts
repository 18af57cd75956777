/**
 * Client certificates as proxies write them into a header field. Each format is read as it is defined; what
 * does not fit is no certificate.
 *
 * @see RFC 9440 §2.1, §2.2 (`Client-Cert`), RFC 9651 §3.3.5
 */
import { hash } from 'node:crypto'

/**
 * - `client-cert`: a byte sequence of structured fields, `:base64 of DER:` (RFC 9440)
 * - `xfcc`: Envoy's `X-Forwarded-Client-Cert`, elements of `Key=value;…`
 * - `pem`: PEM, percent-encoded or with other whitespace for its line ends (nginx, AWS, Apache)
 * - `der`: base64 of DER without anything around it (HAProxy, Traefik)
 *
 * Of a chain in `pem` or `der`, the first certificate is the client's.
 */
export type CertificateFormat = 'client-cert' | 'xfcc' | 'pem' | 'der'

const READERS: Readonly<Record<CertificateFormat, (value: string) => string | undefined>> = {
  'client-cert': (value) => hashOf(/^:([^:]*):$/.exec(value)?.[1]),
  xfcc: hashOfForwarded,
  pem: hashOfPem,
  der: (value) => hashOf(value.split(',', 1)[0]?.trim()),
}

/** @returns base64url(SHA-256(DER)); undefined if it cannot be read */
export function toCertificateHash(value: string, format: CertificateFormat): string | undefined {
  return READERS[format](value.trim())
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/

function hashOf(base64: string | undefined): string | undefined {
  if (base64 === undefined || base64 === '' || !BASE64.test(base64)) return undefined
  const der = Buffer.from(base64, 'base64')
  // an ASN.1 sequence: whatever else it is, it is no other text that happens to be base64
  return der[0] === 0x30 ? hash('sha256', der, 'base64url') : undefined
}

const PEM = /^-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/

function hashOfPem(value: string): string | undefined {
  // base64 may hold a plus sign, which is not a space here
  const body = PEM.exec(percentDecoded(value)?.trim() ?? '')?.[1]
  return hashOf(body?.replace(/\s+/g, ''))
}

function percentDecoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value)
  } catch {
    // a URIError is the decoder's way to say "not percent-encoded"
    return undefined
  }
}

/**
 * Every proxy on the way may add an element at the end. What stands before the last one was written by somebody
 * whom the last proxy, the only one that is known, has merely passed on.
 */
function hashOfForwarded(value: string): string | undefined {
  const element = splitOutsideQuotes(value, ',').at(-1)
  if (element === undefined) return undefined
  const pairs = splitOutsideQuotes(element, ';').map(toPair)
  const named = (name: string) => pairs.filter(([key]) => key === name).map(([, content]) => content)
  const found = [
    ...named('hash').map((hex) =>
      /^[0-9a-f]{64}$/i.test(hex) ? Buffer.from(hex, 'hex').toString('base64url') : undefined,
    ),
    ...named('cert').map(hashOfPem),
  ]
  const [first] = found
  return found.every((one) => one === first) ? first : undefined
}

function toPair(pair: string): [string, string] {
  const at = pair.indexOf('=')
  const content = pair.slice(at + 1).trim()
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(content)?.[1]
  return [pair.slice(0, at).trim().toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? content]
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = []
  let start = 0
  let isQuoted = false
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (character === '\\' && isQuoted) at += 1
    else if (character === '"') isQuoted = !isQuoted
    else if (character === separator && !isQuoted) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  return [...parts, text.slice(start)]
}
