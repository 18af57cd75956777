import { createCommonValues } from '../../../lib/core/token/common-values.js'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { deepFreeze } from '../../../lib/core/access-token.js'
import { judgeAnswer, type IntrospectionExpectations } from '../../../lib/core/token/introspection-answer.js'
import { PROFILES } from '../../../lib/core/issuer/profiles.js'
import { createTestIssuer, type TestIssuer } from '../../../lib/testing/test-issuer.js'
import { createClock, createOpaqueApi, RESOURCE, type OpaqueApi } from '../../support/opaque-api.js'

const ALIAS = 'https://alias.example'
const now = () => Math.floor(Date.now() / 1000)
let as: TestIssuer
let api: OpaqueApi
let lenient: OpaqueApi

beforeAll(async () => {
  as = await createTestIssuer()
  const issuers = [{ issuer: as.issuer, aliases: [ALIAS] }]
  api = createOpaqueApi(as, {}, { issuers })
  lenient = createOpaqueApi(as, { allowMissingAudience: true }, { issuers })
})
afterAll(async () => {
  await Promise.all([api.guard.close(), lenient.guard.close()])
  await as.close()
})

let tokens = 0

/** Asks with a token of its own about an active answer with these members, written as the server would. */
async function judge(members: string, of = api) {
  const aud = members.includes('"aud"') ? '' : `"aud":"${RESOURCE}",`
  const body = `{"active":true,${aud}"sub":"alice","scope":"read"${members === '' ? '' : `,${members}`}}`
  as.answerIntrospection(() => ({ headers: { 'content-type': 'application/json' }, body }))
  return of.get(`token-${(tokens += 1)}`)
}

const nest = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

describe('an active answer is accepted', () => {
  it.each<[string, string, object]>([
    ['without any further member', '', { subject: 'alice', clientId: '', audience: [RESOURCE] }],
    [
      'with `aud` as a list',
      `"aud":["https://other.example","${RESOURCE}"]`,
      { audience: ['https://other.example', RESOURCE] },
    ],
    ['with `aud` twice: the last one counts', `"aud":"x","aud":"${RESOURCE}"`, { audience: [RESOURCE] }],
    ['with `iss` null', '"iss":null', {}],
    ['with `iss` an alias, under the name of the issuer', `"iss":"${ALIAS}"`, { claims: { iss: ALIAS } }],
    ['with `exp` null', '"exp":null', {}],
    ['with `exp` a fraction', '"exp":4102444800.25', { expiresAt: 4102444800.25 }],
    ['with `exp` 2^63-1', '"exp":9223372036854775807', { expiresAt: 8.64e12 }],
    ['with `exp` beyond any number', '"exp":1e400', { expiresAt: 8.64e12 }],
    ['with `nbf` within the tolerance', `"nbf":${now() + 10}`, {}],
    ['with `nbf` null', '"nbf":null', {}],
    ['with `iat` a string', '"iat":"yesterday"', {}],
    ['with `scope` a list', '"scope":["a","b"]', { scopes: ['a', 'b'] }],
    ['with `scope` a number', '"scope":7', { scopes: [] }],
    ['with `scope` an object', '"scope":{"read":true}', { scopes: [] }],
    ['with `scope` parted by tabs, which part nothing', '"scope":"a\\tb c"', { scopes: ['a\tb', 'c'] }],
    ['with `scope` twice the same', '"scope":"a a"', { scopes: ['a', 'a'] }],
    ['with `scope` empty', '"scope":""', { scopes: [] }],
    ['with `token_type` Bearer', '"token_type":"Bearer"', {}],
    ['with `token_type` bearer', '"token_type":"bearer"', {}],
    ['with `token_type` access_token', '"token_type":"access_token"', {}],
    ['with `token_type` null', '"token_type":null', {}],
    ['with `token_use` access_token', '"token_use":"access_token"', {}],
    ['with `typ` Bearer', '"typ":"Bearer"', {}],
    ['with `sub` a number, which names nobody', '"sub":42', { claims: { sub: 42 } }],
    ['with `username` only', '"sub":null,"username":"alice"', { claims: { sub: null, username: 'alice' } }],
    ['with `client_id` a number', '"client_id":7', { clientId: '' }],
    ['with a nested `__proto__`', '"act":{"__proto__":{"admin":true}}', {}],
    ['with a `__proto__`', '"__proto__":{"admin":true}', {}],
    ['with a value 300 deep', `"deep":${nest(300)}`, {}],
    ['with a value 100000 deep', `"deep":${nest(100_000)}`, {}],
  ])('%s', async (_what, members, seen) => {
    const { status } = await judge(members)
    expect(status).toBe(200)
    expect(api.seen()).toMatchObject({ format: 'opaque', issuer: as.issuer, ...seen })
    expect(Object.isFrozen(api.seen().claims)).toBe(true)
    expect(api.seen()).not.toHaveProperty('admin')
  })

  it.each(['"sub":42', '"sub":null', '"sub":""'])('without a subject if it says %s', async (members) => {
    expect((await judge(members)).status).toBe(200)
    expect(api.seen().subject).toBeUndefined()
  })

  it.each(['', '"aud":null'])('without an audience only where the options say so: %j', async (members) => {
    const withoutAudience = members === '' ? '"aud":null' : members
    expect((await judge(withoutAudience)).status).toBe(401)
    expect((await judge(withoutAudience, lenient)).status).toBe(200)
    expect(lenient.seen().audience).toEqual([])
  })
})

