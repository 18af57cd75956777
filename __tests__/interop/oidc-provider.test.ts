/** Against oidc-provider, the authorization server of the demo: every kind of token it issues. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { requestToken, revokeToken } from '../../examples/demo/tokens.mjs'
import type { IntrospectionOptions } from '../../lib/index.js'
import { RESOURCE, startApi, type Api } from '../support/api.js'
import { startAuthorizationServer, type AuthorizationServerProcess } from './authorization-server.js'
import { signIn, type UserTokens } from './code-flow.js'

const OPAQUE = `${RESOURCE}?format=opaque`
const RS = { clientId: 'rs', clientSecret: 'rs-secret' }

let authorizationServer: AuthorizationServerProcess
const apis: Api[] = []

/** An API that trusts the server, closed after the test. */
async function api(options: Partial<Parameters<typeof startApi>[0]> = {}): Promise<Api> {
  const started = await startApi({ issuer: authorizationServer.issuer, introspection: RS, ...options })
  apis.push(started)
  return started
}

const token = (resource?: string, scope?: string) =>
  requestToken(authorizationServer.issuer, { resource, ...(scope === undefined ? {} : { scope }) })

/** The API looks at this clock; the authorization server has its own. */
function later(seconds: number): void {
  const now = Date.now()
  jest.spyOn(Date, 'now').mockReturnValue(now + seconds * 1000)
}

beforeAll(async () => {
  authorizationServer = await startAuthorizationServer()
})
afterAll(() => authorizationServer.close())
afterEach(async () => {
  jest.restoreAllMocks()
  for (const started of apis.splice(0)) await started.close()
})

describe('JWT access tokens of oidc-provider', () => {
  it.each(['RS256', 'RS512', 'PS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'])(
    'signed with %s are accepted',
    async (alg) => {
      const answer = await (await api()).get(await token(`${RESOURCE}?alg=${alg}`))
      expect(answer).toMatchObject({
        status: 200,
        body: {
          format: 'jwt',
          source: 'verification',
          subject: 'svc',
          clientId: 'svc',
          audience: [RESOURCE],
        },
      })
    },
  )

  it('carry the scopes that the guards look at', async () => {
    const orders = await api()
    expect((await orders.write(await token(RESOURCE, 'orders:read orders:write'))).status).toBe(200)
    expect(await orders.write(await token(RESOURCE, 'orders:read'))).toMatchObject({
      status: 403,
      reason: 'insufficient_scope',
      challenge: expect.stringContaining('scope="orders:write"'),
    })
  })

  it('for another API are refused', async () => {
    expect(await (await api()).get(await token('https://other.example.com'))).toMatchObject({
      status: 401,
      reason: 'audience_mismatch',
    })
  })

  it('are refused once expired, although known', async () => {
    const orders = await api()
    const known = await token(RESOURCE)
    expect((await orders.get(known)).status).toBe(200)
    later(3631)
    expect(await orders.get(known)).toMatchObject({ status: 401, reason: 'expired' })
  })

  it('are accepted with all their claims', async () => {
    const { body } = await (await api()).get(await token(RESOURCE))
    expect(Object.keys(body['claims'] as object).sort()).toEqual(
      ['aud', 'client_id', 'exp', 'iat', 'iss', 'jti', 'scope', 'sub'].sort(),
    )
  })
})

