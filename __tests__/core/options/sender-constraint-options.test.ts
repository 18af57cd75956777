import { describe, expect, it } from '@jest/globals'
import { resolveDpop } from '../../../lib/core/options/dpop-options.js'
import { resolveMtls } from '../../../lib/core/options/mtls-options.js'
import { resolveOptions } from '../../../lib/core/options/options.js'
import { requireSenderConstrained } from '../../../lib/index.js'

const RESOURCE = 'https://api.example.com/v1'
const misuse = (path: string, message: RegExp) =>
  expect.objectContaining({ path, message: expect.stringMatching(message) as unknown })

describe('dpop', () => {
  it.each([
    ['dpop.algoritms', { algoritms: [] }, /did you mean algorithms\?/],
    ['dpop.algorithms', { algorithms: ['HS256'] }, /one of/],
    ['dpop.algorithms', { algorithms: [] }, /at least one/],
    ['dpop.nonce', { nonce: true }, /"off", "required"/],
    ['dpop.nonceSecret', { nonce: 'required', nonceSecret: 'short' }, /at least 32 bytes.*not shown/],
    ['dpop.nonceSecret', { nonceSecret: 'x'.repeat(32) }, /nonce: 'required'/],
    ['dpop.nonceLifetimeSeconds', { nonceLifetimeSeconds: 60 }, /nonce: 'required'/],
    ['dpop.origin', { origin: 'https://api.example.com/path' }, /without path/],
    ['dpop.origin', { origin: 'wss://api.example.com' }, /http: or https:/],
    ['dpop.origin', { origin: [] }, /at least one/],
    ['dpop.pathPrefix', { pathPrefix: '/api/' }, /slash/],
    ['dpop.pathPrefix', { pathPrefix: 'api' }, /slash/],
    ['dpop.replayMaxEntries', { replayMaxEntries: 0 }, /from 1000/],
  ])('%s that cannot work is a mistake at the start: %j', (path, dpop, message) => {
    expect(() => resolveDpop(dpop as never, RESOURCE)).toThrow(misuse(path, message))
  })

  it('takes the origin from the resource, and where that has none asks for it', () => {
    expect(resolveDpop(undefined, RESOURCE)?.htu.origins).toEqual(['https://api.example.com'])
    expect(resolveDpop(undefined, 'api://orders')).toBeUndefined()
    expect(() => resolveDpop({}, 'urn:example:api')).toThrow(misuse('dpop.origin', /does not follow/))
    const { htu } = resolveDpop({ origin: 'HTTPS://Api.example.com:443' }, 'urn:example:api') ?? {}
    expect(htu?.origins).toEqual(['https://api.example.com'])
  })

  it('does not require proofs where bearer tokens are to be taken from elsewhere', () => {
    const options = { resource: RESOURCE, issuer: 'https://as.example.com' }
    expect(() => resolveOptions({ ...options, dpop: { require: true }, tokenFrom: 'query' })).toThrow(
      misuse('tokenFrom', /require/),
    )
  })
})

describe('mtls', () => {
  it.each([
    ['mtls.trustedProxies', { certificateFrom: 'client-cert' }, /is missing/],
    ['mtls.trustedProxies', { trustedProxies: ['10.0.0.1'] }, /certificateFrom/],
    ['mtls.trustedProxies', { certificateFrom: 'client-cert', trustedProxies: ['10.0.0.0/33'] }, /CIDR/],
    ['mtls.trustedProxies', { certificateFrom: 'client-cert', trustedProxies: ['proxy.local'] }, /CIDR/],
    ['mtls.trustedProxies', { certificateFrom: 'client-cert', trustedProxies: [] }, /at least one/],
    ['mtls.certificateFrom', { certificateFrom: 'Client-Cert', trustedProxies: ['::1'] }, /one of/],
    [
      'mtls.certificateFrom.format',
      { certificateFrom: { header: 'x', format: 'xfcc' }, trustedProxies: ['::1'] },
      /one of/,
    ],
    ['mtls.certificateFrom.format', { certificateFrom: { header: 'x' }, trustedProxies: ['::1'] }, /one of/],
    [
      'mtls.certificateFrom.header',
      { certificateFrom: { header: 'a b', format: 'pem' }, trustedProxies: ['::1'] },
      /name of a header field/,
    ],
  ])('%s that cannot work is a mistake at the start: %j', (path, mtls, message) => {
    expect(() => resolveMtls(mtls as never)).toThrow(misuse(path, message))
  })

  it.each([
    ['10.1.2.3', true],
    ['::ffff:10.1.2.3', true],
    ['11.0.0.1', false],
    ['fd00::7', true],
    ['fe80::1', false],
    [undefined, false],
    ['nonsense', false],
  ])('knows the proxy %s: %s', (address, isTrusted) => {
    const { source } = resolveMtls({
      certificateFrom: 'client-cert',
      trustedProxies: ['10.0.0.0/8', 'fd00::/16'],
    })
    expect(source.from === 'header' && source.isTrusted(address)).toBe(isTrusted)
  })

  it('trusts nobody of whom a function says anything but true', () => {
    const trustedProxies = (() => Promise.resolve(true)) as unknown as () => boolean
    const { source } = resolveMtls({ certificateFrom: 'client-cert', trustedProxies })
    expect(source.from === 'header' && source.isTrusted('10.0.0.1')).toBe(false)
  })
})

describe('requireSenderConstrained', () => {
  it('takes nothing but the kinds there are', () => {
    for (const kind of ['DPoP', 'tls', 7, null]) {
      expect(() => requireSenderConstrained(kind as never)).toThrow(
        misuse('requireSenderConstrained', /takes 'dpop', 'mtls' or nothing/),
      )
    }
  })
})
