/** RFC 9701, JWT Response for OAuth Token Introspection, from the side of the one who asks. */
import { createSecretKey } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { ConfigurationError, type IntrospectionOptions } from '../../lib/index.js'
import {
  createSigningKey,
  createTestIssuer,
  type SignAnswerOptions,
  type TestIssuer,
} from '../../lib/testing/test-issuer.js'
import { createOpaqueApi, RESOURCE, type OpaqueApi } from '../support/opaque-api.js'

const TYPE = 'application/token-introspection+jwt'
const GOOD = { active: true, aud: RESOURCE, sub: 'alice', scope: 'read' }
let as: TestIssuer
let api: OpaqueApi

/** From now on the server answers with this, signed so. */
function answerSigned(answer: object, options: SignAnswerOptions = {}, contentType = TYPE): void {
  const body = as.signAnswer(answer, 'rs', options)
  as.answerIntrospection(() => ({ headers: { 'content-type': contentType }, body }))
}

async function start(signedResponse: IntrospectionOptions['signedResponse'] = true): Promise<void> {
  await api.guard.close()
  api = createOpaqueApi(as, { signedResponse })
}

async function expectOutage(evidence: object = {}): Promise<void> {
  const response = await api.get('token').expect(503)
  expect(response.headers['retry-after']).toBeDefined()
  expect(api.events.at(-1)).toMatchObject({ reason: 'introspection_answer_unusable', ...evidence })
  // nothing of it is remembered
  answerSigned(GOOD)
  await api.get('token').expect(200)
}

const now = () => Math.floor(Date.now() / 1000)

beforeEach(async () => {
  as = await createTestIssuer()
  api = createOpaqueApi(as, { signedResponse: true })
})
afterEach(async () => {
  await api.guard.close()
  await as.close()
})

describe('RFC 9701 §4, the question', () => {
  it('R9701-01 asks for a signed answer, as an authenticated client', async () => {
    await api.get(as.issueOpaque()).expect(200)
    const question = as.requests.find(({ path }) => path === 'introspection')
    expect(question?.headers.accept).toBe(TYPE)
    expect(question?.headers.authorization).toMatch(/^Basic /)
    expect(api.seen().claims).toMatchObject({ active: true, sub: 'alice' })
  })
})

