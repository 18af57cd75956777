import { generateKeyPairSync, KeyObject } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { Agent } from 'undici'
import { resolveOptions } from '../../../lib/core/options/options.js'
import { resolveRevocation } from '../../../lib/core/options/revocation-options.js'
import { PROFILES, type ProfileName } from '../../../lib/core/issuer/profiles.js'
import { misuseOf } from '../../support/misuse.js'

const MINIMAL = { resource: 'https://api.example.com', issuer: 'https://login.example.com' }
const CLIENT = { clientId: 'rs', clientSecret: 'S3CRET-S3CRET' }
const publicJwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const privateJwk = privateKey.export({ format: 'jwk' })

const resolve = (options: object) => resolveOptions({ ...MINIMAL, ...options })
const misuse = (options: object) => misuseOf(() => resolve(options))
const issuerOf = (options: object) => resolve(options).issuers[0]!
const introspectionOf = (more: object) => issuerOf({ introspection: { ...CLIENT, ...more } }).introspection!

/** Puts a value at a path of option names. */
function at(path: string, value: unknown): Record<string, unknown> {
  const [name = '', ...rest] = path.split('.')
  if (rest.length === 0) return { [name]: value }
  const base = name === 'introspection' ? CLIENT : {}
  return { [name]: { ...base, ...at(rest.join('.'), value) } }
}

describe('defaults', () => {
  it('are strict, and as documented', () => {
    const { issuers, ...own } = resolve({ introspection: CLIENT })
    expect(own).toEqual({
      resource: MINIMAL.resource,
      allowAnonymous: false,
      errors: 'respond',
      impliedScopes: {},
      challengeScopes: [],
      extraction: { maxTokenBytes: 16_384, form: false, query: false, custom: undefined },
      routeOpaque: undefined,
      resolution: undefined,
      audience: [MINIMAL.resource],
      claims: undefined,
      senderConstraint: {
        dpop: {
          algorithms: ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'],
          maxProofAgeSeconds: 60,
          clockToleranceSeconds: 30,
          nonces: undefined,
          htu: { origins: [MINIMAL.resource], pathPrefix: '' },
          replayMaxEntries: 500_000,
        },
        mtls: { source: { from: 'tls' } },
        required: { dpop: false, mtls: false, either: false },
      },
      onRefusal: undefined,
      dispatcher: undefined,
      revocation: resolveRevocation(),
    })
    expect(issuers).toEqual([
      {
        issuer: MINIMAL.issuer,
        isDynamic: false,
        aliases: [],
        audience: [MINIMAL.resource],
        profile: PROFILES.rfc9068,
        jwt: {
          algorithms: [
            'RS256',
            'RS384',
            'RS512',
            'PS256',
            'PS384',
            'PS512',
            'ES256',
            'ES384',
            'ES512',
            'EdDSA',
            'Ed25519',
          ],
          secret: undefined,
          decryptionKeys: [],
          clockToleranceSeconds: 30,
          maxLifetimeSeconds: undefined,
          cacheMaxEntries: 10_000,
        },
        jwks: {
          uri: undefined,
          keys: undefined,
          refreshSeconds: 300,
          cooldownSeconds: 10,
          maxStaleSeconds: 3600,
          timeoutMs: 5000,
        },
        metadata: { url: undefined, refreshSeconds: 3600, timeoutMs: 5000 },
        introspection: {
          ...CLIENT,
          endpoint: undefined,
          privateKey: undefined,
          authMethod: undefined,
          cacheTtlSeconds: 30,
          negativeCacheTtlSeconds: 5,
          staleIfErrorSeconds: 0,
          timeoutMs: 2000,
          cacheMaxEntries: 10_000,
          allowMissingAudience: false,
          tokenTypeHint: true,
          maxConcurrent: 100,
          breaker: { failures: 10, trialSeconds: 5 },
        },
        allowInsecureHttp: false,
      },
    ])
  })

  it('leave introspection off', () => {
    expect(issuerOf({}).introspection).toBeUndefined()
    expect(issuerOf({ introspection: false }).introspection).toBeUndefined()
  })
})

