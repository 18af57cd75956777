/** WSO2 Identity Server as a resource server meets it, against a stand-in that speaks its dialect. */
import { afterEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import {
  resourceServer,
  type IntrospectionOptions,
  type ResourceServer,
  type ResourceServerEvent,
  type ResourceServerOptions,
} from '../../lib/index.js'
import { createHints } from '../../lib/core/hints.js'
import {
  createWso2Issuer,
  NEVER_EXPIRES,
  type Wso2Issuer,
  type Wso2IssuerOptions,
} from '../support/wso2-issuer.js'

const RESOURCE = 'https://api.example.com'
const user = { clientId: 'admin', clientSecret: 'admin', authMethod: 'http_basic' } as const

let as: Wso2Issuer
let server: ResourceServer
let events: ResourceServerEvent[]

afterEach(async () => {
  await Promise.all([server.close(), as.close()])
})

async function start(
  options: Wso2IssuerOptions = {},
  introspection: IntrospectionOptions | false = user,
  more: (issuer: Wso2Issuer) => Partial<ResourceServerOptions> = () => ({}),
) {
  as = await createWso2Issuer(options)
  events = []
  server = resourceServer({
    resource: RESOURCE,
    profile: 'wso2',
    introspection,
    onRefusal: (event) => events.push(event),
    ...(more(as).issuers ? {} : { issuer: as.issuer }),
    ...more(as),
  } as ResourceServerOptions)
  const app = express().get('/', server, (req, res) => res.json(req.auth))
  return (token: string) => request(app).get('/').auth(token, { type: 'bearer' })
}

describe('its self-contained tokens', () => {
  it('are verified with the key that stands under several names', async () => {
    const get = await start()
    const { status, body } = await get(as.mintJwt())
    expect({ status, events }).toEqual({ status: 200, events: [] })
    expect(body).toMatchObject({
      issuer: as.issuer,
      subject: 'a6e4bcf4-5a5b-4d6f-9f0c-6f1a1f8e1d9b',
      clientId: '7YQ1QaLhMTOnJf8Z',
      scopes: ['openid', 'orders_read'],
    })
  })

  it.each([[undefined], ['acme.example']])(
    'are found by the issuer that is a token endpoint (tenant %s)',
    async (tenant) => {
      const get = await start(tenant === undefined ? {} : { tenant })
      expect(as.issuer).toMatch(
        tenant === undefined ? /[0-9]\/oauth2\/token$/ : /\/t\/acme\.example\/oauth2\/token$/,
      )
      expect((await get(as.mintJwt())).status).toBe(200)
      expect(as.count('jwks')).toBe(1)
    },
  )

  it('may have their scopes in a list', async () => {
    const get = await start()
    expect(
      (await get(as.mintJwt({ claims: { scope: ['orders_read', 'orders_write'] } }))).body,
    ).toMatchObject({
      scopes: ['orders_read', 'orders_write'],
    })
  })

  it('of the host for mutual TLS are accepted by an alias', async () => {
    const get = await start({}, user, ({ issuer, mtlsIssuer }) => ({
      issuers: [{ issuer, aliases: [mtlsIssuer] }],
    }))
    expect((await get(as.mintJwt({ claims: { iss: as.mtlsIssuer } }))).body).toMatchObject({
      issuer: as.issuer,
    })
  })

  it.each([
    ['a refresh token', { typ: 'rt+jwt' }],
    ['a subject token', { typ: 'jwt' }],
    ['an ID token', { typ: undefined }],
  ])('are not mixed up with %s', async (_what, header) => {
    const get = await start()
    expect((await get(as.mintJwt({ header }))).status).toBe(401)
    expect(events).toMatchObject([{ reason: 'token_type_mismatch' }])
  })

  it('for the client alone, as they are without a configured audience, are refused', async () => {
    const get = await start()
    expect((await get(as.mintJwt({ claims: { aud: '7YQ1QaLhMTOnJf8Z' } }))).status).toBe(401)
    expect(events).toMatchObject([{ reason: 'audience_mismatch' }])
  })

  it('are called JWT where they are introspected', async () => {
    const get = await start({}, user, () => ({ jwt: false }))
    const { body } = await get(as.mintJwt())
    expect(body).toMatchObject({ format: 'opaque', subject: 'a6e4bcf4-5a5b-4d6f-9f0c-6f1a1f8e1d9b' })
  })
})

describe('its opaque tokens', () => {
  it('have a username and no sub, iss and jti', async () => {
    const get = await start()
    expect((await get(as.issueOpaque())).body).toMatchObject({
      issuer: as.issuer,
      subject: 'SECONDARY/john@carbon.super',
      clientId: '7YQ1QaLhMTOnJf8Z',
    })
  })

  it('of an application name nobody but the client', async () => {
    const get = await start()
    const { body } = await get(as.issueOpaque({ aut: 'APPLICATION', username: undefined }))
    expect(body).not.toHaveProperty('subject')
    expect(body).toMatchObject({ clientId: '7YQ1QaLhMTOnJf8Z' })
  })

  it('may never expire', async () => {
    const get = await start()
    const token = as.issueOpaque({ exp: NEVER_EXPIRES })
    const { status, body } = await get(token)
    expect(status).toBe(200)
    expect(() => new Date((body as { expiresAt: number }).expiresAt * 1000).toISOString()).not.toThrow()
    expect((await get(token)).body).toMatchObject({ source: 'cache' })
    expect(as.count('introspection')).toBe(1)
  })

  it('are not mixed up with refresh tokens, which are active too', async () => {
    const get = await start()
    expect((await get(as.issueOpaque({ token_type: 'Refresh', aut: undefined }))).status).toBe(401)
    expect(events).toMatchObject([{ reason: 'opaque_token_type_mismatch', found: 'Refresh' }])
  })

  it('that do not name the audience need a decision', async () => {
    const get = await start()
    const token = as.issueOpaque({ aud: undefined })
    expect((await get(token)).status).toBe(401)
    expect(events).toMatchObject([{ reason: 'audience_missing' }])
    await Promise.all([server.close(), as.close()])
    const lenient = await start({}, { ...user, allowMissingAudience: true })
    expect((await lenient(as.issueOpaque({ aud: undefined }))).status).toBe(200)
  })

  it("go to their own tenant's endpoint", async () => {
    const other = await createWso2Issuer()
    const get = await start({ tenant: 'acme.example' }, false, ({ issuer }) => ({
      issuers: [
        { issuer, introspection: user },
        { issuer: other.issuer, introspection: user },
      ],
      routeOpaque: () => issuer,
    }))
    expect((await get(as.issueOpaque())).status).toBe(200)
    expect((await get(other.issueOpaque())).status).toBe(401)
    expect(other.count()).toBe(0)
    await other.close()
  })
})

describe('its introspection endpoint', () => {
  it('takes a user, whose name is sent as it is', async () => {
    const name = 'admin@acme.example'
    const get = await start(
      { introspection: { user: { name, password: 'pä ss:+' } } },
      { clientId: name, clientSecret: 'pä ss:+', authMethod: 'http_basic' },
    )
    expect((await get(as.issueOpaque())).status).toBe(200)
  })

  it('takes a client, where it is told to', async () => {
    const get = await start(
      { introspection: { client: { id: 'orders-api', secret: 's3cret' } } },
      { clientId: 'orders-api', clientSecret: 's3cret' },
    )
    expect((await get(as.issueOpaque())).status).toBe(200)
  })

  it('takes a token of our own', async () => {
    const get = await start({ introspection: { bearerToken: 'our-own' } }, { bearerToken: () => 'our-own' })
    expect((await get(as.issueOpaque())).status).toBe(200)
  })

  it('that refuses a client is an outage that names the setting', async () => {
    const get = await start({}, { clientId: 'orders-api', clientSecret: 's3cret' })
    expect((await get(as.issueOpaque())).status).toBe(503)
    const [event] = events
    expect(event).toMatchObject({ kind: 'outage', reason: 'introspection_credentials_refused' })
    const told: string[] = []
    createHints((message) => told.push(message))(event as ResourceServerEvent)
    expect(told).toEqual([expect.stringContaining('allowed_auth_handlers="BasicClientAuthentication"')])
  })

  it('wants no colon in the name of a user', async () => {
    await start()
    const introspection = { ...user, clientId: 'a:b' }
    expect(() => resourceServer({ resource: RESOURCE, issuer: as.issuer, introspection })).toThrow(
      expect.objectContaining({ path: 'introspection.clientId' }),
    )
  })
})
