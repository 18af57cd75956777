import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { SignJWT } from 'jose'
import { createSigningKey, createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const key = createSigningKey('ES256')
let as: TestIssuer

beforeEach(async () => {
  as = await createTestIssuer({
    clients: {
      rs: 'rs-secret',
      'odd:id +': 'sécret%:&+ ',
      signer: { jwk: key.publicJwk },
      sharer: { secret: 'a secret of more than thirty-two bytes' },
      poster: { secret: 'p', authMethod: 'client_secret_post' },
    },
  })
})
afterEach(() => as.close())

const formEncode = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)
const basic = (id: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${formEncode(id)}:${formEncode(secret)}`).toString('base64')}`,
})

function post(parameters: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(as.introspectionEndpoint, { method: 'POST', body: new URLSearchParams(parameters), headers })
}

async function introspect(token: string): Promise<unknown> {
  const response = await post({ token }, basic('rs', 'rs-secret'))
  expect(response.status).toBe(200)
  return response.json()
}

describe('issueOpaque', () => {
  it('registers a token that introspection knows in full', async () => {
    const answer = await introspect(as.issueOpaque())
    expect(answer).toEqual({
      active: true,
      iss: as.issuer,
      aud: 'https://api.example.com',
      sub: 'alice',
      client_id: 'app',
      scope: 'read',
      token_type: 'Bearer',
      iat: expect.any(Number),
      exp: expect.any(Number),
    })
  })

  it('takes options, and overrides and leaves out members of the answer', async () => {
    const token = as.issueOpaque({
      token: 'with.two.dots',
      scope: ['a', 'b'],
      subject: 'bob',
      response: { aud: undefined, username: 'Bob' },
    })
    expect(token).toBe('with.two.dots')
    const answer = await introspect(token)
    expect(answer).toMatchObject({ scope: 'a b', sub: 'bob', username: 'Bob' })
    expect(answer).not.toHaveProperty('aud')
  })

  it('issues tokens that differ', () => {
    expect(as.issueOpaque()).not.toBe(as.issueOpaque())
  })
})

describe('revoke', () => {
  it('makes a token as unknown as any other', async () => {
    const token = as.issueOpaque()
    as.revoke(token)
    expect(await introspect(token)).toEqual({ active: false })
    expect(await introspect('never issued')).toEqual({ active: false })
  })
})

describe('answerIntrospection', () => {
  it('takes over with JSON, text, status and headers, and gives back', async () => {
    const token = as.issueOpaque()
    as.answerIntrospection((asked, request) => ({ body: { asked, body: request.body } }))
    expect(await introspect(token)).toEqual({ asked: token, body: `token=${token}` })

    as.answerIntrospection(() => Promise.resolve({ status: 418, headers: { 'x-odd': 'yes' }, body: 'short' }))
    const response = await post({ token }, basic('rs', 'rs-secret'))
    expect([response.status, response.headers.get('x-odd'), await response.text()]).toEqual([
      418,
      'yes',
      'short',
    ])

    as.answerIntrospection(null)
    expect(await introspect(token)).toMatchObject({ active: true })
  })

  it('shows what the function throws', async () => {
    as.answerIntrospection(() => {
      throw new Error('a slip in the test')
    })
    const response = await post({ token: 'x' }, basic('rs', 'rs-secret'))
    expect(response.status).toBe(500)
    expect(await response.text()).toContain('a slip in the test')
  })

  it('does not answer strangers', async () => {
    as.answerIntrospection(() => ({ body: { active: true } }))
    expect((await post({ token: 'x' })).status).toBe(401)
  })
})

describe('client authentication', () => {
  const assert = (alg: string, by: Parameters<SignJWT['sign']>[0], id: string, audience: string) =>
    new SignJWT({ jti: crypto.randomUUID() })
      .setProtectedHeader({ alg })
      .setIssuer(id)
      .setSubject(id)
      .setAudience(audience)
      .setExpirationTime('1m')
      .sign(by)
  const postAssertion = (assertion: string, more: Record<string, string> = {}) =>
    post({ token: 'x', client_assertion_type: ASSERTION_TYPE, client_assertion: assertion, ...more })

  it('takes secrets by header, form-decoded, and by form', async () => {
    expect((await post({ token: 'x' }, basic('rs', 'rs-secret'))).status).toBe(200)
    expect((await post({ token: 'x' }, basic('odd:id +', 'sécret%:&+ '))).status).toBe(200)
    expect((await post({ token: 'x', client_id: 'rs', client_secret: 'rs-secret' })).status).toBe(200)
  })

  it.each([
    ['nothing', {}, {}],
    ['a wrong secret', {}, basic('rs', 'wrong')],
    ['an unknown client', {}, basic('nobody', 'rs-secret')],
    ['a client named as an inherited property', {}, basic('constructor', 'rs-secret')],
    ['an empty secret of a client that has none', {}, basic('signer', '')],
    ['another scheme', {}, { authorization: 'Bearer rs-secret' }],
    ['bad percent-encoding', {}, { authorization: `Basic ${btoa('rs:%zz')}` }],
    ['two methods at once', { client_id: 'rs', client_secret: 'rs-secret' }, basic('rs', 'rs-secret')],
    ['a method this client may not use', {}, basic('poster', 'p')],
    ['an unreadable assertion', { client_assertion_type: ASSERTION_TYPE, client_assertion: 'x' }, {}],
  ])('answers 401 to %s', async (_what, parameters, headers) => {
    const response = await post({ token: 'x', ...parameters }, headers)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toMatch(/^Basic /)
    expect(await response.json()).toEqual({ error: 'invalid_client' })
  })

  it('takes an assertion once, signed with the private key, for the issuer or the endpoint', async () => {
    const assertion = await assert('ES256', key.privateKey, 'signer', as.issuer)
    expect((await postAssertion(assertion)).status).toBe(200)
    expect((await postAssertion(assertion)).status).toBe(401)
    const another = await assert('ES256', key.privateKey, 'signer', as.introspectionEndpoint)
    expect((await postAssertion(another, { client_id: 'signer' })).status).toBe(200)
  })

  it('takes an assertion signed with the secret', async () => {
    const secret = Buffer.from('a secret of more than thirty-two bytes')
    expect((await postAssertion(await assert('HS256', secret, 'sharer', as.issuer))).status).toBe(200)
    expect((await postAssertion(await assert('HS256', secret, 'signer', as.issuer))).status).toBe(401)
  })

  it('refuses assertions of others, for others, and for another client', async () => {
    const forged = await assert('ES256', createSigningKey('ES256').privateKey, 'signer', as.issuer)
    expect((await postAssertion(forged)).status).toBe(401)
    const elsewhere = await assert('ES256', key.privateKey, 'signer', 'https://other.example')
    expect((await postAssertion(elsewhere)).status).toBe(401)
    const mismatched = await assert('ES256', key.privateKey, 'signer', as.issuer)
    expect((await postAssertion(mismatched, { client_id: 'rs' })).status).toBe(401)
  })
})

describe('the introspection endpoint', () => {
  it('takes forms by POST only, with one token', async () => {
    expect((await fetch(as.introspectionEndpoint)).status).toBe(405)
    const headers = { ...basic('rs', 'rs-secret'), 'content-type': 'application/json' }
    const json = await fetch(as.introspectionEndpoint, { method: 'POST', headers, body: '{"token":"x"}' })
    expect(json.status).toBe(400)
    expect((await post({ other: 'x' }, basic('rs', 'rs-secret'))).status).toBe(400)
    expect(as.count('introspection')).toBe(3)
  })
})
