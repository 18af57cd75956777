/** RFC 8414 and OpenID Connect Discovery: how an issuer's metadata is found, and when it is not believed. */
import { generateKeyPairSync } from 'node:crypto'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { SignJWT } from 'jose'
import { ConfigurationError, resourceServer, type ResourceServerOptions } from '../../lib/index.js'
import {
  createSigningKey,
  createTestIssuer,
  type TestIssuer,
  type TestIssuerOptions,
} from '../../lib/testing/test-issuer.js'
import { answerOf, OUTAGE, RESOURCE, startApi, until, type Api } from '../support/jwt-api.js'

const open: { close(): Promise<void> }[] = []

async function start(issuer?: TestIssuerOptions, options?: Partial<ResourceServerOptions>) {
  const as = await createTestIssuer(issuer)
  const api = await startApi({ as, ...(options && { options }) })
  open.push(api, as)
  return { as, api }
}

afterEach(async () => {
  jest.restoreAllMocks()
  await Promise.all(open.splice(0).map((one) => one.close()))
})

const metadataAddresses = (as: TestIssuer) =>
  as.requests.filter(({ url }) => url.includes('.well-known')).map(({ url }) => url)

async function expectOutage(api: Api, as: TestIssuer, reason: string): Promise<void> {
  const answer = await api.get(as.mintJwt())
  expect(answerOf(answer)).toEqual(OUTAGE)
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
  expect(answer.headers).not.toHaveProperty('www-authenticate')
  expect(api.reason()).toBe(reason)
  await expect(api.server.ready()).rejects.toMatchObject({ reason })
}

