/**
 * Against Glewlwyd, whose JWTs can be introspected too, and whose odd ways a resource server has to bear.
 * Needs the Debian packages `glewlwyd` and `sqlite3`; where they are missing it is skipped, and fails in CI.
 */
import { generateKeyPairSync, sign } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { generateKeyPair, generateProof } from 'dpop'
import { Agent } from 'undici'
import { RESOURCE, startApi, type Api } from '../support/api.js'
import { stopAllPrograms } from '../support/processes.js'
import { missingForGlewlwyd, startGlewlwyd, type Glewlwyd } from './glewlwyd.js'

const RS = { clientId: 'rs', clientSecret: 'rs-secret' }
const missing = missingForGlewlwyd()

if (missing.length > 0 && process.env['CI'] !== undefined) {
  it('has Glewlwyd to test against', () => {
    throw new Error(`missing: ${missing.join(', ')}. apt-get install glewlwyd sqlite3`)
  })
} else if (missing.length > 0) {
  describe.skip(`Glewlwyd: skipped, this machine has no ${missing.join(' and no ')}`, () => {
    it('apt-get install glewlwyd sqlite3', () => undefined)
  })
} else {
  describe('Glewlwyd', testGlewlwyd)
}

function testGlewlwyd() {
  let server: Glewlwyd
  const apis: Api[] = []

  beforeAll(async () => {
    server = await startGlewlwyd()
  })
  afterAll(async () => {
    await server.stop()
    stopAllPrograms()
  })
  afterEach(async () => {
    for (const started of apis.splice(0)) await started.close()
  })

  async function api(options: Partial<Parameters<typeof startApi>[0]> = {}): Promise<Api> {
    const started = await startApi({ issuer: server.issuer, introspection: RS, ...options })
    apis.push(started)
    return started
  }

  type Tokens = Readonly<Record<'access_token' | 'refresh_token' | 'id_token' | 'token_type', string>>

  async function issue(
    grant: Readonly<Record<string, string>>,
    { endpoint = `${server.issuer}/token`, client = 'svc', headers = {} } = {},
  ): Promise<Tokens> {
    const authorization = `Basic ${btoa(`${client}:${client}-secret`)}`
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { authorization, ...headers },
      body: new URLSearchParams(grant),
    })
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
    return (await response.json()) as Tokens
  }

  const SERVICE = { grant_type: 'client_credentials', scope: 'api:read', resource: RESOURCE }
  const ALICE = { grant_type: 'password', username: 'alice', password: 'alice-pw', scope: 'openid api:read' }
  const serviceToken = async () => (await issue(SERVICE)).access_token

  it('its JWTs are accepted, found by the only metadata it has, at addresses with a double slash', async () => {
    const wellKnown = await fetch(
      server.issuer.replace('/api/', '/.well-known/oauth-authorization-server/api/'),
    )
    expect(wellKnown.status).toBe(404)
    const metadata = (await (await fetch(`${server.issuer}/.well-known/openid-configuration`)).json()) as {
      jwks_uri: string
    }
    expect(new URL(metadata.jwks_uri).pathname).toBe('//api/oidc/jwks')

    expect(await (await api()).get(await serviceToken())).toMatchObject({
      status: 200,
      body: { format: 'jwt', subject: 'svc', clientId: 'svc', audience: [RESOURCE], scopes: ['api:read'] },
    })
  })

  it('of its two issuers on one origin, each is trusted for its own tokens only', async () => {
    const { access_token: signedByEc } = await issue(SERVICE, { endpoint: `${server.ecIssuer}/token` })
    const ec = await api({ issuer: server.ecIssuer })
    expect((await ec.get(signedByEc)).status).toBe(200)
    expect(await ec.get(await serviceToken())).toMatchObject({ status: 401, reason: 'untrusted_issuer' })
    expect(await (await api()).get(signedByEc)).toMatchObject({ status: 401, reason: 'untrusted_issuer' })
  })

  it('its JWTs can be introspected instead: token_type is bearer in lower case, iss is missing', async () => {
    const introspecting = await api({ jwt: false })
    const { body, status } = await introspecting.get(await serviceToken())
    expect(status).toBe(200)
    expect(body).toMatchObject({ format: 'opaque', source: 'introspection', clientId: 'svc' })
    expect(body['claims']).toMatchObject({ token_type: 'bearer' })
    expect(body['claims']).not.toHaveProperty('iss')
  })

  it('without resource its aud is the scope: refused, verified or introspected', async () => {
    const { access_token: token } = await issue({ grant_type: 'client_credentials', scope: 'api:read' })
    expect(await (await api()).get(token)).toMatchObject({ status: 401, reason: 'audience_mismatch' })
    expect(await (await api({ jwt: false })).get(token)).toMatchObject({
      status: 401,
      reason: 'opaque_audience_mismatch',
    })
  })

  it('its token for another API is refused', async () => {
    const { access_token: token } = await issue({ ...SERVICE, resource: 'https://other.example.com' })
    expect(await (await api()).get(token)).toMatchObject({ status: 401, reason: 'audience_mismatch' })
  })

  describe('what it issues to a user', () => {
    let user: Tokens
    beforeAll(async () => {
      user = await issue({ ...ALICE, resource: RESOURCE }, { client: 'web' })
    })

    it('its refresh token is inactive if asked for as an access token', async () => {
      expect(await (await api()).get(user.refresh_token)).toMatchObject({ status: 401, reason: 'inactive' })
    })

    it('its refresh token is active without the hint, and refused by its token_type', async () => {
      const introspection = { ...RS, tokenTypeHint: false, allowMissingAudience: true }
      expect(await (await api({ introspection })).get(user.refresh_token)).toMatchObject({
        status: 401,
        reason: 'opaque_token_type_mismatch',
      })
    })

    it('its ID token is refused by its typ, and by its token_type where it is introspected', async () => {
      expect(user.id_token).toBeDefined()
      expect(await (await api()).get(user.id_token)).toMatchObject({
        status: 401,
        reason: 'token_type_mismatch',
      })
      const introspection = { ...RS, tokenTypeHint: false, allowMissingAudience: true }
      expect(await (await api({ jwt: false, introspection })).get(user.id_token)).toMatchObject({
        status: 401,
        reason: 'opaque_token_type_mismatch',
      })
    })

    it('its access token names the user', async () => {
      const { access_token: token } = await issue({ ...ALICE, resource: RESOURCE }, { client: 'web' })
      const { body } = await (await api({ audience: audienceOf(token) })).get(token)
      expect(body).toMatchObject({ clientId: 'web', subject: expect.stringMatching(/./) })
    })
  })

  it('its refusal of our own credentials, a 401 without body and challenge, is an outage', async () => {
    const refusal = await fetch(`${server.issuer}/introspect`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('rs:wrong')}` },
      body: new URLSearchParams({ token: await serviceToken() }),
    })
    expect([refusal.status, refusal.headers.get('www-authenticate'), await refusal.text()]).toEqual([
      401,
      null,
      '',
    ])

    const orders = await api({ jwt: false, introspection: { ...RS, clientSecret: 'wrong' } })
    expect(await orders.get(await serviceToken())).toMatchObject({
      status: 503,
      reason: 'introspection_credentials_refused',
      challenge: null,
    })
  })

  it('its no-store on metadata and keys does not cost a fetch a request', async () => {
    const addresses: string[] = []
    const dispatcher = new Agent().compose((dispatch) => (options, handler) => {
      addresses.push(options.path)
      return dispatch(options, handler)
    })
    expect((await fetch(`${server.issuer}/jwks`)).headers.get('cache-control')).toBe('no-store')
    const orders = await api({ dispatcher })
    for (let times = 0; times < 3; times += 1) {
      expect((await orders.get(await serviceToken())).status).toBe(200)
    }
    expect(addresses.filter((path) => path.endsWith('/jwks'))).toHaveLength(1)
    expect(addresses.filter((path) => path.endsWith('/openid-configuration'))).toHaveLength(1)
    await dispatcher.close()
  })

  it('its revoked JWT goes on verifying; only introspection knows', async () => {
    const token = await serviceToken()
    const response = await fetch(`${server.issuer}/revoke`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('svc:svc-secret')}` },
      body: new URLSearchParams({ token }),
    })
    expect(response.status).toBe(200)
    expect((await (await api()).get(token)).status).toBe(200)
    expect(await (await api({ jwt: false })).get(token)).toMatchObject({ status: 401, reason: 'inactive' })
  })

  it('its DPoP-bound token is refused as a bearer token, verified or introspected', async () => {
    const keyPair = await generateKeyPair('ES256')
    const htu = server.issuer.replace('/api/', '//api/') + '/token'
    const dpop = await generateProof(keyPair, htu, 'POST')
    const { access_token: token, token_type: type } = await issue(
      { ...ALICE, resource: RESOURCE },
      { client: 'web', headers: { dpop } },
    )
    expect(type).toBe('DPoP')
    expect(await (await api({ audience: audienceOf(token) })).get(token)).toMatchObject({
      status: 401,
      reason: 'dpop_required',
    })
    expect(await (await api({ jwt: false, audience: audienceOf(token) })).get(token)).toMatchObject({
      status: 401,
      reason: 'dpop_required',
    })
  })

  it('a token of its plain OAuth 2.0 plugin, which names no issuer, is refused', async () => {
    const { access_token: token } = await issue(SERVICE, { endpoint: server.plainToken })
    expect(await (await api()).get(token)).toMatchObject({ status: 401, reason: 'untrusted_issuer' })
  })

  it('a key that it does not publish is not taken for one of its own', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const [header = '', payload = ''] = (await serviceToken()).split('.')
    const signature = sign('sha256', Buffer.from(`${header}.${payload}`), privateKey).toString('base64url')
    expect(await (await api()).get(`${header}.${payload}.${signature}`)).toMatchObject({
      status: 401,
      reason: 'invalid_signature',
    })
  })
}

function audienceOf(jwt: string): string {
  const claims = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as { aud: string }
  return claims.aud
}
