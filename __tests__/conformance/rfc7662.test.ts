/** RFC 7662, OAuth 2.0 Token Introspection, from the side of the one who asks. */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import supertest from 'supertest'
import { Agent } from 'undici'
import { ConfigurationError, resourceServer, type IntrospectionOptions } from '../../lib/index.js'
import {
  createSigningKey,
  createTestAuthority,
  createTestCertificate,
  createTestIssuer,
  type TestIssuer,
  type TestIssuerOptions,
} from '../../lib/testing/test-issuer.js'
import { createClock, createOpaqueApi, RESOURCE, type Clock } from '../support/opaque-api.js'
import { askTrusting } from '../support/trusting-process.js'

const INVALID_TOKEN = {
  error: 'invalid_token',
  error_description: 'The access token is unknown, expired, revoked or not meant for this API',
}
const closing: (() => Promise<unknown>)[] = []
let as: TestIssuer
let clock: Clock

async function startIssuer(options?: TestIssuerOptions): Promise<TestIssuer> {
  const issuer = await createTestIssuer(options)
  closing.push(issuer.close)
  return issuer
}

/** A guard whose connections are closed after the test. */
function api(...[of, ...more]: Parameters<typeof createOpaqueApi>) {
  const created = createOpaqueApi(of, ...more)
  closing.push(() => created.guard.close())
  return created
}

const json = (body: string) => ({ headers: { 'content-type': 'application/json' }, body })
const questions = (issuer = as) => issuer.requests.filter(({ path }) => path === 'introspection')

beforeEach(async () => {
  clock = createClock()
  as = await startIssuer()
})
afterEach(async () => {
  clock.restore()
  await Promise.all(closing.splice(0).map((close) => close()))
})

describe('RFC 7662 §2.1, the question', () => {
  it('R7662-01 is a form sent by POST, in which the token arrives byte by byte', async () => {
    const token = as.issueOpaque({ token: 'a+b/c~d.e_f-g==' })
    await api(as).get(token).expect(200)
    const [question] = questions()
    expect(question?.method).toBe('POST')
    expect(question?.headers['content-type']).toBe('application/x-www-form-urlencoded')
    expect(question?.body).toContain('token=a%2Bb%2Fc%7Ed.e_f-g%3D%3D')
    expect(new URLSearchParams(question?.body).getAll('token')).toEqual([token])
  })

  it('R7662-02 never has the token in an address, and is never sent by GET', async () => {
    const token = as.issueOpaque()
    await api(as).get(token).expect(200)
    expect(as.requests.filter(({ url }) => url.includes(token))).toEqual([])
    expect(questions().map(({ method }) => method)).toEqual(['POST'])
  })

  it.each([301, 302, 303, 307, 308])('R7662-02 does not follow a redirect %i', async (status) => {
    as.fail('introspection', { kind: 'redirect', status, location: `${as.origin}/elsewhere` })
    const { get, events } = api(as)
    await get(as.issueOpaque()).expect(503)
    expect(as.count('other')).toBe(0)
    expect(events).toMatchObject([{ reason: 'introspection_answer_unusable', found: `status ${status}` }])
  })

  it('R7662-03 hints that it is about an access token, unless told not to', async () => {
    await api(as).get(as.issueOpaque()).expect(200)
    await api(as, { tokenTypeHint: false }).get(as.issueOpaque()).expect(200)
    expect(questions().map(({ body }) => new URLSearchParams(body).get('token_type_hint'))).toEqual([
      'access_token',
      null,
    ])
  })

  it('R7662-03 is asked again without the hint where the server refuses it, and from then on without', async () => {
    as.answerIntrospection((_token, { body }) =>
      body.includes('token_type_hint')
        ? { status: 400, body: { error: 'unsupported_token_type' } }
        : { body: { active: true, aud: RESOURCE } },
    )
    const { get } = api(as)
    await get('first').expect(200)
    await get('second').expect(200)
    expect(questions().map(({ body }) => body.includes('token_type_hint'))).toEqual([true, false, false])
  })

  it('R7662-03 is sent once per token where the server has taken the hint before', async () => {
    const { get } = api(as)
    await get(as.issueOpaque()).expect(200)
    as.answerIntrospection(() => ({ status: 400, body: { error: 'unsupported_token_type' } }))
    await get('one-the-server-cannot-read').expect(503)
    expect(as.count('introspection')).toBe(2)
  })
})