describe('RFC 9701 §5, the answer', () => {
  it.each([
    ['in other letters', 'Token-Introspection+JWT', TYPE],
    ['with application/ before it', 'application/token-introspection+jwt', TYPE],
    ['with a charset behind the media type', 'token-introspection+jwt', `${TYPE}; charset=utf-8`],
  ])('R9701-02 is taken with its type %s', async (_what, typ, contentType) => {
    answerSigned(GOOD, { header: { typ } }, contentType)
    await api.get('token').expect(200)
  })

  it.each([
    ['the header type JWT', 'JWT', TYPE],
    ['the header type at+jwt', 'at+jwt', TYPE],
    ['no header type', undefined, TYPE],
    ['the media type application/jwt', 'token-introspection+jwt', 'application/jwt'],
    ['a longer media type', 'token-introspection+jwt', `${TYPE}x`],
  ])('R9701-02 is refused with %s', async (_what, typ, contentType) => {
    answerSigned(GOOD, { header: { typ } }, contentType)
    await expectOutage()
  })

  it('R9701-03 is signed with a key that the issuer publishes, also with a new one', async () => {
    answerSigned(GOOD)
    await api.get('one').expect(200)
    as.rotateKeys()
    answerSigned(GOOD)
    await api.get('two').expect(200)
  })

  it('R9701-03 is taken with a key that took the place of another under its name', async () => {
    answerSigned(GOOD)
    await api.get('one').expect(200)
    const kid = as.keys.ES256.kid
    as.withdrawKey(kid)
    const key = createSigningKey('ES256', kid)
    as.publishJwks({ keys: [key.publicJwk] })
    answerSigned(GOOD, { key })
    await api.get('two').expect(200)
  })

  it.each<[string, () => SignAnswerOptions]>([
    ['by a stranger', () => ({ key: createSigningKey('ES256', as.keys.ES256.kid) })],
    ['by an unpublished key', () => ({ key: createSigningKey('ES256') })],
    ['by nobody', () => ({ alg: 'none' })],
    [
      'with the public key as a secret',
      () => ({
        alg: 'HS256',
        key: createSecretKey(
          as.keys.ES256.publicKey.export({ type: 'spki', format: 'pem' }) as string,
          'utf8',
        ),
        header: { kid: as.keys.ES256.kid },
      }),
    ],
    ['with a client secret', () => ({ alg: 'HS256', key: createSecretKey('rs-secret', 'utf8') })],
    ['badly', () => ({ signature: 'AAAA' })],
    ['with an extension that must be understood', () => ({ header: { crit: ['exp'], exp: 1 } })],
  ])('R9701-03 is refused if it is signed %s', async (_what, options) => {
    answerSigned(GOOD, options())
    await expectOutage()
  })

  it('R9701-03 is signed with RS256 where neither side names an algorithm', async () => {
    await as.close()
    as = await createTestIssuer({
      algorithms: ['RS256', 'ES256'],
      metadata: { introspection_signing_alg_values_supported: undefined },
    })
    await start()
    answerSigned(GOOD, { alg: 'RS256' })
    await api.get('one').expect(200)
    answerSigned(GOOD, { alg: 'ES256' })
    await api.get('two').expect(503)
    expect(api.events.at(-1)).toMatchObject({ name: 'alg', expected: ['RS256'], found: 'ES256' })
  })

  it('R9701-03 is signed with what the options name, and with no secret whatever the metadata names', async () => {
    as.metadata['introspection_signing_alg_values_supported'] = ['none', 'HS256', 'EdDSA']
    await start({ algorithms: ['ES256'] })
    answerSigned(GOOD)
    await api.get('one').expect(200)
    answerSigned(GOOD, { alg: 'EdDSA' })
    await api.get('two').expect(503)
    await start()
    await api.get('three').expect(200)
    answerSigned(GOOD, { alg: 'none' })
    await api.get('four').expect(503)
    expect(api.events.at(-1)).toMatchObject({ name: 'alg', expected: ['EdDSA'], found: 'none' })
  })

  it.each([
    ['another issuer', 'https://other.example'],
    ['a trailing slash', (issuer: string) => `${issuer}/`],
    ['nobody', undefined],
  ])('R9701-04 is refused if it comes from %s', async (_what, iss) => {
    answerSigned(GOOD, { claims: { iss: typeof iss === 'function' ? iss(as.issuer) : iss } })
    await expectOutage({ name: 'iss', expected: as.issuer })
  })

  it.each([
    ['the client', 'rs'],
    ['the resource', RESOURCE],
    ['a list with one of them', ['https://other.example', 'rs']],
  ])('R9701-05 is taken if it is addressed to %s', async (_what, aud) => {
    answerSigned(GOOD, { claims: { aud } })
    await api.get('token').expect(200)
  })

  it.each([
    ['another client', 'rs2'],
    ['a list of others', ['https://other.example']],
    ['nobody', undefined],
    ['a number', 7],
  ])('R9701-05 is refused if it is addressed to %s', async (_what, aud) => {
    answerSigned(GOOD, { claims: { aud } })
    await expectOutage({ name: 'aud' })
  })

  it('R9701-05 is taken if it is addressed to a further name that the options give this API', async () => {
    await start({ audience: 'read write' })
    answerSigned(GOOD, { claims: { aud: 'read write' } })
    await api.get('token').expect(200)
  })

  it.each([
    ['absent', () => undefined],
    ['a string', () => String(now())],
    ['in the future', () => now() + 120],
    ['older than the window', () => now() - 62],
  ])('R9701-06 is refused if its `iat` is %s', async (_what, iat) => {
    answerSigned(GOOD, { claims: { iat: iat() } })
    await expectOutage({ name: 'iat' })
  })

  it('R9701-06 is taken within the window that the options name', async () => {
    await start({ maxAgeSeconds: 600 })
    answerSigned(GOOD, { claims: { iat: now() - 590 } })
    await api.get('one').expect(200)
    answerSigned(GOOD, { claims: { iat: now() + 20 } })
    await api.get('two').expect(200)
    answerSigned(GOOD, { claims: { iat: now() - 601 } })
    await api.get('three').expect(503)
  })

  it('R9701-07 speaks of the token in `token_introspection` alone', async () => {
    answerSigned(GOOD, { claims: { active: false, scope: 'write', sub: 'mallory' } })
    await api.get('one').expect(200)
    await api.get('one', '/write').expect(403)
    expect(api.seen()).toMatchObject({ subject: 'alice', scopes: ['read'] })
    answerSigned({ active: false }, { claims: { ...GOOD } })
    await api.get('two').expect(401)
    answerSigned({ ...GOOD, active: 'true' })
    await api.get('three').expect(401)
    answerSigned({ ...GOOD, aud: 'https://other.example' })
    await api.get('four').expect(401)
  })

  it.each([['absent'], ['a string'], ['an array'], ['null']])(
    'R9701-07 is refused if `token_introspection` is %s',
    async (what) => {
      const values: Record<string, unknown> = { 'a string': 'active', 'an array': [GOOD], null: null }
      answerSigned(GOOD, { claims: { ...GOOD, token_introspection: values[what] } })
      await expectOutage({ name: 'token_introspection' })
    },
  )

  it.each([
    ['no JWT', 'active'],
    ['plain JSON', JSON.stringify(GOOD)],
    ['empty', ''],
    [
      'an encrypted JWT',
      'eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00iLCJ0eXAiOiJ0b2tlbi1pbnRyb3NwZWN0aW9uK2p3dCJ9.a.b.c.d',
    ],
  ])('R9701-02 is refused if the body is %s', async (_what, body) => {
    as.answerIntrospection(() => ({ headers: { 'content-type': TYPE }, body }))
    await expectOutage()
  })
})

