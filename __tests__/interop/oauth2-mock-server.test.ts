/**
 * Against oauth2-mock-server, which signs whatever it is asked to and calls every token active: tokens of
 * odd shapes with good signatures, and the answers of a broken introspection endpoint.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import type { Profile } from '../../lib/index.js'
import { RESOURCE, startApi, type Api } from '../support/api.js'
import { startServerProcess, type ServerProcess } from './server-process.js'

/** Its tokens as they come: `typ: JWT`, and no subject, client or identifier. */
const DIALECT: Partial<Profile> = { types: ['jwt'], requiredClaims: ['iss', 'exp', 'aud'] }
const RS = { clientId: 'rs', clientSecret: 'rs-secret' }
/** What RFC 9068 asks for beyond what it signs by itself. */
const COMPLETE = { aud: RESOURCE, sub: 'alice', client_id: 'web', jti: '1' }

type Members = Readonly<Record<string, unknown>>

let server: ServerProcess<{ readonly url: string }>
const apis: Api[] = []

/** A token with these claims and header parameters added to its own; null takes one away. */
async function sign(claims: Members, header: Members = {}, kid = 'rs'): Promise<string> {
  return (await server.tell('sign', { claims, header, kid })) as string
}

async function api(options: Partial<Parameters<typeof startApi>[0]> = {}): Promise<Api> {
  const started = await startApi({ issuer: server.started.url, introspection: RS, ...options })
  apis.push(started)
  return started
}

beforeAll(async () => {
  server = await startServerProcess('oauth2-mock-server-process.mjs')
})
afterAll(() => server.close())
afterEach(async () => {
  for (const started of apis.splice(0)) await started.close()
})

describe('tokens of oauth2-mock-server', () => {
  it('as they come are refused: typ is JWT', async () => {
    expect(await (await api()).get(await sign({}))).toMatchObject({
      status: 401,
      reason: 'token_type_mismatch',
    })
  })

  it('with an audience are accepted by a profile that describes them', async () => {
    const answer = await (await api({ profile: DIALECT })).get(await sign({ aud: RESOURCE }))
    expect(answer).toMatchObject({ status: 200, body: { clientId: '' } })
    expect(answer.body).not.toHaveProperty('subject')
  })

  it.each(['rs', 'ps', 'es', 'ed'])('are verified by its key %s, published without use', async (kid) => {
    expect(await publishedKey(kid)).not.toHaveProperty('use')
    const token = await sign(COMPLETE, { typ: 'at+jwt' }, kid)
    expect((await (await api()).get(token)).status).toBe(200)
  })

  it.each<[string, Members, Members]>([
    ['typ with application/ before it', {}, { typ: 'application/at+jwt' }],
    ['typ in upper case', {}, { typ: 'AT+JWT' }],
    ['no kid', {}, { kid: null }],
    ['several audiences', { aud: ['https://other.example.com', RESOURCE] }, {}],
    ['a fraction of a second in exp', { exp: Date.now() / 1000 + 60 }, {}],
    ['claims named like members of every object', { constructor: 'x', toString: 'y' }, {}],
  ])('are accepted with %s', async (_name, claims, header) => {
    const token = await sign({ ...COMPLETE, ...claims }, { typ: 'at+jwt', ...header })
    expect((await (await api()).get(token)).status).toBe(200)
  })

  it('are accepted with scopes in a list, which the guards look at', async () => {
    const token = await sign({ ...COMPLETE, scope: ['orders:read', 'orders:write'] }, { typ: 'at+jwt' })
    expect((await (await api()).write(token)).body).toMatchObject({ scopes: ['orders:read', 'orders:write'] })
  })

  it('are looked at for scopes where the profile says, and nowhere else', async () => {
    const token = await sign({ ...COMPLETE, scope: null, scp: 'orders:write' }, { typ: 'at+jwt' })
    expect((await (await api()).write(token)).status).toBe(403)
    expect((await (await api({ profile: { scopeClaims: ['scp'] } })).write(token)).status).toBe(200)
  })

  it.each<[string, string, Members, Members]>([
    ['no exp', 'missing_claim', { exp: null }, {}],
    ['no iat', 'missing_claim', { iat: null }, {}],
    ['no sub', 'missing_claim', { sub: null }, {}],
    ['no aud', 'missing_claim', { aud: null }, {}],
    ['no client_id', 'missing_claim', { client_id: null }, {}],
    ['no jti', 'missing_claim', { jti: null }, {}],
    ['no iss', 'untrusted_issuer', { iss: null }, {}],
    ['the issuer with a slash more', 'untrusted_issuer', { iss: 'http://127.0.0.1/' }, {}],
    ['exp as a string', 'malformed_claim', { exp: '4102444800' }, {}],
    ['an audience that is an object', 'malformed_claim', { aud: { 0: RESOURCE } }, {}],
    ['an audience that only begins like ours', 'audience_mismatch', { aud: `${RESOURCE}.evil` }, {}],
    ['exp in the past', 'expired', { exp: 1 }, {}],
    ['nbf in the future', 'not_yet_valid', { nbf: 4_102_444_800 }, {}],
    ['iat in the future', 'issued_in_future', { iat: 4_102_444_800 }, {}],
    ['a binding to a key', 'dpop_required', { cnf: { jkt: 'x' } }, {}],
    ['a binding that nobody knows', 'sender_constraint_unsupported', { cnf: { kid: 'x' } }, {}],
    ['no typ', 'token_type_mismatch', {}, { typ: null }],
    ['the typ of a logout token', 'token_type_mismatch', {}, { typ: 'logout+jwt' }],
    ['a kid that is not published', 'unknown_key', {}, { kid: 'nobody' }],
    ['the kid of another key', 'unknown_key', {}, { kid: 'es' }],
  ])('are refused with %s: %s', async (_name, reason, claims, header) => {
    const token = await sign({ ...COMPLETE, ...claims }, { typ: 'at+jwt', ...header })
    expect(await (await api()).get(token)).toMatchObject({ status: 401, reason })
  })
})