describe('an active answer is refused', () => {
  it.each([
    ['with `aud` for another', '"aud":"https://other.example"', 'opaque_audience_mismatch'],
    ['with `aud` empty', '"aud":""', 'opaque_audience_mismatch'],
    ['with `aud` an empty list', '"aud":[]', 'opaque_audience_mismatch'],
    ['with `aud` a list of others', '"aud":["https://other.example"]', 'opaque_audience_mismatch'],
    ['with `aud` a mixed list', `"aud":["${RESOURCE}",7]`, 'opaque_audience_mismatch'],
    ['with `aud` the scopes', '"aud":"read write"', 'opaque_audience_mismatch'],
    ['with `aud` an object', `"aud":{"${RESOURCE}":true}`, 'opaque_audience_mismatch'],
    ['with `aud` a number', '"aud":7', 'opaque_audience_mismatch'],
    ['with `aud` in other letters', `"aud":"${RESOURCE.toUpperCase()}"`, 'opaque_audience_mismatch'],
    ['with `iss` another', '"iss":"https://other.example"', 'issuer_mismatch'],
    ['with `iss` a list', `"iss":["${ALIAS}"]`, 'issuer_mismatch'],
    ['with `iss` empty', '"iss":""', 'issuer_mismatch'],
    ['with `exp` a string', '"exp":"4102444800"', 'opaque_malformed_member'],
    ['with `exp` negative', '"exp":-1', 'opaque_expired'],
    ['with `exp` zero', '"exp":0', 'opaque_expired'],
    ['with `exp` beyond any negative number', '"exp":-1e400', 'opaque_expired'],
    ['with `exp` an object', '"exp":{}', 'opaque_malformed_member'],
    ['with `nbf` in the future', '"nbf":4102444800', 'opaque_not_yet_valid'],
    ['with `nbf` a string', '"nbf":"0"', 'opaque_malformed_member'],
    ['with `token_type` DPoP', '"token_type":"DPoP"', 'opaque_token_type_mismatch'],
    ['with `token_type` refresh_token', '"token_type":"refresh_token"', 'opaque_token_type_mismatch'],
    ['with `token_type` Refresh', '"token_type":"Refresh"', 'opaque_token_type_mismatch'],
    ['with `token_type` id_token', '"token_type":"id_token"', 'opaque_token_type_mismatch'],
    ['with `token_type` N_A', '"token_type":"N_A"', 'opaque_token_type_mismatch'],
    ['with `token_type` JWT', '"token_type":"JWT"', 'opaque_token_type_mismatch'],
    ['with `token_type` a number', '"token_type":1', 'opaque_token_type_mismatch'],
    ['with `token_type` empty', '"token_type":""', 'opaque_token_type_mismatch'],
    ['with `token_use` refresh_token', '"token_use":"refresh_token"', 'opaque_token_type_mismatch'],
    ['with `token_use` a list', '"token_use":["access_token"]', 'opaque_token_type_mismatch'],
    ['with `typ` Refresh', '"typ":"Refresh"', 'opaque_token_type_mismatch'],
    ['with `typ` ID', '"typ":"ID"', 'opaque_token_type_mismatch'],
    ['with `active` twice, at last false', '"active":false', 'inactive'],
  ])('%s', async (_what, members, reason) => {
    const response = await judge(members)
    expect(response.status).toBe(401)
    expect(response.body).toMatchObject({
      error: 'invalid_token',
      error_description: 'The access token is unknown, expired, revoked or not meant for this API',
    })
    expect(api.events.at(-1)).toMatchObject({ reason })
  })

  it('as an outage if it is a megabyte long', async () => {
    expect((await judge(`"padding":"${'x'.repeat(1_000_000)}"`)).status).toBe(503)
  })
})