describe('RFC 7662 §2.1, who asks', () => {
  const odd = { id: 'odd:id +é', secret: 'a%: secret+of 32 bytes and é more' }
  const key = createSigningKey('ES256')
  const methods: [string, Partial<IntrospectionOptions>][] = [
    ['client_secret_basic', { authMethod: 'client_secret_basic' }],
    ['client_secret_post', { authMethod: 'client_secret_post' }],
    ['client_secret_jwt', { authMethod: 'client_secret_jwt' }],
    ['private_key_jwt', { privateKey: key.privateKey }],
    ['a bearer token', { bearerToken: 'rs.own-token==' }],
    ['a function for a bearer token', { bearerToken: () => Promise.resolve('rs.own-token==') }],
  ]

  it.each(methods)('R7662-04 proves itself by %s', async (_method, given) => {
    const issuer = await startIssuer({
      clients: { [odd.id]: { secret: odd.secret, jwk: key.publicJwk, bearerToken: 'rs.own-token==' } },
    })
    const isBySecret = given.privateKey === undefined && given.bearerToken === undefined
    const introspection = { clientId: odd.id, ...(isBySecret ? { clientSecret: odd.secret } : {}), ...given }
    await api(issuer, introspection).get(issuer.issueOpaque()).expect(200)
    await api(issuer, introspection).get('unknown').expect(401, INVALID_TOKEN)
  })

  it('R7662-04 proves itself by a client certificate that the dispatcher shows', async () => {
    const authority = createTestAuthority()
    const certificate = createTestCertificate({ commonName: 'rs' })
    const issuer = await startIssuer({
      tls: createTestCertificate({ issuedBy: authority }),
      clients: { rs: { certificateThumbprint: certificate.thumbprint } },
    })
    const agentWith = (connect: object) => {
      const dispatcher = new Agent({ connect: { ca: authority.cert, ...connect } })
      closing.push(() => dispatcher.close())
      return dispatcher
    }
    const introspection = { clientId: 'rs', authMethod: 'tls_client_auth' } as const
    const token = issuer.issueOpaque()
    const { cert, key: privateKey } = certificate
    await api(issuer, introspection, { dispatcher: agentWith({ cert, key: privateKey }) })
      .get(token)
      .expect(200)
    await api(issuer, introspection, { dispatcher: agentWith({}) })
      .get(token)
      .expect(503)
    expect(questions(issuer).map(({ body }) => new URLSearchParams(body).get('client_id'))).toEqual([
      'rs',
      'rs',
    ])
  })

  it('R7662-04 proves itself by a certificate of its own, at the alias that the metadata names (RFC 8705 §5)', async () => {
    const authority = createTestAuthority()
    const certificate = createTestCertificate({ commonName: 'rs' })
    const clients = { rs: { certificateThumbprint: certificate.thumbprint } }
    const tls = createTestCertificate({ issuedBy: authority })
    const alias = await startIssuer({ tls, clients })
    const issuer = await startIssuer({
      tls,
      clients,
      metadata: { mtls_endpoint_aliases: { introspection_endpoint: alias.introspectionEndpoint } },
    })
    const token = alias.issueOpaque({ response: { iss: issuer.issuer } })
    const { cert, key: privateKey } = certificate
    const clientCertificate = { cert, key: privateKey }
    const options = {
      resource: RESOURCE,
      issuer: issuer.issuer,
      introspection: { clientId: 'rs', clientCertificate },
    }
    expect(await askTrusting(authority.cert, options, token)).toEqual({ status: 200, subject: 'alice' })
    expect([issuer.count('introspection'), alias.count('introspection')]).toEqual([0, 1])
  })

  it.each<[string, object]>([
    ['nothing', { clientId: 'rs' }],
    ['no client', { clientSecret: 's' }],
    ['two credentials', { clientId: 'rs', clientSecret: 's', bearerToken: 't' }],
    ['a TLS method without a certificate', { clientId: 'rs', authMethod: 'tls_client_auth' }],
    [
      'a method that does not use the credential',
      { clientId: 'rs', clientSecret: 's', authMethod: 'private_key_jwt' },
    ],
    ['no object', { clientId: 'rs', clientSecret: '' }],
  ])('R7662-04 is refused at start-up with %s', (_what, introspection) => {
    expect(() => api(as, {}, { introspection: introspection as IntrospectionOptions })).toThrow(
      ConfigurationError,
    )
  })
})