describe('the introspection endpoint of oauth2-mock-server', () => {
  /** The next answer. */
  const answerWith = (body: unknown, statusCode = 200) =>
    server.tell('answerIntrospection', { body, statusCode })

  it('calls everything active, and nothing more: refused, for want of an audience', async () => {
    expect(await (await api()).get('nonsense')).toMatchObject({ status: 401, reason: 'audience_missing' })
  })

  it.each<[string, unknown]>([
    ['active as a string', { active: 'true', aud: RESOURCE }],
    ['active as a number', { active: 1, aud: RESOURCE }],
    ['active in a list', [{ active: true, aud: RESOURCE }]],
    ['no active', { aud: RESOURCE }],
    ['active false', { active: false, aud: RESOURCE }],
  ])('saying %s says inactive', async (_name, body) => {
    await answerWith(body)
    expect(await (await api()).get('token')).toMatchObject({ status: 401, reason: 'inactive' })
  })

  it.each<[string, string, Members]>([
    ['another issuer', 'issuer_mismatch', { iss: 'https://other.example.com' }],
    ['exp in the past', 'opaque_expired', { exp: 1 }],
    ['exp as a string', 'opaque_malformed_member', { exp: '4102444800' }],
    ['nbf in the future', 'opaque_not_yet_valid', { nbf: 4_102_444_800 }],
    ['a refresh token', 'opaque_token_type_mismatch', { token_type: 'refresh_token' }],
    ['an ID token', 'opaque_token_type_mismatch', { token_type: 'id_token' }],
    ['the typ of a refresh token', 'opaque_token_type_mismatch', { typ: 'Refresh' }],
    ['a binding that nobody knows', 'sender_constraint_unsupported', { cnf: { kid: 'x' } }],
  ])('active, with %s: refused, %s', async (_name, reason, members) => {
    await answerWith({ active: true, aud: RESOURCE, ...members })
    expect(await (await api()).get('token')).toMatchObject({ status: 401, reason })
  })

  it('active, with a scope that is neither string nor list, grants none', async () => {
    await answerWith({ active: true, aud: RESOURCE, scope: { 'orders:write': true } })
    expect(await (await api()).write('token')).toMatchObject({ status: 403, reason: 'insufficient_scope' })
  })

  it.each([400, 404, 429, 500, 503])('failing with %i says nothing about the token: 503', async (status) => {
    await answerWith({ error: 'failing' }, status)
    expect(await (await api()).get('token')).toMatchObject({ status: 503, challenge: null })
  })
})

describe('the address of oauth2-mock-server', () => {
  it('as its command line gives it, localhost, is another issuer than 127.0.0.1', async () => {
    const { url } = server.started
    const name = url.replace('127.0.0.1', 'localhost')
    await server.tell('rename', name)
    const [ofName, ofAddress] = [await sign({ aud: RESOURCE }), await sign({ aud: RESOURCE, iss: url })]

    const byAddress = await api({ profile: DIALECT })
    expect(await byAddress.get(ofName)).toMatchObject({ status: 401, reason: 'untrusted_issuer' })
    expect(await byAddress.get(ofAddress)).toMatchObject({ status: 503, reason: 'metadata_unusable' })
    const byName = await api({ issuer: name, profile: DIALECT })
    expect((await byName.get(ofName)).status).toBe(200)
    await server.tell('rename', url)
  })
})

async function publishedKey(kid: string): Promise<object | undefined> {
  const response = await fetch(`${server.started.url}/jwks`)
  const { keys } = (await response.json()) as { keys: { readonly kid: string }[] }
  return keys.find((key) => key.kid === kid)
}
