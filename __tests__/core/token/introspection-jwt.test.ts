import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { UnavailableError } from '../../../lib/core/errors.js'
import { parseKeySet, type KeySet } from '../../../lib/core/issuer/key-set.js'
import { createFixedKeys } from '../../../lib/core/issuer/jwks.js'
import { createSignatureVerification } from '../../../lib/core/issuer/signature.js'
import { createSignedAnswer, type SignedResponseSettings } from '../../../lib/core/token/introspection-jwt.js'
import { createTestIssuer, SIGNING_ALGORITHMS, type TestIssuer } from '../../../lib/testing/test-issuer.js'

let as: TestIssuer

beforeEach(async () => {
  as = await createTestIssuer()
})
afterEach(() => as.close())

const reader = (settings: Partial<SignedResponseSettings> = {}) =>
  createSignedAnswer({
    issuer: as.issuer,
    verifySignature: createSignatureVerification(),
    keys: createFixedKeys(as.issuer, parseKeySet(as.jwks()) as KeySet),
    settings: { algorithms: undefined, maxAgeSeconds: 60, audience: ['rs'], ...settings },
    clockToleranceSeconds: 30,
  })

describe('createSignedAnswer', () => {
  it.each(SIGNING_ALGORITHMS)('reads what is signed with %s', async (alg) => {
    expect(as.keys[alg].alg).toBe(alg)
    const body = as.signAnswer({ active: true }, 'rs', { alg })
    await expect(reader()(body, [alg])).resolves.toEqual({ active: true })
    await expect(reader({ algorithms: [alg] })(`${body}\n`, undefined)).resolves.toEqual({ active: true })
  })

  it('reads no algorithm that neither the options nor the metadata name', async () => {
    expect(as.keys.RS256.alg).toBe('RS256')
    const body = as.signAnswer({ active: true }, 'rs', { alg: 'RS256' })
    await expect(reader()(body, undefined)).resolves.toEqual({ active: true })
    await expect(reader()(body, ['HS256', 'none'])).resolves.toEqual({ active: true })
    await expect(reader()(body, ['ES256'])).rejects.toMatchObject({ evidence: { name: 'alg' } })
    await expect(reader({ algorithms: ['ES256'] })(body, ['RS256'])).rejects.toBeInstanceOf(UnavailableError)
  })

  it.each([
    ['no object', '[]'],
    ['no JSON', 'active'],
    ['no UTF-8', Buffer.from('{"é":1}', 'latin1')],
  ])('reads no claims that are %s', async (_what, payload) => {
    const header = JSON.stringify({ typ: 'token-introspection+jwt', alg: 'ES256', kid: as.keys.ES256.kid })
    await expect(reader()(as.signParts(header, payload), ['ES256'])).rejects.toMatchObject({
      reason: 'introspection_answer_unusable',
    })
  })

  it.each([
    ['body', { kid: 7 }],
    ['kid', { kid: 'unknown' }],
    ['alg', { alg: ['ES256'] }],
    ['typ', { typ: ['token-introspection+jwt'] }],
  ])('reads no header with an odd member: %s', async (name, header) => {
    const body = as.signAnswer({ active: true }, 'rs', { header })
    await expect(reader()(body, ['ES256'])).rejects.toMatchObject({
      reason: 'introspection_answer_unusable',
      evidence: { name },
    })
  })
})