describe('RFC 7662 §2.2, the answer', () => {
  it.each([
    ['"true"', '{"active":"true","aud":"https://api.example.com"}'],
    ['1', '{"active":1,"aud":"https://api.example.com"}'],
    ['"active"', '{"active":"active","aud":"https://api.example.com"}'],
    ['null', '{"active":null,"aud":"https://api.example.com"}'],
    ['absent', '{"aud":"https://api.example.com"}'],
    ['in an array', '[{"active":true,"aud":"https://api.example.com"}]'],
    ['inherited', '{"__proto__":{"active":true},"aud":"https://api.example.com"}'],
    ['a bare true', 'true'],
    ['null for all', 'null'],
  ])('R7662-05 is not active with `active` %s', async (_what, body) => {
    as.answerIntrospection(() => json(body))
    await api(as).get('token').expect(401, INVALID_TOKEN)
  })

  it('R7662-05 is active with the boolean true', async () => {
    as.answerIntrospection(() => json('{"active":true,"aud":"https://api.example.com"}'))
    await api(as).get('token').expect(200)
  })

  it('R7662-06 of `active: false` shows nothing else, to nobody', async () => {
    as.answerIntrospection(() => ({ body: { active: false, sub: 'mallory', aud: RESOURCE, scope: 'write' } }))
    const { get, events, seen } = api(as)
    const response = await get('token').expect(401, INVALID_TOKEN)
    expect(seen()).toBeUndefined()
    expect(JSON.stringify([response.headers, response.text, events])).not.toMatch(/mallory|write/)
  })

  it('R7662-07 is told in the same bytes whatever is wrong with the token', async () => {
    const { get } = api(as)
    const revoked = as.issueOpaque()
    as.revoke(revoked)
    const tokens = {
      revoked,
      unknown: 'unknown',
      expired: as.issueOpaque({ expiresInSeconds: -10 }),
      early: as.issueOpaque({ response: { nbf: Math.floor(Date.now() / 1000) + 3600 } }),
      foreignAudience: as.issueOpaque({ audience: 'https://other.example' }),
      foreignIssuer: as.issueOpaque({ response: { iss: 'https://other.example' } }),
      noAudience: as.issueOpaque({ response: { aud: undefined } }),
      refreshToken: as.issueOpaque({ response: { token_type: 'refresh_token' } }),
    }
    const answers = []
    for (const token of Object.values(tokens)) {
      const { status, headers, text } = await get(token)
      answers.push(JSON.stringify([status, { ...headers, date: '' }, text]))
    }
    expect(new Set(answers).size).toBe(1)
    expect(answers[0]).toContain('invalid_token')
  })

  it('R7662-16 is for another where `iss`, `aud` or `nbf` say so', async () => {
    const now = Math.floor(Date.now() / 1000)
    const { get } = api(as)
    const statusOf = async (response: Record<string, unknown>) =>
      (await get(as.issueOpaque({ response }))).status
    expect(await statusOf({ iss: `${as.issuer}/` })).toBe(401)
    expect(await statusOf({ aud: 'https://other.example' })).toBe(401)
    expect(await statusOf({ aud: ['https://other.example'] })).toBe(401)
    expect(await statusOf({ aud: `${RESOURCE}.evil` })).toBe(401)
    expect(await statusOf({ nbf: now + 300 })).toBe(401)
    expect(await statusOf({ iss: as.issuer, aud: ['https://other.example', RESOURCE], nbf: now - 1 })).toBe(
      200,
    )
    expect(await statusOf({ iss: undefined, aud: RESOURCE, nbf: undefined })).toBe(200)
  })

  it.each([
    ['a string', 'read  write', ['read', 'write'], 200],
    ['an array', ['read', 'write'], ['read', 'write'], 200],
    ['a number', 7, [], 403],
    ['an object', { write: true }, [], 403],
    ['a mixed array', ['write', 7], [], 403],
    ['absent', undefined, [], 403],
    ['a longer word', 'rewrite write:all', ['rewrite', 'write:all'], 403],
  ])('R7662-17 has scopes where `scope` is %s', async (_what, scope, scopes, status) => {
    const token = as.issueOpaque({ response: { scope } })
    const { get } = api(as)
    expect((await get(token).expect(200)).body).toMatchObject({ scopes })
    await get(token, '/write').expect(status)
  })
})

