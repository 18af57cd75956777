/** Several issuers behind one API: listed, or named by a function, each with keys and caches of its own. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import {
  requireFresh,
  resourceServer,
  type IssuerOptions,
  type ResourceServer,
  type ResourceServerEvent,
  type ResourceServerOptions,
} from '../../../lib/index.js'
import { createSigningKey, createTestIssuer, type TestIssuer } from '../../../lib/testing/test-issuer.js'

const RESOURCE = 'https://api.example.com'
/** Test issuers live on the loopback interface, which a function's issuers may not unless it says so. */
const metadata = { allowedHosts: ['127.0.0.1'] }
const introspection = { clientId: 'rs', clientSecret: 'rs-secret' }

let one: TestIssuer
let two: TestIssuer
let server: ResourceServer
let events: ResourceServerEvent[]

beforeEach(async () => {
  one = await createTestIssuer()
  two = await createTestIssuer()
  events = []
})

afterEach(async () => {
  await Promise.all([server.close(), one.close(), two.close()])
})

function start(options: Omit<ResourceServerOptions, 'resource'>) {
  server = resourceServer({ resource: RESOURCE, ...options, onRefusal: (event) => events.push(event) })
  const app = express().get('/', server, (req, res) => res.json(req.auth))
  return (token: string, host?: string) => {
    const call = request(app).get('/').auth(token, { type: 'bearer' })
    return host === undefined ? call : call.set('x-tenant', host)
  }
}

const tenants =
  (...known: readonly TestIssuer[]) =>
  (iss: string): IssuerOptions | undefined =>
    known.some(({ issuer }) => issuer === iss) ? { issuer: iss, metadata } : undefined