describe('opaque access tokens of oidc-provider', () => {
  it('are introspected, then known', async () => {
    const orders = await api()
    const opaque = await token(OPAQUE)
    expect((await orders.get(opaque)).body).toMatchObject({ format: 'opaque', source: 'introspection' })
    expect((await orders.get(opaque)).body).toMatchObject({ format: 'opaque', source: 'cache' })
  })

  it('name no subject where a client acts for itself', async () => {
    const { body } = await (await api()).get(await token(OPAQUE))
    expect(body).toMatchObject({ clientId: 'svc', audience: [RESOURCE], scopes: ['orders:read'] })
    expect(body).not.toHaveProperty('subject')
  })

  it('carry the scopes that the guards look at', async () => {
    const orders = await api()
    expect((await orders.write(await token(OPAQUE, 'orders:read orders:write'))).status).toBe(200)
    expect((await orders.write(await token(OPAQUE))).status).toBe(403)
  })

  it('for another API are refused although active', async () => {
    expect(await (await api()).get(await token('https://other.example.com?format=opaque'))).toMatchObject({
      status: 401,
      reason: 'opaque_audience_mismatch',
    })
  })

  it('issued without a resource name no audience: refused, unless that is allowed', async () => {
    const { access_token: nobodys } = await signIn(authorizationServer.issuer)
    expect(await (await api()).get(nobodys)).toMatchObject({ status: 401, reason: 'audience_missing' })
    const lenient = await api({ introspection: { ...RS, allowMissingAudience: true } })
    expect(await lenient.get(nobodys)).toMatchObject({
      status: 200,
      body: { subject: 'alice', audience: [] },
    })
  })

  it('are refused once revoked, at the latest after cacheTtlSeconds', async () => {
    const orders = await api()
    const revoked = await token(OPAQUE)
    await orders.get(revoked)
    await revokeToken(authorizationServer.issuer, revoked)
    expect((await orders.get(revoked)).body).toMatchObject({ source: 'cache' })
    later(30.001)
    expect(await orders.get(revoked)).toMatchObject({ status: 401, reason: 'inactive' })
  })

  it('are refused at once when revoked, with cacheTtlSeconds: 0', async () => {
    const orders = await api({ introspection: { ...RS, cacheTtlSeconds: 0 } })
    const revoked = await token(OPAQUE)
    expect((await orders.get(revoked)).status).toBe(200)
    await revokeToken(authorizationServer.issuer, revoked)
    expect(await orders.get(revoked)).toMatchObject({ status: 401, reason: 'inactive' })
  })

  it('are refused once expired, although a longer belief in the answer is allowed', async () => {
    const orders = await api({ introspection: { ...RS, cacheTtlSeconds: 3600 } })
    const short = await token(`${OPAQUE}&seconds=60`)
    expect((await orders.get(short)).status).toBe(200)
    later(61)
    // the server, whose clock is behind, still calls it active
    expect(await orders.get(short)).toMatchObject({ status: 401, reason: 'opaque_expired' })
  })

  it('that were never issued are refused', async () => {
    expect(await (await api()).get('made-up')).toMatchObject({ status: 401, reason: 'inactive' })
  })
})

describe('tokens of oidc-provider in other places than the header', () => {
  it.each([
    ['JWT', RESOURCE],
    ['opaque', OPAQUE],
  ])('are accepted in a form, where that is allowed, and hidden from handlers: %s', async (_name, wished) => {
    const form = new URLSearchParams({ access_token: await token(wished), item: 'tea' })
    const request = { method: 'POST', body: form }
    expect((await (await api()).send('/seen', request)).status).toBe(401)
    expect(await (await api({ tokenFrom: 'form' })).send('/seen', request)).toMatchObject({
      status: 200,
      body: { body: { item: 'tea' } },
    })
  })

  it('are accepted in the query, where that is allowed, and hidden from handlers', async () => {
    const path = `/seen?access_token=${await token(OPAQUE)}&item=tea`
    expect((await (await api()).send(path)).status).toBe(401)
    expect(await (await api({ tokenFrom: 'query' })).send(path)).toMatchObject({
      status: 200,
      body: { originalUrl: '/seen?item=tea' },
    })
  })

  it('are refused if they come twice', async () => {
    const accessToken = await token(RESOURCE)
    const orders = await api({ tokenFrom: ['form', 'query'] })
    const headers = { authorization: `Bearer ${accessToken}` }
    expect(await orders.send(`/seen?access_token=${accessToken}`, { headers })).toMatchObject({
      status: 400,
      reason: 'multiple_tokens',
    })
  })

  it('are accepted in a cookie, where the application says how to read it', async () => {
    const readCookie = ({ headers }: { headers: { cookie?: unknown } }) =>
      /token=([^;]+)/.exec(String(headers.cookie))?.[1]
    const orders = await api({ tokenFrom: readCookie })
    const answer = await orders.send('/', { headers: { cookie: `token=${await token(RESOURCE)}` } })
    expect(answer).toMatchObject({ status: 200, body: { subject: 'svc' } })
  })
})

