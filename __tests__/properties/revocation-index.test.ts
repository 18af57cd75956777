/** The index against a model that forgets nothing: a list of all revocations there ever were. */
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import fc from 'fast-check'
import { createRevocationIndex } from '../../lib/core/revocation/revocation-index.js'
import type { TokenTraits } from '../../lib/core/revocation/finding.js'
import type { RevocationRecord, RevocationTarget } from '../../lib/core/revocation/record.js'

const LIFETIME = 600
const START = 1_800_000_000

const name = fc.constantFrom('a', 'b', 'c')
const target: fc.Arbitrary<RevocationTarget> = fc.oneof(
  fc.record({ kind: fc.constant('token' as const), jti: name }),
  fc.record({ kind: fc.constant('session' as const), sessionId: name }),
  fc.record({ kind: fc.constant('subject' as const), subject: name, sessionless: fc.boolean() }),
  fc.record({ kind: fc.constant('client' as const), clientId: name }),
  fc.record({ kind: fc.constant('subject_client' as const), subject: name, clientId: name }),
  fc.record({ kind: fc.constant('claim' as const), name: fc.constant('email'), value: name }),
  fc.constant({ kind: 'issuer' as const }),
)
/** Steps of a clock, and what is revoked at each of them. */
const revocation = fc.record({
  afterSeconds: fc.integer({ min: 0, max: 200 }),
  target,
  verdict: fc.constantFrom('revoked' as const, 'suspect' as const),
  earlier: fc.integer({ min: 0, max: 100 }),
})
const token = fc.record({
  jti: fc.option(name, { nil: undefined }),
  sid: fc.option(name, { nil: undefined }),
  subject: name,
  clientId: name,
  email: name,
  age: fc.integer({ min: 0, max: LIFETIME - 1 }),
})

function toTraits(drawn: {
  jti: string | undefined
  sid: string | undefined
  subject: string
  clientId: string
  email: string
  issuedAt: number
}): TokenTraits {
  const { jti, sid, email, subject, clientId, issuedAt } = drawn
  return { format: 'jwt', subject, clientId, issuedAt, claims: { jti, sid, email } }
}

function matches({ target: t, issuedBefore }: RevocationRecord, token: TokenTraits): boolean {
  const isOlder = (token.issuedAt ?? 0) <= issuedBefore
  switch (t.kind) {
    case 'token':
      return token.claims['jti'] === t.jti
    case 'session':
      return token.claims['sid'] === t.sessionId
    case 'subject':
      return isOlder && token.subject === t.subject && !(t.sessionless && token.claims['sid'] !== undefined)
    case 'client':
      return isOlder && token.clientId === t.clientId
    case 'subject_client':
      return isOlder && token.subject === t.subject && token.clientId === t.clientId
    case 'claim':
      return isOlder && token.claims[t.name] === t.value
    case 'issuer':
      return isOlder
  }
}

const RANK = ['good', 'suspect', 'revoked']

function naive(all: readonly RevocationRecord[], token: TokenTraits): string {
  const found = all.filter((record) => matches(record, token)).map(({ verdict }) => verdict)
  return found.includes('revoked') ? 'revoked' : found.includes('suspect') ? 'suspect' : 'good'
}

type Step = typeof revocation extends fc.Arbitrary<infer T> ? T : never

/** Plays the revocations, sweeping all the while; tokens and sessions are named again only while they may live. */
function play(steps: readonly Step[], maxEntries: number) {
  let now = START
  const clock = jest.spyOn(Date, 'now').mockImplementation(() => now * 1000)
  const index = createRevocationIndex({ maxEntries, maxTokenLifetimeSeconds: LIFETIME })
  const all: RevocationRecord[] = []
  for (const { afterSeconds, target: meant, verdict, earlier } of steps) {
    now += afterSeconds
    index.sweep()
    const record: RevocationRecord = {
      issuer: 'i',
      target: meant,
      verdict,
      issuedBefore: now - earlier,
      source: 'test',
    }
    index.add(record)
    all.push(record)
  }
  return { index, all, now: () => now, clock }
}

/** A name of a token or a session is not given again: what was listed under it long ago is out of the model. */
function isOfItsTime({ target: t, issuedBefore }: RevocationRecord, issuedAt: number): boolean {
  return (t.kind !== 'token' && t.kind !== 'session') || issuedAt <= issuedBefore
}

afterEach(() => {
  jest.restoreAllMocks()
})

describe('the index of revocations', () => {
  const steps = fc.array(revocation, { maxLength: 40 })

  it('agrees, for every token that can be alive, with a list of all revocations there ever were', () => {
    fc.assert(
      fc.property(steps, fc.array(token, { minLength: 1, maxLength: 20 }), (revocations, tokens) => {
        const { index, all, now } = play(revocations, 1000)
        for (const drawn of tokens) {
          const issuedAt = now() - drawn.age
          const traits = toTraits({ ...drawn, issuedAt })
          const relevant = all.filter((record) => isOfItsTime(record, issuedAt))
          // an old name may still be listed for a token of a later time: refused with it, or no longer
          const [least, most] = [naive(relevant, traits), naive(all, traits)].map((verdict) =>
            RANK.indexOf(verdict),
          )
          const found = RANK.indexOf(index.find(traits)?.verdict ?? 'good')
          expect(found).toBeGreaterThanOrEqual(least ?? 0)
          expect(found).toBeLessThanOrEqual(most ?? 0)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('never calls a token good that the list calls otherwise, also when it is full', () => {
    fc.assert(
      fc.property(steps, fc.array(token, { minLength: 1, maxLength: 20 }), (revocations, tokens) => {
        const { index, all, now } = play(revocations, 3)
        expect(index.size).toBeLessThanOrEqual(3)
        for (const drawn of tokens) {
          const issuedAt = now() - drawn.age
          const traits = toTraits({ ...drawn, issuedAt })
          const expected = naive(
            all.filter((record) => isOfItsTime(record, issuedAt)),
            traits,
          )
          if (expected !== 'good') expect(index.find(traits)).toBeDefined()
        }
      }),
      { numRuns: 300 },
    )
  })

  it('is empty again, and says so of every new token, when all that it knew is over', () => {
    fc.assert(
      fc.property(fc.array(revocation, { minLength: 1, maxLength: 20 }), token, (revocations, drawn) => {
        const { index, now, clock } = play(revocations, 1000)
        const later = now() + LIFETIME + 120
        clock.mockImplementation(() => later * 1000)
        index.sweep()
        expect(index.size).toBe(0)
        expect([...index.list()]).toEqual([])
        expect(index.find(toTraits({ ...drawn, issuedAt: later - drawn.age }))).toBeUndefined()
      }),
      { numRuns: 100 },
    )
  })
})