describe('limits', () => {
  const LIMITS: [path: string, minimum: number, maximum: number][] = [
    ['maxTokenBytes', 256, 1_048_576],
    ['jwt.clockToleranceSeconds', 0, 300],
    ['jwt.maxLifetimeSeconds', 1, 31_536_000],
    ['jwt.cacheMaxEntries', 0, 1_000_000],
    ['jwks.refreshSeconds', 10, 86_400],
    ['jwks.cooldownSeconds', 1, 3600],
    ['jwks.maxStaleSeconds', 10, 604_800],
    ['jwks.timeoutMs', 50, 60_000],
    ['metadata.refreshSeconds', 60, 604_800],
    ['metadata.timeoutMs', 50, 60_000],
    ['introspection.cacheTtlSeconds', 0, 3600],
    ['introspection.negativeCacheTtlSeconds', 0, 300],
    ['introspection.timeoutMs', 50, 60_000],
    ['introspection.cacheMaxEntries', 0, 1_000_000],
    ['introspection.maxConcurrent', 1, 10_000],
    ['introspection.breaker.failures', 1, 1000],
    ['introspection.breaker.trialSeconds', 1, 300],
    ['dpop.maxProofAgeSeconds', 1, 600],
    ['dpop.clockToleranceSeconds', 0, 60],
    ['dpop.replayMaxEntries', 1000, 10_000_000],
  ]

  it.each(LIMITS)('%s is a whole number from %i to %i', (path, minimum, maximum) => {
    for (const good of [minimum, maximum]) {
      const resolved = resolve(at(path, good))
      expect(JSON.stringify(resolved)).toContain(`"${path.split('.').at(-1)}":${good}`)
    }
    for (const bad of [minimum - 1, maximum + 1, minimum + 0.5, String(maximum), NaN, null]) {
      expect(misuse(at(path, bad)).path).toBe(path)
    }
  })
})

