/** Tokens as each named server writes them (sources: the head of its profile), and those it must not be mixed up with. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { resourceServer, type AccessToken, type ProfileName } from '../../../lib/index.js'
import { guessProfile, PROFILES } from '../../../lib/core/issuer/profiles.js'
import { createTestIssuer, type TestIssuer } from '../../../lib/testing/test-issuer.js'

const API = 'https://api.example.com'
const now = () => Math.floor(Date.now() / 1000)

type Json = Readonly<Record<string, unknown>>

interface Dialect {
  readonly profile: ProfileName
  /** What the server writes into the JOSE header beside `alg` and `kid`. */
  readonly header: Json
  readonly claims: Json
  readonly audience?: string
  readonly accepted: Partial<AccessToken>
  /** Tokens of other kinds that the same server signs with the same key. */
  readonly others: Readonly<Record<string, { readonly header: Json; readonly claims: Json }>>
}

const JWT = { typ: 'JWT' }

const DIALECTS: readonly Dialect[] = [
  {
    profile: 'rfc9068',
    header: { typ: 'at+jwt' },
    claims: {
      aud: API,
      sub: '5ba552d67',
      client_id: 's6BhdRkqt3',
      jti: 'dbe39bf3a3ba4238a513f51d6e1691c4',
      scope: 'openid reademail',
      roles: ['auditor'],
      entitlements: ['export'],
    },
    accepted: {
      subject: '5ba552d67',
      clientId: 's6BhdRkqt3',
      scopes: ['openid', 'reademail'],
      roles: ['auditor'],
      permissions: ['export'],
    },
    others: { 'an ID token': { header: JWT, claims: { aud: API, sub: '5ba552d67', nonce: 'n-0S6' } } },
  },
  {
    profile: 'keycloak',
    header: JWT,
    claims: {
      jti: 'onrtac:d58f5dc8-fd8f-462b-8a19-716f8f83985b',
      aud: ['orders-api', 'account'],
      sub: '36fa0f91-f94d-4a0c-afed-6b7d952e47da',
      typ: 'Bearer',
      azp: 'demo-app',
      sid: '2a88c258-f73a-4103-b862-e1fbd8f4e04e',
      acr: '1',
      'allowed-origins': ['http://localhost:5173'],
      realm_access: { roles: ['offline_access', 'default-roles-demo'] },
      resource_access: {
        'orders-api': { roles: ['orders-admin'] },
        account: { roles: ['manage-account', 'view-profile'] },
      },
      scope: 'email profile',
      preferred_username: 'alice',
    },
    audience: 'orders-api',
    accepted: {
      subject: '36fa0f91-f94d-4a0c-afed-6b7d952e47da',
      clientId: 'demo-app',
      scopes: ['email', 'profile'],
      roles: ['offline_access', 'default-roles-demo', 'orders-admin'],
    },
    others: {
      'an ID token': {
        header: JWT,
        claims: { typ: 'ID', aud: 'orders-api', at_hash: 'x', azp: 'orders-api' },
      },
      'a refresh token': { header: JWT, claims: { typ: 'Refresh', aud: 'orders-api', azp: 'orders-api' } },
      'an offline token': { header: JWT, claims: { typ: 'Offline', aud: 'orders-api', azp: 'orders-api' } },
      'a logout token': { header: JWT, claims: { typ: 'Logout', aud: 'orders-api' } },
    },
  },
  {
    profile: 'auth0',
    header: JWT,
    claims: {
      sub: 'auth0|123456',
      aud: [API, 'https://my-domain.auth0.com/userinfo'],
      azp: 'my_client_id',
      scope: 'openid profile read:patients',
      permissions: ['read:patients'],
    },
    accepted: {
      subject: 'auth0|123456',
      clientId: 'my_client_id',
      scopes: ['openid', 'profile', 'read:patients'],
      permissions: ['read:patients'],
    },
    others: {
      'an ID token for a client named like the API': {
        header: JWT,
        claims: { aud: API, sub: 'auth0|123456', name: 'Jane' },
      },
      'an ID token with a nonce': {
        header: JWT,
        claims: { aud: API, sub: 'auth0|123456', azp: API, nonce: 'x' },
      },
    },
  },
  {
    profile: 'okta',
    header: {},
    claims: {
      ver: 1,
      jti: 'AT.MNAoEQ_jbKqoinrQo1D0XKjMX28U5d7ZszBceot7-Ts',
      aud: API,
      sub: 'alice@example.com',
      cid: '0oabcdefghijklmnop4',
      uid: '00uabcdefghijklmnop4',
      scp: ['openid', 'orders:read'],
      groups: ['Everyone', 'orders-admins'],
    },
    accepted: {
      subject: 'alice@example.com',
      clientId: '0oabcdefghijklmnop4',
      scopes: ['openid', 'orders:read'],
      roles: ['Everyone', 'orders-admins'],
    },
    others: {
      'an ID token': {
        header: {},
        claims: {
          ver: 1,
          jti: 'ID.rad',
          aud: API,
          sub: '00u',
          amr: ['pwd'],
          idp: '00o',
          at_hash: 'fPlsvVszI29L',
        },
      },
    },
  },
  {
    profile: 'entra',
    header: { ...JWT, x5t: 'i6lGk3FZzxRcUb2C3nEQ7syHJlY' },
    claims: {
      aud: API,
      nbf: 1_537_231_048,
      azp: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
      azpacr: '0',
      name: 'Abe Lincoln',
      oid: '690222be-ff1a-4d56-abd1-7e4f7d38e474',
      scp: 'access_as_user orders.read',
      roles: ['Orders.Admin'],
      sub: 'HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ',
      tid: '72f988bf-86f1-41af-91ab-2d7cd011db47',
      uti: 'fqiBqXLPj0eQa82S-IYFAA',
      ver: '2.0',
    },
    accepted: {
      subject: 'HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ',
      clientId: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
      scopes: ['access_as_user', 'orders.read'],
      roles: ['Orders.Admin'],
    },
    others: {
      'an ID token': { header: JWT, claims: { aud: API, sub: 'x', roles: ['Orders.Admin'], ver: '2.0' } },
    },
  },
  {
    profile: 'cognito',
    header: {},
    claims: {
      sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      'cognito:groups': ['testgroup'],
      version: 2,
      client_id: 'xxxxxxxxxxxxexample',
      origin_jti: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      event_id: '64f513be-32db-42b0-b78e-b02127b4f463',
      token_use: 'access',
      scope: 'phone openid profile email',
      auth_time: 1_676_312_777,
      jti: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      username: 'my-test-user',
    },
    audience: 'xxxxxxxxxxxxexample',
    accepted: {
      subject: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      clientId: 'xxxxxxxxxxxxexample',
      audience: ['xxxxxxxxxxxxexample'],
      scopes: ['phone', 'openid', 'profile', 'email'],
      roles: ['testgroup'],
    },
    others: {
      'an ID token': {
        header: {},
        claims: {
          sub: 'a',
          aud: 'xxxxxxxxxxxxexample',
          client_id: 'xxxxxxxxxxxxexample',
          token_use: 'id',
          jti: 'a',
        },
      },
      'a token without token_use': {
        header: {},
        claims: { sub: 'a', client_id: 'xxxxxxxxxxxxexample', jti: 'a' },
      },
    },
  },
  {
    profile: 'wso2',
    header: { typ: 'at+jwt', x5t: 'ZjcwNmI2ZDJmNWQ0M2I5Yzc' },
    claims: {
      sub: 'a6e4bcf4-5a5b-4d6f-9f0c-6f1a1f8e1d9b',
      aut: 'APPLICATION_USER',
      binding_type: 'sso-session',
      binding_ref: '4a9e6a2f2d8a4c6e9b5c2d1f3e4a5b6c',
      azp: '7YQ1QaLh',
      client_id: '7YQ1QaLh',
      aud: ['7YQ1QaLh', API],
      scope: ['openid', 'orders_read'],
      org_id: '10084a8d-113f-4211-a0d5-efe36b082211',
      jti: 'b2f6f4d5-0d6c-4c7a-8b5a-0c9a3d5a1e2f',
      groups: ['orders-admins'],
    },
    accepted: {
      subject: 'a6e4bcf4-5a5b-4d6f-9f0c-6f1a1f8e1d9b',
      clientId: '7YQ1QaLh',
      scopes: ['openid', 'orders_read'],
      roles: ['orders-admins'],
    },
    others: {
      'an ID token': {
        header: JWT,
        claims: { sub: 'a', aud: [API], azp: '7YQ1QaLh', at_hash: 'x', jti: 'b' },
      },
      'a refresh token': {
        header: { typ: 'rt+jwt' },
        claims: { sub: 'a', aud: [API], client_id: 'c', jti: 'b' },
      },
      'a subject token': {
        header: { typ: 'jwt' },
        claims: { sub: 'a', aud: [API], client_id: 'c', jti: 'b', may_act: {} },
      },
    },
  },
  {
    profile: 'ory-hydra',
    header: JWT,
    claims: {
      aud: [API],
      client_id: 'fe9c0b8e-5c60-4f9f-9b4f-7a6a1a2a0a3b',
      ext: { roles: ['editor'] },
      jti: '7c6a3b2e-0a1e-4b2f-8a3e-2f0c9b1d4e5f',
      nbf: 1_684_936_800,
      scp: ['orders:read', 'offline'],
      sub: 'alice',
    },
    accepted: {
      subject: 'alice',
      clientId: 'fe9c0b8e-5c60-4f9f-9b4f-7a6a1a2a0a3b',
      scopes: ['orders:read', 'offline'],
      roles: ['editor'],
    },
    others: {
      'an ID token': {
        header: JWT,
        claims: { aud: [API], sub: 'alice', jti: 'x', rat: 1, sid: 's', at_hash: 'y' },
      },
      'an ID token without hashes': {
        header: JWT,
        claims: { aud: [API], sub: 'alice', jti: 'x', rat: 1, sid: 's', auth_time: 1 },
      },
    },
  },
  {
    profile: 'duende',
    header: { typ: 'at+jwt' },
    claims: {
      nbf: 1_609_932_801,
      aud: ['urn:resource1', API],
      scope: ['openid', 'resource1.scope1', 'offline_access'],
      amr: ['pwd'],
      client_id: 'web_app',
      role: 'editor',
      jti: '2C56A356A306E64AFC7D2C6399E23A17',
    },
    accepted: {
      clientId: 'web_app',
      scopes: ['openid', 'resource1.scope1', 'offline_access'],
      roles: ['editor'],
    },
    others: {
      'an ID token': {
        header: JWT,
        claims: { aud: API, amr: ['pwd'], nonce: '637455', at_hash: 'x', sub: '1' },
      },
      'a logout token': { header: { typ: 'logout+jwt' }, claims: { aud: API, sub: '1', client_id: 'a' } },
    },
  },
  {
    profile: 'authentik',
    header: JWT,
    claims: {
      sub: '2f2b8e6d4c8a4b0f9b1f6a7e3d2c1b0a',
      aud: 'zJ0ZpG9rQy',
      acr: 'goauthentik.io/providers/oauth2/default',
      auth_time: 1_700_000_000,
      nonce: 'set-by-the-client',
      sid: 'c2e5',
      email: 'alice@example.com',
      groups: ['authentik Admins', 'editors'],
      azp: 'zJ0ZpG9rQy',
      uid: '5jQn7x',
      scope: 'openid profile',
    },
    audience: 'zJ0ZpG9rQy',
    accepted: {
      subject: '2f2b8e6d4c8a4b0f9b1f6a7e3d2c1b0a',
      clientId: 'zJ0ZpG9rQy',
      scopes: ['openid', 'profile'],
      roles: ['authentik Admins', 'editors'],
    },
    others: {
      'an ID token': { header: JWT, claims: { sub: '2f', aud: 'zJ0ZpG9rQy', nonce: 'x', sid: 'c2e5' } },
      'an ID token with a hash of the access token': {
        header: JWT,
        claims: { sub: '2f', aud: 'zJ0ZpG9rQy', azp: 'z', uid: 'u', at_hash: 'x' },
      },
    },
  },
]

