/** The checks of a self-contained token: in which order, by which profile, and what is kept of a good one. */
import { createSecretKey } from 'node:crypto'
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { InvalidTokenError } from '../../../lib/core/errors.js'
import { createFixedKeys, type KeySource } from '../../../lib/core/issuer/jwks.js'
import { parseKeySet } from '../../../lib/core/issuer/key-set.js'
import { PROFILES, type Profile } from '../../../lib/core/issuer/profiles.js'
import { decodeJwt } from '../../../lib/core/issuer/jwt-format.js'
import {
  createJwtValidation,
  type JwtIssuer,
  type JwtSettings,
  type VerifiedJwt,
} from '../../../lib/core/token/jwt.js'
import { createSignatureVerification } from '../../../lib/core/issuer/signature.js'
import { createTestIssuer, type MintOptions, type TestIssuer } from '../../../lib/testing/test-issuer.js'

const audience = 'https://api.example.com'
let as: TestIssuer
let keys: KeySource

beforeAll(async () => {
  as = await createTestIssuer()
  keys = createFixedKeys(as.issuer, parseKeySet(as.jwks())!)
  await as.close()
})
afterEach(() => {
  jest.restoreAllMocks()
})

function validate(
  mint: MintOptions,
  profile: Partial<Profile> = {},
  jwt: Partial<JwtSettings> = {},
): Promise<VerifiedJwt> {
  const settings: JwtIssuer = {
    issuer: as.issuer,
    audience: [audience],
    profile: { ...PROFILES.rfc9068, ...profile },
    jwt: {
      algorithms: ['ES256'],
      secret: undefined,
      decryptionKeys: [],
      clockToleranceSeconds: 30,
      maxLifetimeSeconds: undefined,
      cacheMaxEntries: 0,
      ...jwt,
    },
    keys,
    verifySignature: createSignatureVerification(),
  }
  return createJwtValidation(settings)(decodeJwt(as.mintJwt(mint)))
}

async function reasonOf(
  mint: MintOptions,
  profile?: Partial<Profile>,
  jwt?: Partial<JwtSettings>,
): Promise<string> {
  try {
    await validate(mint, profile, jwt)
  } catch (error) {
    if (error instanceof InvalidTokenError) return error.reason
    throw error
  }
  return 'valid'
}