describe('RFC 8414: the metadata of an issuer', () => {
  it.each(['', '/', '/t1', '/t1/', '/a/b'])(
    'R8414-01 with the path "%s" is at the well-known path inserted before it',
    async (path) => {
      const { as, api } = await start({ path })
      expect((await api.get(as.mintJwt())).status).toBe(200)
      expect(metadataAddresses(as)).toEqual([
        `/.well-known/oauth-authorization-server${path.replace(/\/$/, '')}`,
      ])
    },
  )

  it.each(['', '/', '/t1', '/t1/'])(
    'R8414-02 with the path "%s" is looked for at the OpenID Connect address if there is none at the first',
    async (path) => {
      const { as, api } = await start({ path, oauthMetadata: false })
      expect((await api.get(as.mintJwt())).status).toBe(200)
      const tenant = path.replace(/\/$/, '')
      expect(metadataAddresses(as)).toEqual([
        `/.well-known/oauth-authorization-server${tenant}`,
        `${tenant}/.well-known/openid-configuration`,
      ])
    },
  )

  it.each([400, 401, 403, 404, 410])(
    'R8414-02 is looked for at the next address after %d',
    async (status) => {
      const { as, api } = await start()
      as.fail('metadata', { kind: 'status', status }, { times: 1 })
      expect((await api.get(as.mintJwt())).status).toBe(200)
      expect(as.count('metadata')).toBe(2)
    },
  )

  it.each([429, 500, 502, 503, 504])('R8414-02 is not looked for elsewhere after %d', async (status) => {
    const { as, api } = await start()
    as.fail('metadata', { kind: 'status', status }, { times: 1 })
    expect(answerOf(await api.get(as.mintJwt()))).toEqual(OUTAGE)
    expect(as.count('metadata')).toBe(1)
  })

  it('R8414-02 is not looked for elsewhere when it does not come in time', async () => {
    const { as, api } = await start({}, { metadata: { timeoutMs: 50 } })
    as.fail('metadata', { kind: 'hang' })
    expect(answerOf(await api.get(as.mintJwt()))).toEqual(OUTAGE)
    expect(as.count('metadata')).toBe(1)
  })

  it('R8414-02 that is nowhere is an outage, and not asked for by every request', async () => {
    const { as, api } = await start({ oauthMetadata: false, openidMetadata: false, path: '/t1' })
    await expectOutage(api, as, 'metadata_unavailable')
    await api.get(as.mintJwt())
    expect(metadataAddresses(as)).toEqual([
      '/.well-known/oauth-authorization-server/t1',
      '/t1/.well-known/openid-configuration',
      '/.well-known/openid-configuration/t1',
    ])
  })

  it.each<[string, (issuer: string) => unknown]>([
    ['ends with a slash', (issuer) => `${issuer}/`],
    ['is in other letters', (issuer) => issuer.toUpperCase()],
    ['has another port', (issuer) => issuer.replace(/\d$/, (digit) => String((Number(digit) + 1) % 10))],
    ['has a path', (issuer) => `${issuer}/t1`],
    ['is another host', () => 'https://evil.example'],
    ['is missing', () => undefined],
    ['is null', () => null],
    ['is a list', (issuer) => [issuer]],
    ['is an object that cannot be shown', () => ({ toString: 1, valueOf: 1 })],
  ])('R8414-03 whose issuer %s is not used', async (_what, change) => {
    const { as, api } = await start()
    as.metadata['issuer'] = change(as.issuer)
    await expectOutage(api, as, 'metadata_unusable')
    expect(as.count('jwks')).toBe(0)
  })

  it('R8414-03 whose issuer is composed of other code points is not used', async () => {
    const { as, api } = await start({ path: '/caf\u00e9' })
    as.metadata['issuer'] = as.issuer.normalize('NFD')
    await expectOutage(api, as, 'metadata_unusable')
  })

  it.each([
    'http://login.example.com',
    'https://login.example.com?tenant=1',
    'https://login.example.com/#a',
    'https://login.example.com?',
    'https://user:password@login.example.com',
    'ftp://login.example.com',
    'login.example.com',
    '',
  ])('R8414-04 of the issuer "%s" is never asked for: it cannot be configured', (issuer) => {
    expect(() => resourceServer({ resource: RESOURCE, issuer })).toThrow(ConfigurationError)
    expect(() => resourceServer({ resource: RESOURCE, issuers: [{ issuer }] })).toThrow(ConfigurationError)
  })

  it('R8414-04 of an http: issuer beyond this machine is asked for with the named option only', async () => {
    const options = { resource: RESOURCE, issuer: 'http://login.example.com' }
    await resourceServer({ ...options, allowInsecureHttp: true }).close()
    for (const host of ['127.0.0.1', 'localhost', '[::1]', 'as.localhost']) {
      await resourceServer({ ...options, issuer: `http://${host}:9` }).close()
    }
    for (const host of ['127.0.0.1.example.com', 'localhost.example.com', '128.0.0.1', '[::2]']) {
      expect(() => resourceServer({ ...options, issuer: `http://${host}:9` })).toThrow(ConfigurationError)
    }
  })

  it.each([
    ['a page', '<!doctype html><title>Login</title>', 'text/html', 200],
    ['a list', '[]', 'application/json', 200],
    ['null', 'null', 'application/json', 200],
    ['a string', '"x"', 'application/json', 200],
    ['nothing', '', 'application/json', 204],
    ['nothing under 200', '', 'application/json', 200],
    ['half a document', '{"issuer":"http', 'application/json', 200],
    ['XML', '<issuer/>', 'application/xml', 200],
    ['JSON under 201', '{}', 'application/json', 201],
  ])('R8414-05 that is %s is an outage', async (_what, body, contentType, status) => {
    const { as, api } = await start()
    as.fail('metadata', { kind: 'body', body, contentType, status })
    expect(answerOf(await api.get(as.mintJwt()))).toEqual(OUTAGE)
    await expect(api.server.ready()).rejects.toMatchObject({ status: 503 })
    as.heal()
    advance(120)
    expect((await api.get(as.mintJwt())).status).toBe(200)
  })

  it.each<['truncate' | 'reset' | 'hang']>([['truncate'], ['reset'], ['hang']])(
    'R8414-05 that breaks off (%s) is an outage',
    async (kind) => {
      const { as, api } = await start({}, { metadata: { timeoutMs: 100 } })
      as.fail('metadata', { kind })
      await expectOutage(api, as, 'metadata_unavailable')
    },
  )

  it('R8414-05 that is too large is an outage', async () => {
    const { as, api } = await start()
    as.fail('metadata', { kind: 'oversize', bytes: 1_000_000 })
    await expectOutage(api, as, 'metadata_unavailable')
  })

  it.each([
    'http://login.example.com/jwks',
    'file:///etc/passwd',
    'data:application/json,{"keys":[]}',
    'javascript:1',
    '//login.example.com/jwks',
    '/jwks',
    '',
    'https://user:password@login.example.com/jwks',
    1,
    {},
    ['https://login.example.com/jwks'],
  ])('R8414-06 with %j for an address is not used', async (address) => {
    for (const member of ['jwks_uri', 'introspection_endpoint']) {
      const { as, api } = await start({ metadata: { [member]: address } })
      await expectOutage(api, as, 'metadata_unusable')
      expect(api.events[0]).toMatchObject({ name: member })
      expect(as.count('jwks')).toBe(0)
    }
  })

  it('R8414-06 without a jwks_uri is an outage for self-contained tokens', async () => {
    const { as, api } = await start({ metadata: { jwks_uri: undefined } })
    await expectOutage(api, as, 'metadata_unusable')
  })

  it('R8414-07 that is signed besides is read as it stands: the signed copy is ignored', async () => {
    const { as, api } = await start()
    const trap = await createTestIssuer()
    open.push(trap)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    as.metadata['signed_metadata'] = await new SignJWT({ iss: as.issuer, jwks_uri: trap.jwksUri })
      .setProtectedHeader({ alg: 'ES256' })
      .sign(privateKey)
    expect((await api.get(as.mintJwt())).status).toBe(200)
    expect(as.count('jwks')).toBe(1)
    expect(trap.count()).toBe(0)
    for (const signed of [1, null, 'x', {}]) {
      const odd = await start({ metadata: { signed_metadata: signed } })
      expect((await odd.api.get(odd.as.mintJwt())).status).toBe(200)
    }
  })

  function advance(seconds: number): void {
    const now = Date.now() + seconds * 1000
    jest.spyOn(Date, 'now').mockReturnValue(now)
  }

  it('R8414-08 is read anew after its lifetime, and a new jwks_uri is used without a restart', async () => {
    const { as, api } = await start({}, { metadata: { refreshSeconds: 60 }, jwks: { refreshSeconds: 30 } })
    expect((await api.get(as.mintJwt())).status).toBe(200)
    const moved = await createTestIssuer()
    open.push(moved)
    as.metadata['jwks_uri'] = moved.jwksUri
    const token = signedElsewhere(as, moved)
    advance(61)
    await api.get(token)
    await until(() => api.server.health().issuers[0]?.metadata.ageSeconds === 0)
    advance(40)
    expect((await api.get(token)).status).toBe(200)
    expect(moved.count('jwks')).toBe(1)
  })

  it('R8414-08 that cannot be renewed serves on as it was, for a bounded time', async () => {
    const { as, api } = await start({}, { metadata: { refreshSeconds: 60 }, jwks: { refreshSeconds: 30 } })
    expect((await api.get(as.mintJwt())).status).toBe(200)
    as.fail('metadata', { kind: 'status', status: 500 })
    advance(61)
    expect((await api.get(as.mintJwt())).status).toBe(200)
    await until(() => api.server.health().issuers[0]?.metadata.state === 'stale')
    expect((await api.get(as.mintJwt())).status).toBe(200)
    advance(86_500)
    expect(answerOf(await api.get(as.mintJwt({ expiresInSeconds: 900 })))).toEqual(OUTAGE)
    expect(api.server.health().issuers[0]?.metadata.state).toBe('expired')
  })

  it('R8414-09 naming algorithms for ID tokens says nothing about access tokens', async () => {
    const { as, api } = await start({
      metadata: {
        id_token_signing_alg_values_supported: ['RS256'],
        token_endpoint_auth_signing_alg_values_supported: ['RS256'],
      },
    })
    expect((await api.get(as.mintJwt({ alg: 'ES256' }))).status).toBe(200)
    const lax = await start({ metadata: { id_token_signing_alg_values_supported: ['none', 'HS256'] } })
    expect((await lax.api.get(lax.as.mintJwt({ header: { alg: 'none' }, signature: '' }))).status).toBe(401)
  })
})

/** A token of one issuer, signed with a key that only another address publishes. */
function signedElsewhere(as: TestIssuer, moved: TestIssuer): string {
  const key = createSigningKey('ES256')
  moved.addJwk(key.publicJwk)
  return as.mintJwt({ key })
}
