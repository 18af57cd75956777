/** What the index says in the cases that a list of pairs shows best. */
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import type { TokenTraits } from '../../../lib/core/revocation/finding.js'
import type { RevocationRecord, RevocationTarget } from '../../../lib/core/revocation/record.js'
import { createRevocationIndex } from '../../../lib/core/revocation/revocation-index.js'

const NOW = 1_800_000_000
const at = (seconds: number) => jest.spyOn(Date, 'now').mockReturnValue(seconds * 1000)
const newIndex = (maxEntries = 100) => createRevocationIndex({ maxEntries, maxTokenLifetimeSeconds: 3600 })

function record(target: RevocationTarget, more: Partial<RevocationRecord> = {}): RevocationRecord {
  return { issuer: 'i', target, verdict: 'revoked', issuedBefore: NOW, source: 'test', ...more }
}

function token(more: Partial<TokenTraits> = {}): TokenTraits {
  return { format: 'jwt', subject: 'alice', clientId: 'app', issuedAt: NOW - 10, claims: {}, ...more }
}

const alice = { kind: 'subject', subject: 'alice' } as const

afterEach(() => {
  jest.restoreAllMocks()
})

describe('createRevocationIndex', () => {
  it('takes the latest of the moments that apply, whatever the order in which they came', () => {
    at(NOW)
    const index = newIndex()
    index.add(record(alice, { issuedBefore: NOW - 5 }))
    index.add(record(alice, { issuedBefore: NOW - 100 }))
    index.add(record({ kind: 'issuer' }, { issuedBefore: NOW - 50 }))
    expect(index.find(token({ issuedAt: NOW - 5 }))?.verdict).toBe('revoked')
    expect(index.find(token({ issuedAt: NOW - 4 }))).toBeUndefined()
    expect(index.find(token({ subject: 'bob', issuedAt: NOW - 50 }))?.verdict).toBe('revoked')
    expect(index.find(token({ subject: 'bob', issuedAt: NOW - 49 }))).toBeUndefined()
  })

  it('lets no suspicion soften a revocation', () => {
    at(NOW)
    const index = newIndex()
    index.add(record(alice))
    index.add(record(alice, { verdict: 'suspect' }))
    expect(index.find(token())?.verdict).toBe('revoked')
  })

  it('suspects, and does not deny, a token that does not say when it was issued', () => {
    at(NOW)
    const index = newIndex()
    index.add(record(alice))
    const undated: TokenTraits = { format: 'jwt', subject: 'alice', clientId: 'app', claims: {} }
    expect(index.find(undated)).toEqual({ verdict: 'suspect', since: NOW * 1000 })
  })

  it.each<[string, RevocationTarget, Partial<TokenTraits>]>([
    ['its jti', { kind: 'token', jti: 'x' }, { claims: { sid: 's' } }],
    ['its session', { kind: 'session', sessionId: 'x' }, { claims: { jti: 'j' } }],
    ['its client', { kind: 'client', clientId: 'x' }, { clientId: '', claims: { jti: 'j', sid: 's' } }],
  ])('suspects an opaque token of which the server did not say %s', (_what, target, traits) => {
    at(NOW)
    const index = newIndex()
    index.add(record(target))
    expect(index.find(token({ format: 'opaque', ...traits }))?.verdict).toBe('suspect')
    const { claims = {}, clientId = 'app' } = traits
    const told = { ...claims, jti: 'j', sid: 's' }
    expect(index.find(token({ format: 'opaque', claims: told, clientId: clientId || 'app' }))).toBeUndefined()
  })

  it('suspects an opaque token without a subject as soon as something of any subject is revoked', () => {
    at(NOW)
    const index = newIndex()
    index.add(record(alice))
    const claims = { jti: 'j', sid: 's' }
    const nobody: TokenTraits = { format: 'opaque', clientId: 'app', issuedAt: NOW - 10, claims }
    expect(index.find(nobody)?.verdict).toBe('suspect')
    expect(index.find({ ...nobody, format: 'jwt' })).toBeUndefined()
  })

  it('suspects a token without the claim by which something was revoked', () => {
    at(NOW)
    const index = newIndex()
    index.add(record({ kind: 'claim', name: 'email', value: 'a@example.com' }))
    expect(index.find(token({ claims: { email: 'a@example.com' } }))?.verdict).toBe('revoked')
    expect(index.find(token({ claims: { email: 'b@example.com' } }))).toBeUndefined()
    expect(index.find(token())?.verdict).toBe('suspect')
  })

  it('does not forget when it is full: everything issued up to then is suspect, newer tokens are not', () => {
    at(NOW)
    const index = newIndex(1)
    expect(index.add(record({ kind: 'token', jti: 'one' }))).toBe('added')
    expect(index.add(record({ kind: 'token', jti: 'two' }))).toBe('overflow')
    expect(index.size).toBe(1)
    expect(index.overflows).toBe(1)
    expect(index.find(token({ claims: { jti: 'one' } }))?.verdict).toBe('revoked')
    expect(index.find(token({ claims: { jti: 'two' } }))).toEqual({ verdict: 'suspect', since: NOW * 1000 })
    expect(index.find(token({ claims: { jti: 'new' }, issuedAt: NOW + 1 }))).toBeUndefined()
  })

  it('suspects a token that is older than an entry which has left', () => {
    at(NOW)
    const index = newIndex()
    index.add(record(alice))
    at(NOW + 3700)
    index.sweep()
    expect(index.size).toBe(0)
    expect(index.find(token({ issuedAt: NOW - 10 }))?.verdict).toBe('suspect')
    expect(index.find(token({ issuedAt: NOW + 10 }))).toBeUndefined()
  })

  it('lets an entry go with the token that it is about, where its end is known', () => {
    at(NOW)
    const index = newIndex()
    index.add(record({ kind: 'token', jti: 'one' }, { expiresAt: NOW + 60 }))
    at(NOW + 180)
    index.sweep()
    expect(index.size).toBe(0)
    expect(index.find(token())).toBeUndefined()
  })

  it('says that it knew, when the same is told again', () => {
    at(NOW)
    const index = newIndex()
    expect(index.add(record(alice))).toBe('added')
    expect(index.add(record(alice))).toBe('covered')
    expect(index.add(record(alice, { issuedBefore: NOW - 1 }))).toBe('covered')
    expect(index.size).toBe(1)
  })
})