describe('a good token', () => {
  it('is kept as facts frozen to the last member, with the key that verified it', async () => {
    const { facts, key, until } = await validate({
      scope: 'read write',
      claims: { act: { sub: 'b', x: ['y'] } },
    })
    expect(facts).toMatchObject({
      format: 'jwt',
      issuer: as.issuer,
      subject: 'alice',
      clientId: 'app',
      audience: [audience],
      scopes: ['read', 'write'],
    })
    expect(key?.kid).toBe(as.keys.ES256.kid)
    expect(until).toBe((facts.expiresAt! + 30) * 1000)
    const act = facts.claims['act'] as { x: string[] }
    for (const part of [facts, facts.claims, facts.scopes, facts.audience, act, act.x]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })

  it('is kept no longer than it may live since its issue', async () => {
    const { facts, until } = await validate({}, {}, { maxLifetimeSeconds: 60 })
    expect(until).toBe((facts.issuedAt! + 60 + 30) * 1000)
  })

  it('verified by a shared secret has no key that could be withdrawn', async () => {
    const bytes = Buffer.alloc(32, 'x')
    const hmac = { secret: bytes, algorithms: ['HS256'] }
    const mint: MintOptions = { key: createSecretKey(bytes), alg: 'HS256' }
    expect((await validate(mint, {}, hmac)).key).toBeUndefined()
    const other = { ...mint, key: createSecretKey(Buffer.alloc(32, 'y')) }
    expect(await reasonOf(other, {}, hmac)).toBe('invalid_signature')
  })

  it('without subject and client is told as such', async () => {
    const none = { claims: { sub: undefined, client_id: undefined } }
    const { facts } = await validate(none, { requiredClaims: [] })
    expect(facts).not.toHaveProperty('subject')
    expect(facts.clientId).toBe('')
  })
})

describe('the order of the checks', () => {
  // each fault together with all those after it: the first one is named
  const faults: readonly (readonly [string, MintOptions])[] = [
    ['algorithm_not_allowed', { header: { alg: 'RS256' } }],
    ['token_type_mismatch', { header: { typ: 'JWT' } }],
    ['critical_header_unsupported', { header: { crit: ['x'] } }],
    ['malformed_token', { header: { kid: 1 } }],
    ['missing_claim', { claims: { sub: undefined } }],
    ['malformed_claim', { claims: { nbf: 'x' } }],
    ['audience_mismatch', { claims: { aud: 'x' } }],
    ['sender_constraint_unsupported', { claims: { cnf: { kid: 'x' } } }],
    ['expired', { claims: { exp: 1 } }],
    ['issued_in_future', { claims: { iat: 4e9 } }],
    ['unknown_key', { header: { kid: 'other' } }],
    ['invalid_signature', { signature: 'A'.repeat(86) }],
  ]

  it.each(faults.map(([reason], index) => [reason, index] as const))('comes to %s', async (reason, index) => {
    const { header, claims, ...rest } = faults.slice(index).reduceRight<MintOptions>(
      (all, [, fault]) => ({
        ...all,
        ...fault,
        header: { ...all.header, ...fault.header },
        claims: { ...all.claims, ...fault.claims },
      }),
      {},
    )
    expect(await reasonOf({ ...rest, header: header!, claims: claims! })).toBe(reason)
  })

  it('asks for no key before all else is good', async () => {
    const find = jest.spyOn(keys, 'find')
    for (const [reason, mint] of faults.slice(0, 10)) expect(await reasonOf(mint)).toBe(reason)
    expect(find).not.toHaveBeenCalled()
    expect(await reasonOf({})).toBe('valid')
    expect(find).toHaveBeenCalledTimes(1)
  })
})

describe('the moment', () => {
  const at = (ms: number) => jest.spyOn(Date, 'now').mockReturnValue(ms)

  it.each([
    [{ exp: 1000 }, 1029.999, 'valid'],
    [{ exp: 1000 }, 1030, 'expired'],
    [{ exp: 1000.5 }, 1030.4, 'valid'],
    [{ exp: 9000, nbf: 1030 }, 1000, 'valid'],
    [{ exp: 9000, nbf: 1030 }, 999.999, 'not_yet_valid'],
    [{ exp: 9000, iat: 1030 }, 1000, 'valid'],
    [{ exp: 9000, iat: 1030 }, 999.999, 'issued_in_future'],
  ])('with %j at %d s is %s', async (claims, seconds, reason) => {
    at(seconds * 1000)
    expect(await reasonOf({ claims: { iat: 0, ...claims } })).toBe(reason)
  })

  it.each([
    [{ iat: 1000 }, 1089.999, 'valid'],
    [{ iat: 1000 }, 1090, 'too_old'],
    [{ iat: undefined }, 1000, 'missing_claim'],
  ])('with %j at %d s and sixty to live is %s', async (claims, seconds, reason) => {
    at(seconds * 1000)
    const mint = { claims: { exp: 9000, ...claims } }
    expect(await reasonOf(mint, { requiredClaims: [] }, { maxLifetimeSeconds: 60 })).toBe(reason)
  })
})

describe('a profile', () => {
  const marked = { tokenUse: { claim: 'token_use', value: 'access' }, types: ['jwt', 'at+jwt'] }

  it.each([
    [{ token_use: 'access' }, 'valid'],
    [{ token_use: 'access', nonce: 'n' }, 'valid'],
    [{ token_use: 'id' }, 'token_type_mismatch'],
    [{ token_use: ['access'] }, 'token_type_mismatch'],
    [{}, 'token_type_mismatch'],
  ])('that marks access tokens finds %j %s', async (claims, reason) => {
    expect(await reasonOf({ claims }, marked)).toBe(reason)
  })

  it.each(['nonce', 'at_hash', 'c_hash', 's_hash'])(
    'whose types say nothing takes %s for the mark of an ID token',
    async (name) => {
      const claims = { [name]: 'x' }
      for (const types of [
        ['jwt', 'at+jwt'],
        ['', 'at+jwt'],
      ]) {
        expect(await reasonOf({ claims }, { types })).toBe('token_type_mismatch')
      }
      expect(await reasonOf({ claims })).toBe('valid')
    },
  )

  it('may name the audience in another claim; a malformed aud is refused all the same', async () => {
    const profile = { audienceClaim: 'client_id', requiredClaims: [] }
    expect(await reasonOf({ claims: { client_id: audience, aud: undefined } }, profile)).toBe('valid')
    expect(await reasonOf({ claims: { client_id: audience, aud: {} } }, profile)).toBe('malformed_claim')
    expect(await reasonOf({}, profile)).toBe('audience_mismatch')
  })
})