let as: TestIssuer

beforeAll(async () => {
  as = await createTestIssuer({ algorithms: ['RS256'] })
})

afterAll(() => as.close())

function sign(header: Json, claims: Json): string {
  const { kid } = as.keys.RS256
  const times = { iss: as.issuer, iat: now(), exp: now() + 300 }
  return as.signParts(
    JSON.stringify({ alg: 'RS256', kid, ...header }),
    JSON.stringify({ ...times, ...claims }),
    { alg: 'RS256' },
  )
}

async function send(
  options: { profile: ProfileName | object; audience?: string | undefined },
  token: string,
) {
  const reasons: string[] = []
  const server = resourceServer({
    resource: API,
    issuer: as.issuer,
    profile: options.profile,
    ...(options.audience === undefined ? {} : { audience: options.audience }),
    onRefusal: ({ reason }) => reasons.push(reason),
  })
  const app = express()
    .use(server)
    .get('/', (req, res) => res.json(req.auth))
  const response = await request(app).get('/').auth(token, { type: 'bearer' })
  await server.close()
  return { status: response.status, auth: response.body as unknown, reasons }
}

it('there is a test of every profile', () => {
  expect(DIALECTS.map(({ profile }) => profile).sort()).toEqual(Object.keys(PROFILES).sort())
})