describe('judgeAnswer', () => {
  const expected: IntrospectionExpectations = {
    issuer: 'https://login.example.com',
    issuerNames: ['https://login.example.com'],
    audience: [RESOURCE],
    profile: PROFILES.rfc9068,
    allowMissingAudience: false,
    clockToleranceSeconds: 30,
    common: createCommonValues(),
  }

  it('names the end of the token as the end of the facts', () => {
    const exp = now() + 60
    expect(judgeAnswer({ active: true, aud: RESOURCE, exp }, expected).until).toBe(exp * 1000)
    expect(judgeAnswer({ active: true, aud: RESOURCE }, expected).until).toBe(Infinity)
  })

  it('names as the end of a refusal the moment from which the token is valid', () => {
    const nbf = now() + 60
    expect(judgeAnswer({ active: true, aud: RESOURCE, nbf }, expected).until).toBe((nbf - 30) * 1000)
    expect(judgeAnswer({ active: false }, expected).until).toBe(Infinity)
  })

  it('reads the members that the profile names', () => {
    const members = {
      active: true,
      aud: RESOURCE,
      azp: 'by-azp',
      client_id: 'by-client',
      scp: ['a'],
      scope: 'b',
    }
    const okta = judgeAnswer({ ...members, cid: 'by-cid' }, { ...expected, profile: PROFILES.okta })
    expect(okta).toMatchObject({ facts: { clientId: 'by-cid', scopes: ['a'] } })
    const keycloak = judgeAnswer(members, { ...expected, profile: PROFILES.keycloak })
    expect(keycloak).toMatchObject({ facts: { clientId: 'by-azp', scopes: ['b'] } })
  })
})

describe('what is remembered of an answer', () => {
  it('is asked again when a token that was not valid yet is', async () => {
    const clock = createClock()
    const patient = createOpaqueApi(as, { negativeCacheTtlSeconds: 300 })
    as.answerIntrospection(null)
    const token = as.issueOpaque({ response: { nbf: now() + 60 } })
    await patient.get(token).expect(401)
    clock.advance(20)
    await patient.get(token).expect(401)
    clock.advance(15)
    await patient.get(token).expect(200)
    clock.restore()
    await patient.guard.close()
  })
})

describe('deepFreeze', () => {
  it('freezes to the last member, and no deeper value can overflow it', () => {
    const value = deepFreeze({ a: [{ b: { c: [] } }], d: null })
    expect(Object.isFrozen(value.a[0]?.b.c)).toBe(true)
    const deep = JSON.parse(nest(200_000)) as unknown[]
    expect(deepFreeze(deep)).toBe(deep)
    let last = deep
    while (last.length > 0) last = last[0] as unknown[]
    expect(Object.isFrozen(last)).toBe(true)
  })
})
