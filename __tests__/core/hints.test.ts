import { describe, expect, it } from '@jest/globals'
import {
  InvalidTokenError,
  UnavailableError,
  type Evidence,
  type OutageReason,
  type RefusalReason,
} from '../../lib/core/errors.js'
import { createReport } from '../../lib/core/events.js'
import { createHints } from '../../lib/core/hints.js'

const report = createReport(undefined)
const refusal = (reason: RefusalReason, evidence: Evidence = {}) =>
  report(new InvalidTokenError(reason, evidence))
const outage = (reason: OutageReason, evidence: Evidence = {}) =>
  report(new UnavailableError(reason, evidence))

function listen() {
  const told: [message: string, code: string][] = []
  return { told, hint: createHints((...args) => told.push(args)) }
}

const ISSUER = 'https://login.example.com'

describe('createHints', () => {
  it.each([
    [
      refusal('token_type_mismatch', { name: 'typ', expected: ['at+jwt'], found: 'JWT' }),
      "profile: 'keycloak'",
      '"JWT"',
    ],
    [
      refusal('token_type_mismatch', { found: undefined, expected: ['at+jwt'] }),
      'its typ is absent',
      '["at+jwt"]',
    ],
    [refusal('missing_claim', { name: 'jti' }), 'requiredClaims', '"jti"'],
    [outage('revocation_not_checked'), 'introspection: {', 'whenUncheckable'],
    [outage('revocation_stale', { expected: 10, found: 60 }), 'health()', 'is 60 seconds old'],
    [
      outage('status_list_unavailable', { name: 'https://s.example.com/1', found: 'status 404' }),
      'allowedOrigins',
      'https://s.example.com/1',
    ],
    [
      refusal('audience_mismatch', { name: 'aud', expected: ['a'], found: ['b', 'c'] }),
      'write audience: "b"',
      '["a"]',
    ],
    [
      refusal('opaque_audience_mismatch', { expected: ['a'], found: 'b' }),
      'write audience: "b"',
      'its aud is "b"',
    ],
    [refusal('audience_missing', { expected: ['a'] }), 'allowMissingAudience: true', '["a"]'],
    [
      refusal('untrusted_issuer', { expected: [ISSUER], found: `${ISSUER}/` }),
      `issuer: "${ISSUER}/"`,
      'trailing slash',
    ],
    [refusal('issuer_mismatch', { expected: ['a'], found: 'b' }), 'aliases', '"b"'],
    [refusal('opaque_not_accepted'), "introspection: { clientId: '…', clientSecret: '…' }", 'opaque'],
    [
      refusal('opaque_token_type_mismatch', { name: 'token_type', found: 'Refresh' }),
      'token_type "Refresh"',
      'no access token',
    ],
    [refusal('opaque_token_type_mismatch', { found: 'Refresh' }), 'token_type "Refresh"', 'no access token'],
    [refusal('encrypted_token'), 'decryptionKeys', 'encrypted'],
    [refusal('algorithm_not_allowed', { expected: ['ES256'], found: 'HS256' }), 'algorithms', '"HS256"'],
    [
      outage('introspection_credentials_refused', { name: 'https://a/i', found: 401 }),
      'clientSecret',
      'https://a/i answered 401',
    ],
    [
      outage('introspection_credentials_refused', { found: 401 }),
      'authMethod',
      'the introspection endpoint answered 401',
    ],
    [outage('introspection_endpoint_unknown'), 'endpoint:', 'no introspection_endpoint'],
    [
      outage('introspection_answer_unusable', { name: 'https://a/i', found: 'text/html' }),
      'endpoint',
      '"text/html"',
    ],
    [outage('introspection_answer_unusable', { found: 404 }), 'the introspection endpoint', '404'],
    [
      outage('metadata_unusable', { name: 'issuer', expected: 'a', found: 'b' }),
      'Write issuer exactly',
      '"b"',
    ],
    [outage('metadata_unusable', { expected: 'a', found: 'b' }), 'Write issuer exactly', '"a"'],
    [outage('metadata_unavailable', { name: 'https://a/m', found: 404 }), 'metadata: { url', 'https://a/m'],
    [outage('metadata_unavailable', { found: 404 }), 'jwks: { uri', 'the well-known addresses'],
  ])('says what to write: $reason', (event, remedy, cause) => {
    const { told, hint } = listen()
    hint(event)
    expect(told).toHaveLength(1)
    const [message, code] = told[0]!
    expect(message).toContain(remedy)
    expect(message).toContain(cause)
    expect(message).toMatch(/^an access token (?:was refused|could not be checked).*\(Told once\.\)$/)
    expect(code).toBe(`RESOURCE_SERVER_${event.reason.toUpperCase()}`)
  })

  it.each([
    refusal('expired'),
    refusal('invalid_signature'),
    refusal('missing_token'),
    outage('key_not_checked'),
    outage('closed'),
  ])('is silent where no setting is at fault: $reason', (event) => {
    const { told, hint } = listen()
    hint(event)
    expect(told).toEqual([])
  })

  it('tells each kind once per issuer', () => {
    const { told, hint } = listen()
    for (const issuer of ['a', 'b', 'a', 'b', undefined, undefined])
      hint(refusal('encrypted_token', { issuer }))
    hint(refusal('opaque_not_accepted', { issuer: 'a' }))
    expect(told.map(([message]) => /issuer (\w)/.exec(message)?.[1])).toEqual(['a', 'b', undefined, 'a'])
  })

  it('keeps what a stranger wrote on one line, and short', () => {
    const { told, hint } = listen()
    hint(
      refusal('untrusted_issuer', {
        expected: [ISSUER],
        found: `x\n\u001b[2J\u2028\u00e9${'y'.repeat(1000)}`,
      }),
    )
    const [message] = told[0]!
    // the only letter beyond ASCII is our own ellipsis
    expect(message.replaceAll('…', '')).toMatch(/^[\x20-\x7E]+$/)
    expect(message.length).toBeLessThan(800)
  })
})