describe('what each option takes', () => {
  it.each<[string, unknown]>([
    ['resource', 'urn:example:api'],
    ['resource', 'https://api.example.com/orders?v=1'],
    ['issuer', 'https://login.example.com/tenant/'],
    ['issuer', 'http://localhost:8080'],
    ['audience', 'orders'],
    ['audience', ['orders', 'https://api.example.com']],
    ['allowAnonymous', true],
    ['tokenFrom', 'form'],
    ['tokenFrom', ['form', 'query', () => undefined]],
    ['errors', 'next'],
    ['routeOpaque', () => undefined],
    ['onRefusal', () => undefined],
    ['dispatcher', new Agent()],
    ['impliedScopes', { orders: ['orders:read', 'orders:write'], none: [] }],
    ['challengeScopes', ['orders:read']],
    ['jwks.uri', 'https://login.example.com/jwks'],
    ['jwks.keys', [publicJwk]],
    ['metadata.url', 'https://login.example.com/.well-known/x'],
    ['jwt.algorithms', ['ES256', 'RS256']],
    ['jwt.secret', 's'.repeat(32)],
    ['jwt.decryptionKeys', [privateKey, privateJwk]],
    ['introspection.endpoint', 'https://login.example.com/introspect'],
    ['introspection.authMethod', 'client_secret_jwt'],
    ['introspection.allowMissingAudience', true],
    ['introspection.tokenTypeHint', false],
    ...Object.keys(PROFILES).map((name): [string, unknown] => ['profile', name]),
  ])('%s: %p', (path, value) => {
    expect(() => resolve(at(path, value))).not.toThrow()
  })

  it.each<[string, unknown]>([
    ['resource', undefined],
    ['resource', ''],
    ['resource', 'api'],
    ['resource', 'https://api.example.com/#a'],
    ['resource', 'https://api.example.com/a b'],
    ['resource', ['https://api.example.com']],
    ['issuer', undefined],
    ['issuer', ''],
    ['issuer', 'login.example.com'],
    ['issuer', 'http://login.example.com'],
    ['issuer', 'https://login.example.com/?a=1'],
    ['issuer', 'https://login.example.com/#a'],
    ['issuer', 'https://user:S3CRET@login.example.com'],
    ['audience', []],
    ['audience', ''],
    ['audience', ['a', '']],
    ['allowAnonymous', 'yes'],
    ['tokenFrom', 'cookie'],
    ['tokenFrom', []],
    ['tokenFrom', [() => 'a', () => 'b']],
    ['errors', 'throw'],
    ['routeOpaque', 'x'],
    ['onRefusal', {}],
    ['dispatcher', {}],
    ['impliedScopes', ['orders']],
    ['impliedScopes', { orders: 'orders:read' }],
    ['impliedScopes', { orders: ['orders read'] }],
    ['impliedScopes', { 'orders read': ['orders'] }],
    ['challengeScopes', []],
    ['challengeScopes', 'orders:read'],
    ['challengeScopes', ['orders"read']],
    ['dispatcher', 'x'],
    ['allowInsecureHttp', 1],
    ['profile', 'keyclock'],
    ['profile', 'constructor'],
    ['profile.types', []],
    ['profile.requiredClaims', 'iss'],
    ['profile.audienceClaim', ''],
    ['profile.tokenUse', 'access'],
    ['jwt', true],
    ['jwks.uri', 'http://login.example.com/jwks'],
    ['jwks.keys', []],
    ['jwks.keys', [{}]],
    ['jwks.keys', [{ kty: 'EC', crv: 1n }]],
    ['jwks.keys', [{ kty: 'oct', k: 'S3CRET' }]],
    ['jwks.keys', [{ kty: 'EC', crv: 'P-256', key_ops: 'verify' }]],
    ['metadata.url', 'login.example.com'],
    ['jwt.algorithms', []],
    ['jwt.algorithms', ['none']],
    ['jwt.algorithms', ['HS256']],
    ['jwt.secret', ''],
    ['jwt.secret', 'S3CRET'],
    ['jwt.decryptionKeys', []],
    ['jwt.decryptionKeys', [publicJwk]],
    ['jwt.decryptionKeys', [generateKeyPairSync('ed25519').privateKey]],
    ['jwt.decryptionKeys', [{ kty: 'EC', d: 'S3CRET' }]],
    ['introspection', true],
    ['introspection.endpoint', 'http://login.example.com'],
    ['introspection.clientId', ''],
    ['introspection.clientId', undefined],
    ['introspection.clientId', '\ud800'],
    ['introspection.clientSecret', ''],
    ['introspection.clientSecret', 'S3CRET\ud800'],
    ['introspection.authMethod', 'none'],
    ['introspection.breaker', 5],
  ])('%s refuses %p', (path, value) => {
    const error = misuse(at(path, value))
    expect(error.path).toBe(path)
    expect(error.message).toContain(`resourceServer: `)
    expect(error.message).toContain(path)
    expect(error.message).not.toContain('S3CRET')
  })

  it.each<[object, string, string]>([
    [{ isuer: 'x' }, 'isuer', 'issuer'],
    [{ tokenfrom: 'form' }, 'tokenfrom', 'tokenFrom'],
    [{ clockTolerance: 5 }, 'clockTolerance', ''],
    [{ jwt: { clockTolerance: 5 } }, 'jwt.clockTolerance', 'clockToleranceSeconds'],
    [{ jwt: { algorithm: 'RS256' } }, 'jwt.algorithm', 'algorithms'],
    [{ jwks: { url: 'https://a.example' } }, 'jwks.url', 'uri'],
    [{ metadata: { uri: 'https://a.example' } }, 'metadata.uri', 'url'],
    [{ profile: { type: ['jwt'] } }, 'profile.type', 'types'],
    [{ profile: { tokenUse: { claims: 'a' } } }, 'profile.tokenUse.claims', 'claim'],
    [{ introspection: { ...CLIENT, timeoutMS: 5 } }, 'introspection.timeoutMS', 'timeoutMs'],
    [{ introspection: { ...CLIENT, breaker: { failure: 5 } } }, 'introspection.breaker.failure', 'failures'],
  ])('%j is misspelt', (options, path, nearest) => {
    const error = misuse(options)
    expect(error.path).toBe(path)
    expect(error.message).toContain(nearest === '' ? 'known are' : `did you mean ${nearest}?`)
  })

  it.each<[string, object]>([
    ['jwt', { jwt: 'S3CRET' }],
    ['jwks', { jwks: [{ ...privateJwk, d: 'S3CRET' }] }],
    ['introspection', { introspection: 'S3CRET' }],
    [
      'issuers',
      {
        issuer: undefined,
        issuers: { issuer: 'https://a.example', introspection: { clientSecret: 'S3CRET' } },
      },
    ],
    ['clientSecret', { clientSecret: 'S3CRET' }],
    ['introspection.clientSecret', { introspection: { ...CLIENT, clientSecret: ['S3CRET'] } }],
    ['introspection.privateKey', { introspection: { clientId: 'rs', privateKey: '-----S3CRET-----' } }],
    [
      'introspection.privateKey',
      { introspection: { clientId: 'rs', privateKey: { kty: 'EC', d: 'S3CRET' } } },
    ],
    ['introspection.privateKey', { introspection: { clientId: 'rs', privateKey: 7 } }],
    ['jwt.secret', { jwt: { secret: { S3CRET: 1 } } }],
    ['jwt.decryptionKeys', { jwt: { decryptionKeys: 'S3CRET' } }],
  ])('a secret in a wrong place is not shown: %s', (path, options) => {
    const error = misuse(options)
    expect(error.path).toBe(path)
    expect(`${error.message} ${error.stack}`).not.toContain('S3CRET')
  })
})