describe('RFC 7662 §2.3, no answer', () => {
  it.each([
    ['401 with JSON', { status: 401, body: { error: 'invalid_client' } }],
    ['401, empty', { status: 401 }],
    ['403 with a page', { status: 403, headers: { 'content-type': 'text/html' }, body: '<h1>no</h1>' }],
  ])('R7662-08 %s is our own failing, told to the operator and not remembered', async (_what, answer) => {
    const token = as.issueOpaque()
    as.fail('introspection', { kind: 'status', ...answer }, { times: 1 })
    const { get, events } = api(as)
    const response = await get(token).expect(503)
    expect(response.headers['www-authenticate']).toBeUndefined()
    expect(response.body).toEqual({
      error: 'temporarily_unavailable',
      error_description: 'The access token cannot be checked at the moment',
    })
    expect(events).toMatchObject([
      { kind: 'outage', reason: 'introspection_credentials_refused', found: `status ${answer.status}` },
    ])
    await get(token).expect(200)
  })

  it.each([
    ['400', { kind: 'status', status: 400, body: { error: 'invalid_request' } }],
    ['404', { kind: 'status', status: 404 }],
    ['500', { kind: 'status', status: 500, body: { active: true } }],
    [
      '502 with a page',
      { kind: 'status', status: 502, headers: { 'content-type': 'text/html' }, body: '<p>' },
    ],
    ['a page', { kind: 'body', contentType: 'text/html', body: '{"active":true}' }],
    ['no content type', { kind: 'status', status: 200, body: '{"active":true}' }],
    ['no JSON', { kind: 'body', body: 'active=true' }],
    ['half an answer', { kind: 'truncate' }],
    ['too long an answer', { kind: 'oversize', bytes: 1_000_000 }],
    ['no answer', { kind: 'reset' }],
  ] as const)('R7662-09 %s is an outage', async (_what, fault) => {
    as.fail('introspection', fault)
    const response = await api(as).get(as.issueOpaque()).expect(503)
    expect(response.headers['retry-after']).toMatch(/^\d+$/)
  })

  it('R7662-09 silence is an outage when the deadline is over', async () => {
    as.fail('introspection', { kind: 'hang' })
    const { get, events } = api(as, { timeoutMs: 60 })
    await get(as.issueOpaque()).expect(503)
    expect(events).toMatchObject([{ reason: 'introspection_unavailable' }])
  })

  it('R7662-09 the `Retry-After` of a 429 is passed on', async () => {
    as.fail('introspection', { kind: 'status', status: 429, headers: { 'retry-after': '17' } })
    await api(as).get(as.issueOpaque()).expect(503).expect('Retry-After', '17')
  })
})