describe.each(DIALECTS)('profile: $profile', ({ profile, header, claims, audience, accepted, others }) => {
  it('accepts an access token as the server writes it', async () => {
    const { status, auth, reasons } = await send({ profile, audience }, sign(header, claims))
    expect({ status, reasons }).toEqual({ status: 200, reasons: [] })
    expect(auth).toMatchObject(accepted)
  })

  it.each(Object.entries(others))('refuses %s of the same server', async (_kind, other) => {
    const { status, reasons } = await send({ profile, audience }, sign(other.header, other.claims))
    expect(status).toBe(401)
    expect(['token_type_mismatch', 'missing_claim']).toContain(reasons[0])
  })

  it('refuses an access token for another API', async () => {
    const { status, reasons } = await send(
      { profile, audience: 'https://other.example.com' },
      sign(header, claims),
    )
    expect({ status, reasons }).toEqual({ status: 401, reasons: ['audience_mismatch'] })
  })
})

describe('a profile object', () => {
  it('differs from the profile that it extends in what is written only', async () => {
    const keycloak = DIALECTS.find(({ profile }) => profile === 'keycloak') as Dialect
    const profile = { extends: 'keycloak', roleClaims: [['resource_access', 'account', 'roles']] }
    const { status, auth } = await send({ profile, audience: 'orders-api' }, sign(JWT, keycloak.claims))
    expect(status).toBe(200)
    expect(auth).toMatchObject({ clientId: 'demo-app', roles: ['manage-account', 'view-profile'] })
  })

  it('extends the strict profile where it names none', async () => {
    const { reasons } = await send(
      { profile: { types: ['JWT'] } },
      sign(JWT, { aud: API, sub: 'a', jti: 'b' }),
    )
    expect(reasons).toEqual(['missing_claim'])
  })

  it('that accepts `JWT` still refuses what only ID tokens have', async () => {
    const claims = { aud: API, sub: 'a', jti: 'b', client_id: 'c', nonce: 'n' }
    const { reasons } = await send({ profile: { types: ['JWT'] } }, sign(JWT, claims))
    expect(reasons).toEqual(['token_type_mismatch'])
  })

  it.each([
    [{ extends: 'keycloack' }, 'profile.extends'],
    [{ tokenUse: { claim: 'use' } }, 'profile.tokenUse.value'],
    [{ roleClaims: ['roles', []] }, 'profile.roleClaims'],
    [{ type: ['JWT'] }, 'profile.type'],
  ])('%j is a mistake that is told while building', (profile, path) => {
    const build = () =>
      resourceServer({ resource: API, issuer: 'https://as.example', profile: profile as object })
    expect(build).toThrow(expect.objectContaining({ code: 'ERR_RESOURCE_SERVER_CONFIGURATION', path }))
  })
})