describe('issuer and issuers', () => {
  it.each([
    [{ issuer: undefined }, 'received neither'],
    [{ issuers: ['https://a.example'] }, 'received both'],
  ])('one of them is given: %j', (options, received) => {
    expect(misuse(options)).toMatchObject({ path: 'issuer', message: expect.stringContaining(received) })
  })

  const several = (issuers: unknown, shared: object = {}) => ({ issuer: undefined, issuers, ...shared })

  it('an entry takes what it does not say from the top', () => {
    const { issuers } = resolve(
      several(
        [
          'https://a.example',
          {
            issuer: 'https://b.example',
            aliases: ['https://c.example'],
            audience: 'b',
            profile: 'okta',
            jwt: { clockToleranceSeconds: 1, cacheMaxEntries: undefined },
            jwks: { timeoutMs: undefined, uri: 'https://b.example/jwks' },
            introspection: false,
          },
          { issuer: 'http://d.example', allowInsecureHttp: true, jwt: false },
        ],
        {
          profile: 'keycloak',
          audience: ['x', 'y'],
          introspection: CLIENT,
          jwt: { clockToleranceSeconds: 9, cacheMaxEntries: 3 },
          jwks: { timeoutMs: 100 },
          metadata: { timeoutMs: 200 },
        },
      ),
    )
    expect(issuers).toMatchObject([
      {
        audience: ['x', 'y'],
        profile: PROFILES.keycloak,
        jwt: { clockToleranceSeconds: 9 },
        introspection: CLIENT,
      },
      {
        aliases: ['https://c.example'],
        audience: ['b'],
        profile: PROFILES.okta,
        jwt: { clockToleranceSeconds: 1, cacheMaxEntries: 3 },
        jwks: { timeoutMs: 100, uri: 'https://b.example/jwks' },
        metadata: { timeoutMs: 200 },
        introspection: undefined,
      },
      { allowInsecureHttp: true, jwt: false, jwks: { timeoutMs: 100 } },
    ])
  })

  it.each<[string, unknown]>([
    ['issuers', []],
    ['issuers', 'https://a.example'],
    ['issuers', [7]],
    ['issuers', [{}]],
    ['issuers[0].issuer', ['x']],
    ['issuers[1].issuer', ['https://a.example', { issuer: 'http://b.example' }]],
    ['issuers[0].aliases', [{ issuer: 'https://a.example', aliases: 'x' }]],
    ['issuers[0].resource', [{ issuer: 'https://a.example', resource: 'x' }]],
    ['issuers[0].jwt.cacheMaxEntries', [{ issuer: 'https://a.example', jwt: { cacheMaxEntries: -1 } }]],
    [
      'issuers[0].jwks',
      [{ issuer: 'https://a.example', jwks: { uri: 'https://a.example', keys: [publicJwk] } }],
    ],
    ['issuers[0].metadata.url', [{ issuer: 'https://a.example', metadata: { url: '' } }]],
    ['issuers[0].profile', [{ issuer: 'https://a.example', profile: 'x' }]],
    ['issuers[0].introspection', [{ issuer: 'https://a.example', introspection: { clientId: 'a' } }]],
    ['issuers[0].jwt', [{ issuer: 'https://a.example', jwt: false }]],
    ['issuers', ['https://a.example', 'https://a.example']],
    ['issuers', ['https://a.example', { issuer: 'https://b.example', aliases: ['https://a.example'] }]],
  ])('the path leads to the entry: %s', (path, issuers) => {
    expect(misuse(several(issuers)).path).toBe(path)
  })

  it.each<[string, object]>([
    ['jwks.uri', { jwks: { uri: 'https://a.example/jwks' } }],
    ['jwks.keys', { jwks: { keys: [publicJwk] } }],
    ['metadata.url', { metadata: { url: 'https://a.example/m' } }],
    ['introspection.endpoint', { introspection: { ...CLIENT, endpoint: 'https://a.example/i' } }],
  ])('%s has one address and cannot be the default of several issuers', (path, shared) => {
    expect(misuse(several(['https://a.example', 'https://b.example'], shared)).path).toBe(path)
    expect(() => resolve(several(['https://a.example'], shared))).not.toThrow()
  })
})

