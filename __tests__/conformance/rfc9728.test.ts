/** Protected resource metadata and resource indicators, by the rows of the checklist (RFC 9728, RFC 8707). */
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Express } from 'express'
import { jwtVerify } from 'jose'
import request from 'supertest'
import type { ResourceServerOptions } from '../../lib/core/options/options.js'
import { requireAuthorizationDetails } from '../../lib/express/authorization-guards.js'
import { anyOf, requireScopes } from '../../lib/express/guards.js'
import {
  protectedResourceMetadata,
  type ResourceMetadataOptions,
} from '../../lib/express/resource-metadata.js'
import { resourceServer, type ResourceServer } from '../../lib/express/resource-server.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { EXPRESS_VERSIONS } from '../support/apps.js'
import { parseChallenges } from '../support/challenges.js'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

describe.each(EXPRESS_VERSIONS)('protected resource metadata on %s', (_version, express) => {
  let issuer: TestIssuer
  const servers: ResourceServer[] = []

  beforeAll(async () => {
    issuer = await createTestIssuer()
  })
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()))
    await issuer.close()
  })

  function createApp(
    resource: string,
    options: Partial<ResourceServerOptions> = {},
    metadata: ResourceMetadataOptions = {},
    routes: (app: Express) => void = () => undefined,
  ): Express {
    const app = express()
    const server = resourceServer({ resource, issuer: issuer.issuer, ...options })
    servers.push(server)
    app.use(protectedResourceMetadata(server, metadata))
    app.use(server)
    routes(app)
    app.get('/orders', requireScopes('orders:read'), (_req, res) => res.json({}))
    return app
  }

  it.each([
    ['https://api.example.com', WELL_KNOWN],
    ['https://api.example.com/', WELL_KNOWN],
    ['https://api.example.com/a/b', `${WELL_KNOWN}/a/b`],
    ['https://api.example.com/a/b/', `${WELL_KNOWN}/a/b`],
    ['https://api.example.com/a?k=v', `${WELL_KNOWN}/a?k=v`],
  ])('R9728-01 R9728-02 the document of %s is at %s', async (resource, path) => {
    const app = createApp(resource)
    const response = await request(app).get(path)
    expect(response.status).toBe(200)
    expect(response.body).toMatchObject({ resource })
    const appended = await request(app).get(`/a/b${WELL_KNOWN}`)
    expect(appended.status).toBe(401)
  })

  it('R9728-02 the query is a part of the address', async () => {
    expect((await request(createApp('https://api.example.com/a?k=v')).get(`${WELL_KNOWN}/a`)).status).toBe(
      401,
    )
  })

  it('R9728-03 is JSON, reachable without a token, for pages of any origin', async () => {
    const app = createApp('https://api.example.com')
    const response = await request(app).get(WELL_KNOWN)
    expect(response.status).toBe(200)
    expect(response.headers['content-type']).toMatch(/^application\/json/)
    const head = await request(app).head(WELL_KNOWN)
    expect(head.status).toBe(200)
    expect(head.headers['content-length']).toBe(response.headers['content-length'])
    expect((await request(app).options(WELL_KNOWN)).status).toBe(204)
    const post = await request(app).post(WELL_KNOWN)
    expect(post.status).toBe(405)
    expect(post.headers['allow']).toBe('GET, HEAD, OPTIONS')
  })

  it('R9728-04 says the configured resource, whatever the Host says', async () => {
    const app = createApp('https://API.example.com:443/x')
    const response = await request(app).get(`${WELL_KNOWN}/x`).set('Host', 'evil.example')
    expect(response.body).toMatchObject({ resource: 'https://API.example.com:443/x' })
  })

  it.each(['http://api.example.com', 'urn:example:api'])('R9728-05 refuses %s at start', (resource) => {
    const server = resourceServer({ resource, issuer: issuer.issuer })
    servers.push(server)
    expect(() => protectedResourceMetadata(server)).toThrow(/resource must be an https: URL/)
  })

  it('R9728-05 takes http on the loopback interface, and no fragment at all', () => {
    expect(() => createApp('http://127.0.0.1:3000')).not.toThrow()
    expect(() => createApp('https://api.example.com#x')).toThrow(/without fragment/)
  })

  it('R9728-06 leaves out what is empty', async () => {
    const app = express()
    const server = resourceServer({ resource: 'https://api.example.com', issuer: issuer.issuer })
    servers.push(server)
    app.use(
      protectedResourceMetadata(server, { members: { resource_name: undefined, ui_locales: [] } }),
      server,
    )
    const { body } = await request(app).get(WELL_KNOWN)
    expect(body).toMatchObject({ resource: 'https://api.example.com' })
    expect(body).not.toHaveProperty('scopes_supported')
    expect(body).not.toHaveProperty('resource_name')
    expect(body).not.toHaveProperty('ui_locales')
  })

  it.each([
    [undefined, ['header']],
    ['form' as const, ['header', 'body']],
    [['form', 'query'] as const, ['header', 'body', 'query']],
  ])('R9728-07 tokens from %j are told as %j', async (tokenFrom, methods) => {
    const app = createApp('https://api.example.com', tokenFrom ? { tokenFrom } : {})
    const { body } = await request(app).get(WELL_KNOWN)
    expect(body).toMatchObject({ bearer_methods_supported: methods })
  })

  it('R9728-08 names the issuers, and the scopes of the guards that are mounted behind this server', async () => {
    const app = createApp('https://api.example.com', {}, {}, (app) => {
      app.get('/admin', requireScopes(anyOf('admin', 'orders:write'), 'offline_access'), (_req, res) =>
        res.json({}),
      )
      const router = express.Router()
      router.get('/:id', requireScopes('reports'), (_req, res) => res.json({}))
      app.use('/reports', router)
    })
    const { body } = await request(app).get(WELL_KNOWN)
    expect(body).toMatchObject({
      authorization_servers: [issuer.issuer],
      scopes_supported: ['admin', 'orders:read', 'orders:write', 'reports'],
    })
  })

  it('R9728-08 scopes and authorization servers may be given', async () => {
    const given = { scopesSupported: ['a'], authorizationServers: ['https://as.example'] }
    const { body } = await request(createApp('https://api.example.com', {}, given)).get(WELL_KNOWN)
    expect(body).toMatchObject({ scopes_supported: ['a'], authorization_servers: ['https://as.example'] })
  })

  it('R9728-09 tells the types of authorization details that guards ask for', async () => {
    const app = createApp('https://api.example.com', {}, {}, (app) => {
      app.get('/pay', requireAuthorizationDetails({ type: 'payment' }), (_req, res) => res.json({}))
    })
    const { body } = await request(app).get(WELL_KNOWN)
    expect(body).toMatchObject({ authorization_details_types_supported: ['payment'] })
  })

  it.each(['resource', 'scopes_supported', 'bearer_methods_supported', 'signed_metadata'])(
    'R9728-09 %s follows from the options and cannot be made up',
    (name) => {
      expect(() => createApp('https://api.example.com', {}, { members: { [name]: ['x'] } })).toThrow(
        /Leave it out/,
      )
    },
  )

  it('R9728-10 every challenge, 401 and 403, points to an address that answers', async () => {
    const app = createApp('https://api.example.com/v1')
    const none = await request(app).get('/orders')
    const bad = await request(app)
      .get('/orders')
      .set('Authorization', `Bearer ${issuer.mintJwt({ expiresInSeconds: -99 })}`)
    const poor = await request(app)
      .get('/orders')
      .set(
        'Authorization',
        `Bearer ${issuer.mintJwt({ audience: 'https://api.example.com/v1', scope: 'x' })}`,
      )
    expect([none.status, bad.status, poor.status]).toEqual([401, 401, 403])
    for (const response of [none, bad, poor]) {
      const challenges = parseChallenges(response.headers['www-authenticate'])
      expect(challenges.length).toBeGreaterThan(0)
      for (const { params } of challenges) {
        expect(params['resource_metadata']).toBe(`https://api.example.com${WELL_KNOWN}/v1`)
      }
    }
    expect((await request(app).get(`${WELL_KNOWN}/v1`)).status).toBe(200)
  })

  it('R9728-11 signed_metadata says the same as the plain members', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', kid: 'own' }
    const { body } = await request(createApp('https://api.example.com', {}, { signer: { key } })).get(
      WELL_KNOWN,
    )
    const { signed_metadata: signed, ...plain } = body as Record<string, string>
    const { payload, protectedHeader } = await jwtVerify(signed ?? '', publicKey)
    expect(protectedHeader).toEqual({ alg: 'ES256', kid: 'own' })
    expect(payload).toMatchObject({ ...plain, iss: 'https://api.example.com' })
    expect(payload).not.toHaveProperty('signed_metadata')
  })

  it('R9728-12 may be kept for a while', async () => {
    const app = createApp('https://api.example.com', {}, { maxAgeSeconds: 60 })
    const response = await request(app).get(WELL_KNOWN)
    expect(response.headers['cache-control']).toBe('public, max-age=60')
    expect(response.headers['access-control-allow-origin']).toBe('*')
  })

  it('R8707-01 identifiers are compared whole, and several may be named', async () => {
    const app = createApp('https://api.example', { audience: ['https://api.example', 'orders'] })
    const statusFor = async (audience: string | string[]) => {
      const token = issuer.mintJwt({ audience, scope: 'orders:read' })
      return (await request(app).get('/orders').set('Authorization', `Bearer ${token}`)).status
    }
    expect(await statusFor('https://api.example')).toBe(200)
    expect(await statusFor(['https://other.example', 'orders'])).toBe(200)
    for (const other of [
      'https://api.example.evil',
      'https://api.example/a',
      'https://api.example/',
      'https://API.example',
      'order',
    ]) {
      expect(await statusFor(other)).toBe(401)
    }
  })

  it('R8707-02 a token for one resource is refused at another of the same process', async () => {
    const app = express()
    const audiences = ['https://api.example.com/a', 'https://api.example.com/b']
    const [a, b] = audiences.map((resource) => resourceServer({ resource, issuer: issuer.issuer }))
    if (!a || !b) throw new Error('two servers')
    servers.push(a, b)
    app.use(protectedResourceMetadata(a), protectedResourceMetadata(b))
    app.use('/a', a, requireScopes('read'))
    app.use('/b', b, requireScopes('read'))
    app.use((_req, res) => void res.json({}))
    const token = issuer.mintJwt({ audience: audiences[0] ?? '' })
    const at = (path: string) => request(app).get(path).set('Authorization', `Bearer ${token}`)
    expect((await at('/a')).status).toBe(200)
    expect((await at('/b')).status).toBe(401)
    expect((await request(app).get(`${WELL_KNOWN}/a`)).body).toMatchObject({ resource: audiences[0] })
    expect((await request(app).get(`${WELL_KNOWN}/b`)).body).toMatchObject({ resource: audiences[1] })
  })
})