describe('issuers from a function', () => {
  it('are accepted, each with its own keys', async () => {
    const get = start({ issuers: tenants(one, two) })
    expect((await get(one.mintJwt())).body).toMatchObject({ issuer: one.issuer, source: 'verification' })
    expect((await get(two.mintJwt())).body).toMatchObject({ issuer: two.issuer, source: 'verification' })
  })

  it('are found in the cache the second time', async () => {
    const get = start({ issuers: tenants(one) })
    const token = one.mintJwt()
    await get(token)
    expect((await get(token)).body).toMatchObject({ issuer: one.issuer, source: 'cache' })
    expect(one.count('jwks')).toBe(1)
  })

  it('that the function does not know are refused without a call', async () => {
    const get = start({ issuers: tenants(one) })
    expect((await get(two.mintJwt())).status).toBe(401)
    expect(events).toMatchObject([{ reason: 'untrusted_issuer' }])
    expect(one.count() + two.count()).toBe(0)
  })

  it('R8725-06 never mix keys of one name', async () => {
    const kid = 'the-same'
    const [key, other] = [createSigningKey('ES256', kid), createSigningKey('ES256', kid)]
    one.addJwk(key.publicJwk)
    two.addJwk(other.publicJwk)
    const get = start({ issuers: tenants(one, two) })
    expect((await get(one.mintJwt({ key }))).status).toBe(200)
    expect((await get(two.mintJwt({ key: other }))).status).toBe(200)
    expect((await get(two.mintJwt({ key }))).status).toBe(401)
    expect(events).toMatchObject([{ reason: 'invalid_signature' }])
  })

  it('R8725-09 are not called where their host is a private one, unless it is listed', async () => {
    const get = start({ issuers: (issuer) => ({ issuer }) })
    expect((await get(one.mintJwt())).status).toBe(503)
    expect(events).toMatchObject([{ kind: 'outage', reason: 'metadata_unavailable' }])
    expect(one.count()).toBe(0)
  })

  it('may not send us to another host by their metadata', async () => {
    one.metadata['jwks_uri'] = two.jwksUri
    const get = start({
      issuers: (issuer) => ({ issuer, metadata: { allowedHosts: [new URL(one.origin).host] } }),
    })
    expect((await get(one.mintJwt())).status).toBe(503)
    expect(events).toMatchObject([{ reason: 'metadata_unusable', name: 'jwks_uri', found: two.jwksUri }])
    expect(two.count()).toBe(0)
  })

  it('whose options are wrong are an outage that the operator can read', async () => {
    const get = start({ issuers: (issuer) => ({ issuer, jwks: { refreshSeconds: -1 } }) })
    expect((await get(one.mintJwt())).status).toBe(503)
    expect(events).toMatchObject([
      {
        kind: 'outage',
        reason: 'issuer_unusable',
        issuer: one.issuer,
        name: 'issuers().jwks.refreshSeconds',
      },
    ])
  })

  it('whose look-up fails are an outage', async () => {
    const get = start({ issuers: () => Promise.reject(new Error('the database is down')) })
    expect((await get(one.mintJwt())).status).toBe(503)
    expect(events).toMatchObject([{ reason: 'issuer_unresolved', found: 'the database is down' }])
  })

  it('go on serving beside one that is down', async () => {
    await two.goDown()
    const get = start({ issuers: tenants(one, two) })
    expect((await get(two.mintJwt())).status).toBe(503)
    expect((await get(one.mintJwt())).status).toBe(200)
  })

  it('are shown in the health as far as they are open', async () => {
    const get = start({ issuers: tenants(one, two), maxIssuers: 1 })
    expect(server.health().issuers).toEqual([])
    await get(one.mintJwt())
    await get(two.mintJwt())
    expect(server.health().issuers.map(({ issuer }) => issuer)).toEqual([two.issuer])
  })

  it('and what would have to be looked up about revocation are an outage, never a silent yes', async () => {
    server = resourceServer({
      resource: RESOURCE,
      issuers: tenants(one),
      onRefusal: (event) => events.push(event),
    })
    const app = express().get('/', server, requireFresh({ maxLagSeconds: 0 }), (_req, res) =>
      res.send('never'),
    )
    expect((await request(app).get('/').auth(one.mintJwt(), { type: 'bearer' })).status).toBe(503)
    const status = { status_list: { uri: `${one.origin}/status`, idx: 0 } }
    expect(
      (
        await request(app)
          .get('/')
          .auth(one.mintJwt({ claims: { status } }), { type: 'bearer' })
      ).status,
    ).toBe(503)
    expect(events).toMatchObject([
      { reason: 'revocation_not_checked', issuer: one.issuer },
      { reason: 'status_list_unavailable', issuer: one.issuer },
    ])
  })

  it('have nothing to make ready', async () => {
    start({ issuers: tenants(one) })
    await server.ready()
    expect(one.count()).toBe(0)
  })

  describe('and opaque tokens', () => {
    it('are introspected where the route says', async () => {
      const get = start({
        issuers: (issuer) => ({ issuer, metadata, introspection }),
        routeOpaque: (_token, { headers }) => (headers['x-tenant'] === 'two' ? two.issuer : one.issuer),
      })
      const token = two.issueOpaque()
      expect((await get(token, 'two')).body).toMatchObject({ issuer: two.issuer })
      expect((await get(token, 'one')).status).toBe(401)
      expect(events).toMatchObject([{ reason: 'inactive', issuer: one.issuer }])
    })

    it('are refused where the route leads to no issuer', async () => {
      const get = start({
        issuers: (issuer) => (issuer === 'nobody' ? undefined : { issuer, metadata, introspection }),
        routeOpaque: () => 'nobody',
      })
      expect((await get(one.issueOpaque())).status).toBe(401)
      expect(events).toMatchObject([{ reason: 'untrusted_issuer' }])
    })

    it('are refused without a route', async () => {
      const get = start({ issuers: (issuer) => ({ issuer, metadata, introspection }) })
      expect((await get(one.issueOpaque())).status).toBe(401)
      expect(one.count() + two.count()).toBe(0)
    })

    it('are introspected at the issuer that a JWT names, where JWTs are not verified here', async () => {
      const get = start({ issuers: (issuer) => ({ issuer, metadata, introspection, jwt: false }) })
      const token = one.mintJwt()
      one.issueOpaque({ token })
      expect((await get(token)).body).toMatchObject({ issuer: one.issuer, format: 'opaque' })
      expect(two.count()).toBe(0)
    })
  })

  it.each([
    ['routeOpaque', { introspection }],
    ['jwks.uri', { jwks: { uri: 'https://as.example/jwks' } }],
    ['jwt.clockToleranceSeconds', { jwt: { clockToleranceSeconds: -1 } }],
    ['maxIssuers', { maxIssuers: 0 }],
    ['revocation', { revocation: {} }],
  ])('%s at the top that cannot work is told while building', (path, options) => {
    const issuers = tenants(one)
    expect(() => resourceServer({ resource: RESOURCE, issuers, ...options })).toThrow(
      expect.objectContaining({ code: 'ERR_RESOURCE_SERVER_CONFIGURATION', path }),
    )
    start({ issuers })
  })
})