describe('profile', () => {
  it.each(Object.keys(PROFILES) as ProfileName[])('%s stands for its dialect', (name) => {
    expect(issuerOf({ profile: name }).profile).toBe(PROFILES[name])
  })

  it('of the user’s own is the strict one where it says nothing, or undefined', () => {
    const profile = {
      types: ['Application/AT+JWT', 'JWT', ''],
      scopeClaims: undefined,
      audienceClaim: undefined,
    }
    expect(issuerOf({ profile }).profile).toEqual({ ...PROFILES.rfc9068, types: ['at+jwt', 'jwt', ''] })
  })

  it.each([
    [{}, 'claim'],
    [{ claim: 'token_use' }, 'value'],
    [{ value: 'access' }, 'claim'],
    [{ claim: '', value: 'access' }, 'claim'],
  ])('half of tokenUse would be no check: %j', (tokenUse, missing) => {
    expect(misuse({ profile: { tokenUse } }).path).toBe(`profile.tokenUse.${missing}`)
  })

  it('takes a whole tokenUse, and no required claims at all', () => {
    const profile = { tokenUse: { claim: 'token_use', value: 'access' }, requiredClaims: [] }
    expect(issuerOf({ profile }).profile).toMatchObject(profile)
  })
})

describe('jwt', () => {
  it('false needs introspection', () => {
    expect(misuse({ jwt: false })).toMatchObject({
      path: 'jwt',
      message: expect.stringContaining('no token could ever'),
    })
    expect(issuerOf({ jwt: false, introspection: CLIENT }).jwt).toBe(false)
  })

  it.each<[string, number]>([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ])('a secret for %s has at least %i bytes', (algorithm, bytes) => {
    const jwt = (length: number) => ({ jwt: { algorithms: [algorithm], secret: 's'.repeat(length) } })
    expect(misuse(jwt(bytes - 1)).path).toBe('jwt.secret')
    expect(issuerOf(jwt(bytes)).jwt).toMatchObject({
      algorithms: [algorithm],
      secret: Buffer.from('s'.repeat(bytes)),
    })
  })

  it('counts bytes and not letters, and takes bytes as they are', () => {
    expect(() => resolve({ jwt: { secret: 'é'.repeat(16) } })).not.toThrow()
    const secret = new Uint8Array(32)
    expect(issuerOf({ jwt: { secret } }).jwt).toMatchObject({ secret, algorithms: ['HS256'] })
  })

  it('public keys and a shared secret never go together', () => {
    const secret = 's'.repeat(64)
    expect(misuse({ jwt: { algorithms: ['RS256', 'HS256'], secret } }).path).toBe('jwt.algorithms')
    expect(misuse({ jwt: { algorithms: ['RS256'], secret } }).message).toContain('beside a shared secret')
    expect(misuse({ jwt: { algorithms: ['HS256'] } }).message).toContain('needs a shared secret')
  })

  it('keeps the names of decryption keys that have one', () => {
    const { jwt } = issuerOf({
      jwt: { decryptionKeys: [{ ...privateJwk, kid: 'a' }, { ...privateJwk, kid: 7 }, privateKey] },
    })
    const keys = jwt === false ? [] : jwt.decryptionKeys
    expect(keys.map(({ kid }) => kid)).toEqual(['a', undefined, undefined])
    expect(keys.every((key) => key.privateKey instanceof KeyObject)).toBe(true)
  })
})