describe('without Express', () => {
  it('loads keys ahead of traffic, tells its health, and decides about what has headers', async () => {
    const { middleware } = await api()
    await middleware.ready()
    expect(middleware.health()).toMatchObject({
      resource: RESOURCE,
      issuers: [{ issuer: authorizationServer.issuer, introspection: { circuit: 'closed' } }],
    })
    const authorization = `Bearer ${await token(RESOURCE)}`
    expect(await middleware.authenticate({ headers: { authorization } })).toMatchObject({ subject: 'svc' })
    await expect(middleware.authenticate({ headers: {} })).rejects.toMatchObject({ reason: 'missing_token' })
  })
})

describe('the API as a client of oidc-provider', () => {
  const ways: readonly [string, () => IntrospectionOptions][] = [
    ['client_secret_basic', () => RS],
    [
      'client_secret_basic with an odd id and secret',
      () => ({ clientId: 'rs:odd id', clientSecret: 'p%40ss:w+rd/=&' }),
    ],
    [
      'client_secret_post',
      () => ({ clientId: 'rs-post', clientSecret: 'rs-post-secret', authMethod: 'client_secret_post' }),
    ],
    ['private_key_jwt', () => ({ clientId: 'rs-jwt', privateKey: authorizationServer.clientKey })],
  ]

  it.each(ways)('proves itself by %s', async (_name, credentials) => {
    const answer = await (await api({ introspection: credentials() })).get(await token(OPAQUE))
    expect(answer).toMatchObject({ status: 200, body: { source: 'introspection' } })
  })

  it('whose secret is wrong answers 503: that says nothing about the token', async () => {
    const orders = await api({ introspection: { ...RS, clientSecret: 'wrong' } })
    expect(await orders.get(await token(OPAQUE))).toMatchObject({
      status: 503,
      reason: 'introspection_credentials_refused',
      challenge: null,
    })
  })

  it('that may not introspect is told nothing but inactive', async () => {
    const orders = await api({ introspection: { clientId: 'svc', clientSecret: 'svc-secret' } })
    expect(await orders.get(await token(OPAQUE))).toMatchObject({ status: 401, reason: 'inactive' })
  })
})

describe('what oidc-provider issues beside access tokens', () => {
  let user: UserTokens
  beforeAll(async () => {
    user = await signIn(authorizationServer.issuer, RESOURCE)
  })

  it('the access token of a user is accepted', async () => {
    expect(await (await api()).get(user.access_token)).toMatchObject({
      status: 200,
      body: { subject: 'alice', clientId: 'spa', scopes: ['orders:read'] },
    })
  })

  it('its ID token, which has no typ, is refused', async () => {
    expect(await (await api()).get(user.id_token)).toMatchObject({
      status: 401,
      reason: 'token_type_mismatch',
    })
  })

  it('its ID token is refused even where a profile does without typ and the client is the audience', async () => {
    const dialect = { types: ['', 'jwt', 'at+jwt'], requiredClaims: ['iss', 'exp', 'aud', 'sub'] }
    const lax = await api({ profile: dialect, audience: 'spa' })
    expect(await lax.get(user.id_token)).toMatchObject({ status: 401, reason: 'token_type_mismatch' })
  })

  it('its refresh token is refused: it introspects as active, but names no audience', async () => {
    expect(await (await api()).get(user.refresh_token)).toMatchObject({
      status: 401,
      reason: 'audience_missing',
    })
  })

  it('its refresh token is taken with allowMissingAudience, as the danger of that option says', async () => {
    const lenient = await api({ introspection: { ...RS, allowMissingAudience: true } })
    expect((await lenient.get(user.refresh_token)).status).toBe(200)
  })

  it('a JWT, with jwt: false, cannot be introspected there (400): 503, and the endpoint stays trusted', async () => {
    const introspecting = await api({ jwt: false })
    for (let times = 0; times < 12; times += 1) {
      expect(await introspecting.get(user.access_token)).toMatchObject({
        status: 503,
        reason: 'introspection_answer_unusable',
      })
    }
    expect((await introspecting.get(await token(OPAQUE))).status).toBe(200)
  })
})