describe('RFC 7662 §4, what is remembered', () => {
  it('R7662-10 is over at the end of the policy, and asked anew', async () => {
    const token = as.issueOpaque()
    const { get } = api(as, { cacheTtlSeconds: 30 })
    await get(token).expect(200)
    clock.advance(29)
    expect((await get(token).expect(200)).body).toMatchObject({ source: 'cache' })
    expect(as.count('introspection')).toBe(1)
    clock.advance(2)
    expect((await get(token).expect(200)).body).toMatchObject({ source: 'introspection' })
    as.revoke(token)
    clock.advance(31)
    await get(token).expect(401)
  })

  it('R7662-10 is over at `exp`, also while the server is down', async () => {
    const { get } = api(as, { cacheTtlSeconds: 3600, staleIfErrorSeconds: 3600 })
    const token = as.issueOpaque({ expiresInSeconds: 60 })
    await get(token).expect(200)
    clock.advance(58)
    await get(token).expect(200)
    expect(as.count('introspection')).toBe(1)
    clock.advance(3)
    await get(token).expect(401, INVALID_TOKEN)
    const another = as.issueOpaque({ expiresInSeconds: 60 })
    await get(another).expect(200)
    await as.goDown()
    clock.advance(61)
    await get(another).expect(503)
  })

  it('R7662-11 is over at the end of the policy where there is no `exp`', async () => {
    const token = as.issueOpaque({ response: { exp: undefined } })
    const { get, seen } = api(as, { cacheTtlSeconds: 30 })
    await get(token).expect(200)
    expect(seen()).not.toHaveProperty('expiresAt')
    as.revoke(token)
    clock.advance(31)
    await get(token).expect(401)
  })

  it.each([
    ['2^63-1', 2 ** 63 - 1, 8.64e12],
    ['a fraction', 4102444800.5, 4102444800.5],
  ])('R7662-11 copes with an `exp` of %s', async (_what, exp, expiresAt) => {
    const token = as.issueOpaque({ response: { exp } })
    const { get, seen } = api(as)
    await get(token).expect(200)
    await get(token).expect(200)
    expect(as.count('introspection')).toBe(1)
    expect(seen().expiresAt).toBe(expiresAt)
    clock.advance(31)
    await get(token).expect(200)
    expect(as.count('introspection')).toBe(2)
  })

  it('R7662-11 an `exp` that is over makes an active token inactive', async () => {
    await api(as)
      .get(as.issueOpaque({ expiresInSeconds: 0 }))
      .expect(401, INVALID_TOKEN)
  })

  it('R7662-12 is one server’s word: the same string at two servers is two tokens', async () => {
    const other = await startIssuer()
    const token = as.issueOpaque({ token: 'one-string' })
    const first = api(as)
    const second = api(other)
    await first.get(token).expect(200)
    await second.get(token).expect(401)
    expect([as.count('introspection'), other.count('introspection')]).toEqual([1, 1])
  })

  it('R7662-12 is one client’s word: another client of the same server asks for itself', async () => {
    const issuer = await startIssuer({ clients: { rs: 'rs-secret', other: 'other-secret' } })
    const token = issuer.issueOpaque()
    issuer.answerIntrospection((_token, { headers }) => {
      const asker = Buffer.from(headers.authorization?.slice(6) ?? '', 'base64').toString()
      return { body: { active: asker.startsWith('rs:'), aud: RESOURCE } }
    })
    await api(issuer).get(token).expect(200)
    await api(issuer, { clientId: 'other', clientSecret: 'other-secret' }).get(token).expect(401)
    expect(issuer.count('introspection')).toBe(2)
  })

  it('R7662-13 is what the token is, not what it may do', async () => {
    const token = as.issueOpaque({ scope: 'read' })
    const { get } = api(as)
    await get(token).expect(200)
    const response = await get(token, '/write').expect(403)
    expect(response.headers['www-authenticate']).toContain('error="insufficient_scope"')
    expect(as.count('introspection')).toBe(1)
  })

  it('R7662-14 is shorter for a no', async () => {
    const { get } = api(as, { negativeCacheTtlSeconds: 5 })
    await get('later').expect(401)
    as.issueOpaque({ token: 'later' })
    clock.advance(4)
    await get('later').expect(401)
    expect(as.count('introspection')).toBe(1)
    clock.advance(2)
    await get('later').expect(200)
  })

  it('R7662-14 is asked once for twenty who ask together', async () => {
    const { app } = api(as)
    const token = as.issueOpaque()
    const server = app.listen(0, '127.0.0.1')
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    const requests = Array.from({ length: 20 }, () =>
      supertest(server).get('/').set('Authorization', `Bearer ${token}`).expect(200),
    )
    await Promise.all(requests)
    expect(as.count('introspection')).toBe(1)
  })

  it('R7662-14 is never a failure', async () => {
    const token = as.issueOpaque()
    as.fail('introspection', { kind: 'status', status: 500 }, { times: 1 })
    const { get } = api(as)
    await get(token).expect(503)
    await get(token).expect(200)
  })
})

