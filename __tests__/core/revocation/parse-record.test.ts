/** Records from elsewhere: whole, or none. */
import { describe, expect, it } from '@jest/globals'
import { parseRecord } from '../../../lib/core/revocation/parse-record.js'

const record = {
  issuer: 'https://login.example.com',
  target: { kind: 'token', jti: 'one' },
  verdict: 'revoked',
  issuedBefore: 1_700_000_000.5,
  source: 'api',
}

describe('parseRecord', () => {
  it.each([
    { kind: 'token', jti: 'one' },
    { kind: 'session', sessionId: 'one' },
    { kind: 'subject', subject: 'alice' },
    { kind: 'subject', subject: 'alice', sessionless: true },
    { kind: 'client', clientId: 'app' },
    { kind: 'subject_client', subject: 'alice', clientId: 'app' },
    { kind: 'claim', name: 'email', value: '' },
    { kind: 'issuer' },
  ])('reads the target %j', (target) => {
    expect(parseRecord({ ...record, target })).toEqual({ ...record, target })
  })

  it('reads what may be there, and leaves out what it does not know', () => {
    const more = { ...record, verdict: 'suspect', expiresAt: 1_700_000_600, reason: 'why' }
    expect(parseRecord({ ...more, heardAt: 1, __proto__: { x: 1 } })).toEqual(more)
  })

  it.each([
    [undefined],
    [null],
    ['text'],
    [[record]],
    [{ ...record, issuer: 1 }],
    [{ ...record, verdict: 'forgiven' }],
    [{ ...record, issuedBefore: '1700000000' }],
    [{ ...record, issuedBefore: null }],
    [{ ...record, expiresAt: null }],
    [{ ...record, target: undefined }],
    [{ ...record, target: { kind: 'token' } }],
    [{ ...record, target: { kind: 'subject_client', subject: 'alice' } }],
    [{ ...record, target: { kind: 'of tomorrow' } }],
  ])('reads nothing from %j', (value) => {
    expect(parseRecord(value)).toBeUndefined()
  })
})