describe('issuers from a list', () => {
  it('go by their aliases, under the name that was configured', async () => {
    const alias = 'https://mtls.example.com/oauth2/token'
    const get = start({ issuers: [{ issuer: one.issuer, aliases: [alias] }] })
    expect((await get(one.mintJwt({ claims: { iss: alias } }))).body).toMatchObject({ issuer: one.issuer })
    expect((await get(one.mintJwt({ claims: { iss: `${alias}/` } }))).status).toBe(401)
  })

  it('may have keys and endpoints on any https host, and on listed ones only if hosts are listed', async () => {
    one.metadata['jwks_uri'] = two.jwksUri
    const get = start({ issuer: one.issuer })
    expect((await get(one.mintJwt())).status).toBe(401)
    expect(two.count('jwks')).toBe(1)
    await server.close()

    const strict = start({ issuer: one.issuer, metadata: { allowedHosts: ['keys.example.com'] } })
    expect((await strict(one.mintJwt())).status).toBe(503)
    expect(events.at(-1)).toMatchObject({ reason: 'metadata_unusable', name: 'jwks_uri' })
    await server.close()

    one.metadata['jwks_uri'] = one.jwksUri
    const own = start({ issuer: one.issuer, metadata: { allowedHosts: ['keys.example.com'] } })
    expect((await own(one.mintJwt())).status).toBe(200)
  })

  it.each([['https://keys.example.com'], ['keys.example.com/jwks'], [''], ['keys.example.com:443']])(
    'do not take %j for a host',
    (host) => {
      start({ issuer: one.issuer })
      expect(() =>
        resourceServer({ resource: RESOURCE, issuer: one.issuer, metadata: { allowedHosts: [host] } }),
      ).toThrow(expect.objectContaining({ path: 'metadata.allowedHosts' }))
    },
  )

  describe('under a public name, reached by an internal one', () => {
    const name = 'https://login.example.com/realms/demo'

    it('are fetched from there, and their name is still checked', async () => {
      one.metadata['issuer'] = name
      const get = start({ issuer: name, metadata: { url: one.metadataUrls.openid }, allowInsecureHttp: true })
      expect((await get(one.mintJwt({ claims: { iss: name } }))).body).toMatchObject({ issuer: name })
      expect((await get(one.mintJwt())).status).toBe(401)
      expect(events).toMatchObject([{ reason: 'untrusted_issuer' }])
    })

    it("are an outage if the document found there is another issuer's", async () => {
      const get = start({ issuer: name, metadata: { url: one.metadataUrls.openid } })
      expect((await get(one.mintJwt({ claims: { iss: name } }))).status).toBe(503)
      expect(events).toMatchObject([{ reason: 'metadata_unusable', found: one.issuer }])
    })

    it('need no metadata where addresses are given', async () => {
      const get = start({
        issuer: name,
        jwks: { uri: one.jwksUri },
        introspection: { ...introspection, endpoint: one.introspectionEndpoint },
      })
      expect((await get(one.mintJwt({ claims: { iss: name } }))).status).toBe(200)
      expect((await get(one.issueOpaque({ response: { iss: name } }))).status).toBe(200)
      expect(one.count('metadata')).toBe(0)
    })
  })
})