describe('RFC 7662 §4, the connection', () => {
  it('R7662-15 is not made in the clear, unless on this machine', () => {
    const endpoint = 'http://login.example.com/introspect'
    const options = { resource: RESOURCE, issuer: 'https://login.example.com' }
    const introspection = { endpoint, clientId: 'rs', clientSecret: 's' }
    expect(() => resourceServer({ ...options, introspection })).toThrow(
      /introspection\.endpoint must be an https/,
    )
    expect(() => resourceServer({ ...options, introspection, allowInsecureHttp: true })).not.toThrow()
    const local = { ...introspection, endpoint: 'http://127.0.0.1:1/introspect' }
    expect(() => resourceServer({ ...options, introspection: local })).not.toThrow()
  })

  const authority = createTestAuthority()
  const introspection = { clientId: 'rs', clientSecret: 'rs-secret' }
  const optionsFor = (issuer: string) => ({ resource: RESOURCE, issuer, introspection })

  it('R7662-15 trusts a certificate of a trusted authority, for the right host', async () => {
    const issuer = await startIssuer({ tls: createTestCertificate({ issuedBy: authority }) })
    const token = issuer.issueOpaque()
    expect(await askTrusting(authority.cert, optionsFor(issuer.issuer), token)).toMatchObject({ status: 200 })
  })

  it.each([
    ['an unknown authority', createTestCertificate(), /DEPTH_ZERO_SELF_SIGNED_CERT/],
    [
      'another host',
      createTestCertificate({ issuedBy: authority, names: ['other.example'] }),
      /ERR_TLS_CERT_ALTNAME_INVALID/,
    ],
    ['the past', createTestCertificate({ issuedBy: authority, expiresInSeconds: -60 }), /CERT_HAS_EXPIRED/],
  ])('R7662-15 trusts no certificate of %s', async (_what, tls, found) => {
    const issuer = await startIssuer({ tls })
    const outcome = await askTrusting(authority.cert, optionsFor(issuer.issuer), issuer.issueOpaque())
    expect(outcome).toMatchObject({ status: 503, reason: 'metadata_unavailable' })
    expect(outcome.found).toMatch(found)
    expect(issuer.count()).toBe(0)
  })

  it('R7662-15 trusts no unknown certificate on the word of an environment variable', async () => {
    const issuer = await startIssuer({ tls: createTestCertificate() })
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      await api(issuer).get(issuer.issueOpaque()).expect(503)
      expect(issuer.count()).toBe(0)
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before
    }
  })

  it('R7662-15 is not made with TLS 1.1', async () => {
    const { cert, key } = createTestCertificate({ issuedBy: authority })
    const server = createServer({
      cert,
      key,
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    const issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    const outcome = await askTrusting(authority.cert, optionsFor(issuer), 'token')
    expect(outcome).toMatchObject({
      status: 503,
      found: expect.stringMatching(/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/),
    })
  })
})
