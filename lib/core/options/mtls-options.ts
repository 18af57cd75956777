/** The options under `mtls`. */
import { BlockList, isIP, isIPv6 } from 'node:net'
import { ConfigurationError } from '../errors.js'
import type { CertificateSource } from '../sender-constraint/client-certificate.js'
import type { MtlsSettings } from '../sender-constraint/mtls.js'
import {
  assertOption,
  assertOptions,
  callback,
  either,
  flag,
  listOf,
  oneOf,
  rule,
  section,
  type Rules,
} from './rules.js'

/** A header field of the user's own choice, and how the certificate stands in it. */
export interface CertificateField {
  /** Such as `'ssl-client-cert'` or `'x-amzn-mtls-clientcert'`. */
  readonly header: string
  /**
   * `'pem'`: PEM, percent-encoded (nginx's `$ssl_client_escaped_cert`, AWS) or on one line; `'der'`: base64 of DER
   * (HAProxy, Traefik). Of a chain, the first certificate counts.
   */
  readonly format: 'pem' | 'der'
}

/** Where client certificates are found (RFC 8705 §3). */
export interface MtlsOptions {
  /**
   * `'tls'`: the connection itself. `'client-cert'` (RFC 9440), `'x-forwarded-client-cert'` (Envoy) or a field of
   * your own: a proxy ends TLS and writes the certificate there. Default `'tls'`.
   * Danger: the proxy must remove such a field from what clients send.
   */
  readonly certificateFrom?: 'tls' | 'client-cert' | 'x-forwarded-client-cert' | CertificateField
  /**
   * The proxies that may write the field: addresses, networks such as `'10.0.0.0/8'`, or a function of the peer's
   * address (undefined on a Unix socket). Required with a field. From anybody else the field is refused.
   * Danger: whoever connects from there can be any client.
   */
  readonly trustedProxies?: readonly string[] | ((address: string | undefined) => boolean)
  /** True: every token must be bound to a client certificate. Default false. */
  readonly require?: boolean
}

const network = rule('an address or a network in CIDR form', `'10.0.0.0/8'`, isNetwork)
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

const RULES: Rules = {
  certificateFrom: either(oneOf(['tls', 'client-cert', 'x-forwarded-client-cert']), section),
  trustedProxies: either(listOf(network), callback),
  require: flag,
}
const FIELD_RULES: Rules = {
  header: rule('the name of a header field', `'ssl-client-cert'`, (value) => FIELD_NAME.test(String(value))),
  format: oneOf(['pem', 'der']),
}

/** @throws ConfigurationError */
export function resolveMtls(options: MtlsOptions | undefined): MtlsSettings {
  const given = options ?? {}
  assertOptions(given, 'mtls', RULES)
  return { source: resolveSource(given) }
}

function resolveSource({ certificateFrom = 'tls', trustedProxies }: MtlsOptions): CertificateSource {
  if (certificateFrom === 'tls') {
    if (trustedProxies === undefined) return { from: 'tls' }
    throw misuse('trustedProxies', `is for a header field. Write mtls: { certificateFrom: 'client-cert', … }`)
  }
  if (trustedProxies === undefined) {
    const problem = `is missing: anybody can write a header field. Write mtls: { trustedProxies: ['10.0.0.0/8'], … }`
    throw misuse('trustedProxies', problem)
  }
  const isTrusted =
    typeof trustedProxies === 'function' ? toStrict(trustedProxies) : createAddressMatch(trustedProxies)
  return { from: 'header', ...resolveField(certificateFrom), isTrusted }
}

function resolveField(from: Exclude<MtlsOptions['certificateFrom'], 'tls' | undefined>) {
  if (from === 'client-cert') return { name: from, format: from } as const
  if (from === 'x-forwarded-client-cert') return { name: from, format: 'xfcc' } as const
  assertOptions(from, 'mtls.certificateFrom', FIELD_RULES)
  for (const name of ['header', 'format'] as const) {
    assertOption(from[name], `mtls.certificateFrom.${name}`, FIELD_RULES[name] ?? section)
  }
  return { name: from.header.toLowerCase(), format: from.format }
}

/** Only `true` trusts: a promise does not. */
function toStrict(isTrusted: (address: string | undefined) => unknown) {
  return (address: string | undefined): boolean => isTrusted(address) === true
}

function createAddressMatch(networks: readonly string[]): (address: string | undefined) => boolean {
  const trusted = new BlockList()
  for (const one of networks) {
    const [address = '', bits] = one.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(bits), family)
  }

  return function isTrusted(address) {
    // a socket that listens on IPv6 names IPv4 peers this way
    const plain = address?.replace(/^::ffff:(?=\d+\.)/i, '')
    return plain !== undefined && isIP(plain) !== 0 && trusted.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')
  }
}

function isNetwork(value: unknown): boolean {
  if (typeof value !== 'string') return false
  const [address = '', bits, ...rest] = value.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 6 ? 128 : 32))
}

function misuse(name: string, problem: string): ConfigurationError {
  return new ConfigurationError(`mtls.${name}`, `resourceServer: mtls.${name} ${problem}`)
}
