/** Whatever is written as options, there is a server that works or a ConfigurationError: never another error. */
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { ConfigurationError, MissingTokenError } from '../../lib/core/errors.js'
import type { ResourceServerOptions } from '../../lib/core/options/options.js'
import { resourceServer } from '../../lib/express/resource-server.js'

const anything = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
  stringUnit: 'binary',
})
const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, 1, 60, 300, 5000))
const text = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    'https://a.example',
    'http://a.example',
    'https://u:p@a.example',
    '\ud800',
    'HS256',
    'RS256',
  ),
  fc.string({ unit: 'binary' }),
)
const garbage = fc.oneof(
  anything,
  text,
  number,
  fc.boolean(),
  fc.constant(() => undefined),
  fc.constant(Symbol('s')),
  fc.array(text),
)

/** Objects whose members have the right names and any values, so that the checks behind the names are reached. */
const section = (...names: string[]) => fc.dictionary(fc.constantFrom(...names), garbage, { maxKeys: 4 })

const jwk = section('kty', 'crv', 'x', 'y', 'n', 'e', 'd', 'kid', 'use', 'alg', 'key_ops')
const shared = {
  audience: garbage,
  profile: section(
    'types',
    'requiredClaims',
    'audienceClaim',
    'scopeClaims',
    'clientIdClaims',
    'subjectClaims',
    'tokenUse',
  ),
  jwt: section(
    'algorithms',
    'secret',
    'decryptionKeys',
    'clockToleranceSeconds',
    'maxLifetimeSeconds',
    'cacheMaxEntries',
  ),
  jwks: fc.oneof(
    section('uri', 'keys', 'refreshSeconds', 'cooldownSeconds', 'maxStaleSeconds', 'timeoutMs'),
    fc.record({ keys: fc.array(jwk) }),
  ),
  metadata: section('url', 'refreshSeconds', 'timeoutMs'),
  introspection: fc.oneof(
    section(
      'endpoint',
      'clientId',
      'clientSecret',
      'privateKey',
      'authMethod',
      'timeoutMs',
      'maxConcurrent',
      'breaker',
    ),
    fc.record({ clientId: text, clientSecret: text, breaker: section('failures', 'trialSeconds') }),
    fc.record({ clientId: text, privateKey: fc.oneof(jwk, text, anything) }),
  ),
  allowInsecureHttp: garbage,
}
const entry = fc.record({ issuer: text, aliases: garbage, ...shared }, { requiredKeys: ['issuer'] })
const plausible = fc.record(
  {
    resource: fc.oneof(
      { weight: 9, arbitrary: fc.constant('https://api.example') },
      { weight: 1, arbitrary: garbage },
    ),
    issuer: fc.oneof(
      { weight: 9, arbitrary: fc.constant('https://login.example') },
      { weight: 1, arbitrary: garbage },
    ),
    ...shared,
    tokenFrom: garbage,
    maxTokenBytes: number,
    errors: garbage,
    onRefusal: garbage,
    dispatcher: garbage,
    routeOpaque: garbage,
    allowAnonymous: garbage,
    impliedScopes: fc.oneof(garbage, fc.dictionary(text, garbage)),
    challengeScopes: garbage,
  },
  { requiredKeys: ['resource', 'issuer'] },
)
const several = fc.record(
  {
    resource: fc.constant('https://api.example'),
    issuers: fc.oneof(fc.array(fc.oneof(entry, text)), garbage),
    ...shared,
  },
  { requiredKeys: ['resource', 'issuers'] },
)

describe('resourceServer', () => {
  it.each<[string, fc.Arbitrary<unknown>]>([
    ['anything at all', garbage],
    [
      'one wrong member',
      fc
        .record({
          resource: fc.constant('https://api.example'),
          issuer: fc.constant('https://login.example'),
        })
        .chain(withOne),
    ],
    ['the right names with any values', plausible],
    ['several issuers', several],
  ])('works or throws a ConfigurationError with a path: %s', async (_case, options) => {
    await fc.assert(
      fc.asyncProperty(options, async (given) => {
        const server = build(given)
        if (server instanceof ConfigurationError) {
          expect(server).toMatchObject({
            path: expect.any(String),
            code: 'ERR_RESOURCE_SERVER_CONFIGURATION',
          })
          expect(server.message.startsWith('resourceServer: ')).toBe(true)
          return
        }
        await expect(server.authenticate({ headers: {} })).rejects.toBeInstanceOf(MissingTokenError)
        await server.close()
      }),
      { numRuns: 400 },
    )
  })

  function withOne(good: object): fc.Arbitrary<unknown> {
    const names = [
      'profile',
      'jwt',
      'jwks',
      'metadata',
      'introspection',
      'audience',
      'tokenFrom',
      'issuers',
      'errors',
    ]
    return fc.tuple(fc.constantFrom(...names), garbage).map(([name, value]) => ({ ...good, [name]: value }))
  }
})

/** Any other error than ConfigurationError makes the property fail. */
function build(options: unknown) {
  try {
    return resourceServer(options as ResourceServerOptions)
  } catch (error) {
    if (error instanceof ConfigurationError) return error
    throw error
  }
}