describe('when oidc-provider takes new keys', () => {
  let rotating: AuthorizationServerProcess
  let orders: Api
  const jwt = () => requestToken(rotating.issuer, { resource: RESOURCE })

  beforeEach(async () => {
    rotating = await startAuthorizationServer()
    orders = await api({ issuer: rotating.issuer })
  })
  afterEach(() => rotating.close())

  it('tokens signed with them are accepted at once', async () => {
    await orders.get(await jwt())
    await rotating.rotateKeys()
    expect((await orders.get(await jwt())).status).toBe(200)
  })

  it('tokens signed with the former ones stay good while these are published', async () => {
    const former = await jwt()
    await orders.get(former)
    await rotating.rotateKeys({ keep: true })
    await orders.get(await jwt())
    expect(await orders.get(former)).toMatchObject({ status: 200, body: { source: 'cache' } })
  })

  it('tokens signed with withdrawn ones are refused, known or not', async () => {
    const [known, unseen] = [await jwt(), await jwt()]
    expect((await orders.get(known)).status).toBe(200)
    await rotating.rotateKeys()
    await orders.get(await jwt())
    later(11) // the cooldown of look-ups is over
    expect(await orders.get(known)).toMatchObject({ status: 401, reason: 'unknown_key' })
    expect(await orders.get(unseen)).toMatchObject({ status: 401, reason: 'unknown_key' })
  })
})

describe('when oidc-provider is down', () => {
  let failing: AuthorizationServerProcess
  let orders: Api
  const issue = (resource: string) => requestToken(failing.issuer, { resource })

  beforeEach(async () => {
    failing = await startAuthorizationServer()
    orders = await api({ issuer: failing.issuer })
  })
  afterEach(() => failing.close())

  it('known tokens are good, JWTs never seen too, opaque ones never seen are not called bad', async () => {
    const [jwt, opaque] = [await issue(RESOURCE), await issue(OPAQUE)]
    const [unseenJwt, unseenOpaque] = [await issue(RESOURCE), await issue(OPAQUE)]
    await orders.get(jwt)
    await orders.get(opaque)
    await failing.stop()

    expect((await orders.get(jwt)).status).toBe(200)
    expect((await orders.get(unseenJwt)).status).toBe(200)
    expect((await orders.get(opaque)).status).toBe(200)
    expect(await orders.get(unseenOpaque)).toMatchObject({
      status: 503,
      reason: 'introspection_unavailable',
      retryAfter: '1',
      challenge: null,
    })

    await failing.start()
    expect((await orders.get(unseenOpaque)).status).toBe(200)
  })

  it('from the start, nothing can be checked, and nothing is remembered of it when it is back', async () => {
    const [jwt, opaque] = [await issue(RESOURCE), await issue(OPAQUE)]
    await failing.stop()
    expect(await orders.get(jwt)).toMatchObject({ status: 503, challenge: null })
    expect(await orders.get(opaque)).toMatchObject({ status: 503, challenge: null })

    await failing.start()
    later(30)
    expect((await orders.get(jwt)).status).toBe(200)
    expect((await orders.get(opaque)).status).toBe(200)
  })
})

describe('an issuer with a path', () => {
  it('is discovered by the OpenID Connect document below the path, where RFC 8414 has none', async () => {
    const tenant = await startAuthorizationServer({ path: '/tenant1' })
    const orders = await api({ issuer: tenant.issuer })
    const [jwt, opaque] = await Promise.all(
      [RESOURCE, OPAQUE].map((resource) => requestToken(tenant.issuer, { resource })),
    )
    expect(tenant.issuer).toMatch(/\/tenant1$/)
    expect(await orders.get(jwt)).toMatchObject({ status: 200, body: { issuer: tenant.issuer } })
    expect((await orders.get(opaque)).status).toBe(200)
    const user = await signIn(tenant.issuer, RESOURCE)
    expect((await orders.get(user.access_token)).status).toBe(200)
    await tenant.close()
  })
})