describe('jwks', () => {
  it('has an address or keys', () => {
    expect(misuse({ jwks: { uri: 'https://a.example', keys: [publicJwk] } }).path).toBe('jwks')
    expect(issuerOf({ jwks: { keys: [publicJwk] } }).jwks.keys?.keys).toHaveLength(1)
  })

  it('says how many of the keys cannot be used', () => {
    const bad = { kty: 'EC', crv: 'P-256', x: 'a', y: 'b' }
    expect(misuse({ jwks: { keys: [publicJwk, bad] } }).message).toContain('1 of 2')
    expect(misuse({ jwks: { keys: Array.from({ length: 1001 }, () => publicJwk) } }).message).toContain(
      'all of 1001',
    )
  })
})

describe('introspection', () => {
  it.each<[object, string]>([
    [{ clientId: 'rs' }, 'received none'],
    [{ ...CLIENT, privateKey: privateJwk }, 'received clientSecret and privateKey'],
  ])('needs one credential', (introspection, received) => {
    expect(misuse({ introspection })).toMatchObject({
      path: 'introspection',
      message: expect.stringContaining(received),
    })
  })

  it.each<[object, string]>([
    [{ ...CLIENT, authMethod: 'private_key_jwt' }, 'needs privateKey'],
    [{ clientId: 'rs', privateKey: privateJwk, authMethod: 'client_secret_post' }, 'needs clientSecret'],
  ])('needs the credential of its method', (introspection, needed) => {
    const error = misuse({ introspection })
    expect(error).toMatchObject({
      path: 'introspection.authMethod',
      message: expect.stringContaining(needed),
    })
  })

  it.each<[string, unknown]>([
    ['JWK', privateJwk],
    ['PEM', privateKey.export({ type: 'pkcs8', format: 'pem' })],
    ['KeyObject', privateKey],
  ])('takes a private key as %s', (_form, key) => {
    expect(introspectionOf({ clientSecret: undefined, privateKey: key }).privateKey).toBe(key)
  })

  it('takes every value as it is given', () => {
    const given = {
      endpoint: 'https://a.example/i',
      authMethod: 'client_secret_post',
      cacheTtlSeconds: 0,
      negativeCacheTtlSeconds: 0,
      staleIfErrorSeconds: 0,
      timeoutMs: 50,
      cacheMaxEntries: 0,
      allowMissingAudience: true,
      tokenTypeHint: false,
      maxConcurrent: 1,
      breaker: { failures: 1, trialSeconds: 1 },
    }
    expect(introspectionOf(given)).toEqual({ ...CLIENT, privateKey: undefined, ...given })
  })
})

describe('allowInsecureHttp', () => {
  it('opens every address of the issuer to http, and nothing else', () => {
    const options = {
      issuer: 'http://login.example',
      jwks: { uri: 'http://login.example/jwks' },
      metadata: { url: 'http://login.example/m' },
      introspection: { ...CLIENT, endpoint: 'http://login.example/i' },
    }
    expect(() => resolve({ ...options, allowInsecureHttp: true })).not.toThrow()
    expect(misuse(options).path).toBe('issuer')
    expect(misuse({ allowInsecureHttp: true, issuer: 'ftp://login.example' }).path).toBe('issuer')
  })
})

describe('tokenFrom', () => {
  it('may name all places at once', () => {
    const custom = () => undefined
    expect(resolve({ tokenFrom: ['form', 'query', custom] }).extraction).toMatchObject({
      form: true,
      query: true,
      custom,
    })
    expect(resolve({ tokenFrom: 'query' }).extraction).toMatchObject({
      form: false,
      query: true,
      custom: undefined,
    })
    expect(resolve({ tokenFrom: custom }).extraction).toMatchObject({ form: false, query: false, custom })
  })
})