describe('RFC 9701 §8, one for another', () => {
  it('R9701-08 takes no plain answer where signed ones are asked for', async () => {
    as.answerIntrospection(() => ({ body: GOOD }))
    await expectOutage({ found: 'content type application/json' })
  })

  it('R9701-08 goes back to plain answers by option alone', async () => {
    await start(false)
    as.answerIntrospection(() => ({ body: GOOD }))
    await api.get('token').expect(200)
  })

  it('R9701-09 takes no signed answer for an access token', async () => {
    const answer = as.signAnswer(GOOD, 'rs', {
      claims: { ...GOOD, exp: now() + 60, client_id: 'c', jti: 'j' },
    })
    const response = await api.get(answer).expect(401)
    expect(response.body).toMatchObject({ error: 'invalid_token' })
    expect(api.events.at(-1)).toMatchObject({ reason: 'token_type_mismatch', name: 'typ' })
  })
})

describe('signed answers and their keys', () => {
  it('are an outage while the keys cannot be had', async () => {
    as.fail('jwks', { kind: 'status', status: 500 })
    await api.get(as.issueOpaque()).expect(503)
    expect(api.events.at(-1)).toMatchObject({ reason: 'keys_unavailable' })
  })

  it('are an outage when the keys do not come in time', async () => {
    as.fail('jwks', { kind: 'hang' })
    await api.guard.close()
    api = createOpaqueApi(as, { signedResponse: true, timeoutMs: 100 })
    await api.get(as.issueOpaque()).expect(503)
    expect(api.events.at(-1)).toMatchObject({ reason: 'keys_unavailable' })
  })

  it('have their keys loaded by ready()', async () => {
    await api.guard.close()
    api = createOpaqueApi(as, { signedResponse: true }, { jwt: false })
    await api.guard.ready()
    expect(as.count('jwks')).toBe(1)
  })

  it.each<[string, object]>([
    ['an algorithm of secrets', { algorithms: ['HS256'] }],
    ['no algorithm', { algorithms: [] }],
    ['an age of nothing', { maxAgeSeconds: 0 }],
    ['an unknown member', { audiences: 'rs' }],
    ['an empty audience', { audience: [] }],
  ])('are refused at start-up with %s', (_what, signedResponse) => {
    expect(() => createOpaqueApi(as, { signedResponse })).toThrow(ConfigurationError)
  })
})