describe('roles and permissions', () => {
  it.each([
    ['a string', { role: 'editor' }, ['editor']],
    ['a list', { role: ['editor', 'editor', 'author'] }, ['editor', 'author']],
    ['a list with something else in it', { role: ['editor', { value: 'admin' }] }, []],
    ['an object', { role: { editor: true } }, []],
    ['a number', { role: 7 }, []],
    ['nothing', {}, []],
  ])('are read from %s', async (_what, own, roles) => {
    const claims = { aud: API, client_id: 'c', ...own }
    const { auth } = await send({ profile: 'duende' }, sign({ typ: 'at+jwt' }, claims))
    expect(auth).toMatchObject({ roles })
  })

  it('of another client of the same realm do not count', async () => {
    const keycloak = DIALECTS.find(({ profile }) => profile === 'keycloak') as Dialect
    const { auth } = await send({ profile: 'keycloak', audience: 'orders-api' }, sign(JWT, keycloak.claims))
    expect((auth as AccessToken).roles).not.toContain('manage-account')
  })
})

describe('guessProfile', () => {
  it.each([
    ['https://id.example.com/realms/demo', 'keycloak'],
    ['https://id.example.com/auth/realms/demo', 'keycloak'],
    ['https://tenant.eu.auth0.com/', 'auth0'],
    ['https://dev-1.okta.com/oauth2/default', 'okta'],
    ['https://login.microsoftonline.com/72f988bf/v2.0', 'entra'],
    ['https://sts.windows.net/72f988bf/', 'entra'],
    ['https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_abc', 'cognito'],
    ['https://is.example.com:9443/t/acme/oauth2/token', 'wso2'],
    ['https://slug.projects.oryapis.com', 'ory-hydra'],
    ['https://auth.example.com/application/o/orders/', 'authentik'],
    ['https://login.example.com', undefined],
  ])('%s is likely %s', (issuer, name) => {
    expect(guessProfile(issuer)).toBe(name)
  })
})
