/**
 * Servers that are not here, by what is known of how they speak: for each a configuration that works, and what
 * goes wrong without it. docs/authorization-servers.md has the same configurations to paste.
 */
import { afterEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import {
  resourceServer,
  type ResourceServer,
  type ResourceServerEvent,
  type ResourceServerOptions,
} from '../../lib/index.js'
import { createTestIssuer, type TestIssuer, type TestIssuerOptions } from '../../lib/testing/test-issuer.js'

const RESOURCE = 'https://api.example.com'
const client = { clientId: 'rs', clientSecret: 'rs-secret' }

let as: TestIssuer
const servers: ResourceServer[] = []

afterEach(async () => {
  await Promise.all([...servers.splice(0).map((server) => server.close()), as.close()])
})

function api(options: Omit<ResourceServerOptions, 'resource' | 'issuer' | 'issuers'>) {
  const events: ResourceServerEvent[] = []
  const server = resourceServer({
    resource: RESOURCE,
    issuer: as.issuer,
    ...options,
    onRefusal: (event) => events.push(event),
  })
  servers.push(server)
  const app = express().get('/', server, (req, res) => res.json(req.auth))
  const get = (token: string) => request(app).get('/').auth(token, { type: 'bearer' })
  return { get, reasons: () => events.map(({ reason }) => reason) }
}

async function start(options?: TestIssuerOptions): Promise<void> {
  as = await createTestIssuer(options)
}

describe('LemonLDAP::NG', () => {
  const CLIENT = 'orders-web'
  const profile = {
    types: ['JWT'],
    requiredClaims: ['iss', 'exp', 'aud', 'sub', 'iat'],
    accessTokenClaims: ['client_id'],
  }
  const options = {
    header: { typ: 'JWT' },
    alg: 'RS256',
    audience: [CLIENT, RESOURCE],
    clientId: CLIENT,
  } as const

  /** An issuer with a trailing slash; unknown addresses are pages; keys name no algorithm and are not to be kept. */
  async function startLemon(): Promise<void> {
    await start({ path: '/', algorithms: ['RS256'] })
    const jwk = { ...as.keys.RS256.publicJwk, alg: undefined }
    as.fail('jwks', {
      kind: 'status',
      status: 200,
      headers: { 'cache-control': 'no-store' },
      body: { keys: [jwk] },
    })
  }

  it('issues JWTs that a profile object accepts, and ID tokens that it does not', async () => {
    await startLemon()
    expect(as.issuer).toMatch(/\/$/)
    const { get, reasons } = api({ profile })
    expect((await get(as.mintJwt(options))).body).toMatchObject({ issuer: as.issuer, clientId: CLIENT })
    for (const claims of [{ nonce: 'n' }, { client_id: undefined }]) {
      expect((await get(as.mintJwt({ ...options, claims }))).status).toBe(401)
    }
    expect(reasons()).toEqual(['token_type_mismatch', 'token_type_mismatch'])
  })

  it('is not found where the first metadata address is a page, and is found at the next', async () => {
    await start({ path: '/', algorithms: ['RS256'] })
    as.fail(
      'metadata',
      { kind: 'status', status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' },
      {
        times: 1,
      },
    )
    const { get } = api({ profile })
    expect((await get(as.mintJwt(options))).status).toBe(200)
    expect(as.count('metadata')).toBe(2)
  })

  it('introspects without an audience', async () => {
    await startLemon()
    const token = as.issueOpaque({ response: { aud: undefined } })
    expect((await api({ introspection: client }).get(token)).status).toBe(401)
    const lenient = api({ introspection: { ...client, allowMissingAudience: true } })
    expect((await lenient.get(token)).status).toBe(200)
  })
})

describe('Doorkeeper', () => {
  /** Neither aud nor sub nor iss; a refresh token looks the same. */
  const answer = { aud: undefined, sub: undefined, iss: undefined }

  it('introspects with neither audience nor subject, which takes a decision', async () => {
    await start()
    const strict = api({ introspection: client, jwt: false })
    expect((await strict.get(as.issueOpaque({ response: answer }))).status).toBe(401)
    expect(strict.reasons()).toEqual(['audience_missing'])
    const { get } = api({ introspection: { ...client, allowMissingAudience: true }, jwt: false })
    const { status, body } = await get(as.issueOpaque({ response: answer }))
    expect({ status, subject: (body as { subject?: string }).subject }).toEqual({
      status: 200,
      subject: undefined,
    })
    expect(body).toMatchObject({ clientId: 'app' })
  })

  it('refuses our own credentials with a Bearer challenge, which is no word on the token', async () => {
    await start()
    as.fail('introspection', {
      kind: 'status',
      status: 401,
      headers: { 'www-authenticate': 'Bearer realm="Doorkeeper", error="invalid_client"' },
      body: { error: 'invalid_client' },
    })
    const { get, reasons } = api({ introspection: client })
    const response = await get(as.issueOpaque())
    expect(response.status).toBe(503)
    expect(response.headers).not.toHaveProperty('www-authenticate')
    expect(reasons()).toEqual(['introspection_credentials_refused'])
  })
})

describe('Django OAuth Toolkit', () => {
  /** Barely any members: active, scope, exp and client_id, and the user by name. */
  const answer = { aud: undefined, sub: undefined, iss: undefined, token_type: undefined, username: 'alice' }

  it('introspects with barely any members; the subject is the username by a profile object', async () => {
    await start({ metadata: { introspection_endpoint: undefined } })
    const { get } = api({
      jwt: false,
      profile: { subjectClaims: ['sub', 'username'] },
      introspection: { ...client, endpoint: as.introspectionEndpoint, allowMissingAudience: true },
    })
    expect((await get(as.issueOpaque({ response: answer }))).body).toMatchObject({
      subject: 'alice',
      clientId: 'app',
    })
    expect(as.count('metadata')).toBe(0)
  })

  it('refuses our own credentials with 403 and a page: an outage', async () => {
    await start()
    as.fail('introspection', {
      kind: 'status',
      status: 403,
      headers: { 'content-type': 'text/html' },
      body: '',
    })
    const { get, reasons } = api({ introspection: client })
    expect((await get(as.issueOpaque())).status).toBe(503)
    expect(reasons()).toEqual(['introspection_credentials_refused'])
  })

  it('redirects an address without its slash; the question is not asked anew as a GET', async () => {
    await start()
    as.fail('introspection', {
      kind: 'status',
      status: 301,
      headers: { location: `${as.introspectionEndpoint}/` },
      body: '',
    })
    const { get, reasons } = api({ introspection: client })
    expect((await get(as.issueOpaque())).status).toBe(503)
    expect(reasons()).toEqual(['introspection_answer_unusable'])
    expect(as.requests.filter(({ path }) => path === 'other')).toEqual([])
  })

  it('publishes keys with a malformed Cache-Control, and they are kept all the same', async () => {
    await start()
    as.fail('jwks', {
      kind: 'status',
      status: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'Cache-Control: public, max-age=3600' },
      body: as.jwks(),
    })
    const { get } = api({})
    expect((await get(as.mintJwt())).status).toBe(200)
    expect((await get(as.mintJwt())).status).toBe(200)
    expect(as.count('jwks')).toBe(1)
  })
})

describe('Better Auth', () => {
  it('issues at+jwt with ES256 and azp beside client_id, which needs no profile', async () => {
    await start({ path: '/api/auth', algorithms: ['ES256'] })
    const jwk = { ...as.keys.ES256.publicJwk, use: undefined }
    as.publishJwks({ keys: [jwk] })
    const { get } = api({})
    expect((await get(as.mintJwt({ claims: { azp: 'app' } }))).body).toMatchObject({ clientId: 'app' })
  })

  it('calls a token that is meant for others inactive, and names no subject for a client', async () => {
    await start()
    const { get, reasons } = api({ introspection: client })
    expect((await get(as.issueOpaque({ response: { sub: undefined } }))).status).toBe(200)
    expect((await get('meant-for-others')).status).toBe(401)
    expect(reasons()).toEqual(['inactive'])
  })
})

describe('a Cognito simulator', () => {
  it('names another issuer in its metadata: keys by address', async () => {
    await start({
      algorithms: ['RS256'],
      metadata: { issuer: 'https://cognito-idp.local.amazonaws.com/local_1' },
    })
    const token = as.mintJwt({
      alg: 'RS256',
      header: { typ: undefined },
      claims: { aud: undefined, token_use: 'access' },
    })
    const audience = 'app'
    const discovering = api({ profile: 'cognito', audience })
    expect((await discovering.get(token)).status).toBe(503)
    expect(discovering.reasons()).toEqual(['metadata_unusable'])
    const { get } = api({ profile: 'cognito', audience, jwks: { uri: as.jwksUri } })
    expect((await get(token)).body).toMatchObject({ audience: ['app'], clientId: 'app' })
  })
})

describe('glewlwyd', () => {
  it('writes the scope string where others write the audience: name it, or a resource', async () => {
    await start()
    const token = as.issueOpaque({ scope: 'orders:read', response: { aud: 'orders:read', sub: undefined } })
    const strict = api({ introspection: client })
    expect((await strict.get(token)).status).toBe(401)
    expect(strict.reasons()).toEqual(['opaque_audience_mismatch'])
    const { get } = api({ introspection: client, audience: [RESOURCE, 'orders:read'] })
    expect((await get(token)).status).toBe(200)
  })

  it('calls ID and refresh tokens active, and they are refused by their kind', async () => {
    await start()
    const { get, reasons } = api({ introspection: client })
    for (const type of ['refresh_token', 'id_token']) {
      expect((await get(as.issueOpaque({ response: { token_type: type } }))).status).toBe(401)
    }
    expect(reasons()).toEqual(['opaque_token_type_mismatch', 'opaque_token_type_mismatch'])
  })
})

describe('oidc-provider', () => {
  it('answers 400 to a JWT that is introspected: that is an outage, and JWTs are to be verified here', async () => {
    await start()
    as.fail('introspection', { kind: 'status', status: 400, body: { error: 'unsupported_token_type' } })
    const token = as.mintJwt()
    const { get, reasons } = api({ introspection: client, jwt: false })
    expect((await get(token)).status).toBe(503)
    expect(reasons()).toEqual(['introspection_answer_unusable'])
    expect((await api({ introspection: client }).get(token)).status).toBe(200)
  })
})
