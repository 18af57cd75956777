/** The option `claims` and the guard `requireClaims`, with schemas of two libraries. */
import { challengeOf } from '../support/challenges.js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import request from 'supertest'
import * as v from 'valibot'
import { z } from 'zod'
import {
  accessTokenOf,
  requireClaims,
  resourceServer,
  type ClaimsSchema,
  type ResourceServer,
  type ResourceServerEvent,
} from '../../lib/index.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'

const RESOURCE = 'https://api.example.com'

let as: TestIssuer
let events: ResourceServerEvent[] = []
const servers: ResourceServer<object>[] = []

beforeAll(async () => {
  as = await createTestIssuer()
})

afterEach(async () => {
  events = []
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

afterAll(() => as.close())

function serve<S extends ClaimsSchema>(claims: S, more: { allowAnonymous?: boolean } = {}) {
  const server = resourceServer({
    resource: RESOURCE,
    issuer: as.issuer,
    introspection: { clientId: 'rs', clientSecret: 'rs-secret' },
    claims,
    ...more,
    onRefusal: (event) => events.push(event),
  })
  servers.push(server)
  return server
}

function get(token: string | undefined, ...handlers: RequestHandler[]) {
  const app = express()
    .set('env', 'test')
    .get('/', ...handlers)
  const call = request(app).get('/')
  return token === undefined ? call : call.auth(token, { type: 'bearer' })
}

const showClaims: RequestHandler = (req, res) => void res.json(req.auth.claims)

const tenant = { claims: { tenant: 'acme' } }
const opaqueTenant = { response: { tenant: 'acme' } }

describe('the option claims', () => {
  it.each<[string, ClaimsSchema]>([
    ['zod', z.object({ tenant: z.string() })],
    ['valibot', v.object({ tenant: v.string() })],
  ])('takes a schema of %s', async (_library, schema) => {
    const good = await get(as.mintJwt(tenant), serve(schema), showClaims)
    expect(good.body).toMatchObject({ tenant: 'acme' })
    const bad = await get(as.mintJwt({ claims: { tenant: 7 } }), serve(schema), showClaims)
    expect(bad.status).toBe(401)
    expect(bad.headers['www-authenticate']).toMatch(/error="invalid_token"/)
    expect(events).toMatchObject([{ reason: 'claims_mismatch', name: 'claims', issuer: as.issuer }])
    expect(events[0]?.found).toEqual([expect.stringMatching(/^tenant: /)])
  })

  it('puts out what the schema does, and keeps what it does not speak of', async () => {
    const schema = z.object({ tenant: z.string().toUpperCase(), plan: z.string().default('free') })
    const { body } = await get(as.mintJwt(tenant), serve(schema), showClaims)
    expect(body).toMatchObject({ tenant: 'ACME', plan: 'free', iss: as.issuer, sub: 'alice' })
  })

  it('hands out frozen claims', async () => {
    const api = serve(z.object({ tenant: z.string(), tags: z.array(z.string()) }))
    const token = as.mintJwt({ claims: { tenant: 'acme', tags: ['a'] } })
    const { claims } = await api.authenticate({ headers: { authorization: `Bearer ${token}` } })
    expect(Object.isFrozen(claims) && Object.isFrozen(claims.tags)).toBe(true)
  })

  it('asks the schema once a token', async () => {
    let asked = 0
    const schema = z.object({ tenant: z.string().refine(() => (asked += 1) > 0) })
    const api = serve(schema)
    for (const token of [as.mintJwt(tenant), as.issueOpaque(opaqueTenant)]) {
      asked = 0
      await get(token, api, showClaims)
      const { body } = await get(token, api, showClaims)
      expect({ asked, tenant: (body as { tenant: string }).tenant }).toEqual({ asked: 1, tenant: 'acme' })
    }
  })

  it('refuses an opaque token in the words in which all are refused, also when it is known', async () => {
    const api = serve(z.object({ tenant: z.string() }))
    const token = as.issueOpaque()
    as.resetRequests()
    const answers = [await get(token, api, showClaims), await get(token, api, showClaims)]
    const unknown = await get('no-such-token', api, showClaims)
    for (const answer of answers) {
      expect({ status: answer.status, body: answer.body as unknown }).toEqual({
        status: 401,
        body: unknown.body,
      })
    }
    expect(events.slice(0, 2)).toMatchObject([
      { reason: 'opaque_claims_mismatch', found: [expect.stringMatching(/^tenant: /)] },
      { reason: 'opaque_claims_mismatch' },
    ])
    expect(as.requests.filter(({ body }) => body.includes(token))).toHaveLength(1)
  })

  it('tells paths within a claim, and not too much', async () => {
    const schema = z.object({ rights: z.array(z.object({ on: z.string() })) })
    const rights = Array.from({ length: 50 }, () => ({ on: 7 }))
    await get(as.mintJwt({ claims: { rights } }), serve(schema), showClaims)
    const found = events[0]?.found as string[]
    expect(found[0]).toMatch(/^rights\.0\.on: /)
    expect(found.length).toBeLessThanOrEqual(10)
  })

  it.each<[string, ClaimsSchema]>([
    ['is asynchronous', z.object({ tenant: z.string().refine(() => Promise.resolve(true)) })],
    ['puts out no object', z.object({}).transform(() => 'text') as unknown as ClaimsSchema],
    ['puts out an instance', z.object({}).transform(() => new Date())],
  ])('is an error of the program if the schema %s', async (_what, schema) => {
    const { status } = await get(as.mintJwt(tenant), serve(schema), showClaims)
    expect(status).toBe(500)
  })

  it.each([
    [{}],
    [() => true],
    ['schema'],
    [{ '~standard': { version: 2, validate: () => ({ value: {} }) } }],
  ])('is a mistake that is told while building if it is no schema (%p)', (claims) => {
    expect(() => serve(claims as unknown as ClaimsSchema)).toThrow(
      expect.objectContaining({ path: 'claims' }),
    )
  })
})

describe('requireClaims', () => {
  const guard = requireClaims(z.object({ plan: z.literal('enterprise') }))
  const any = () => serve(z.object({}))

  it('lets a token pass whose claims the schema accepts', async () => {
    const { status } = await get(as.mintJwt({ claims: { plan: 'enterprise' } }), any(), guard, showClaims)
    expect(status).toBe(200)
  })

  it('refuses others with 403 and tells the operator where', async () => {
    const { status, headers } = await get(as.mintJwt({ claims: { plan: 'free' } }), any(), guard, showClaims)
    expect(status).toBe(403)
    expect(headers['www-authenticate']).toMatch(/error="insufficient_scope"/)
    expect(events).toMatchObject([{ reason: 'claim_mismatch', found: [expect.stringMatching(/^plan: /)] }])
  })

  it('needs a schema', () => {
    expect(() => requireClaims({} as unknown as ClaimsSchema)).toThrow(
      expect.objectContaining({ path: 'requireClaims' }),
    )
  })
})

describe('accessTokenOf', () => {
  it('is the accepted token, for any resource server and for the one it belongs to', async () => {
    const api = serve(z.object({ tenant: z.string() }))
    const { body } = await get(as.mintJwt(tenant), api, (req, res) => {
      res.json([accessTokenOf(req).subject, api.accessTokenOf(req).claims.tenant])
    })
    expect(body).toEqual(['alice', 'acme'])
  })

  it("throws if another resource server accepted the request, whose claims are not this one's", async () => {
    const api = serve(z.object({ tenant: z.string() }))
    const other = serve(z.object({}))
    const { status } = await get(as.mintJwt(), other, (req, res) => {
      res.json(api.accessTokenOf(req))
    })
    expect(status).toBe(500)
  })

  it('throws if no resource server ran', async () => {
    const { status } = await get(as.mintJwt(), (req, res) => {
      res.json(accessTokenOf(req))
    })
    expect(status).toBe(500)
  })
})

describe('handle', () => {
  it('runs the handler with the accepted token', async () => {
    const api = serve(z.object({ tenant: z.string() }))
    const handler = api.handle((req, res) => res.end(JSON.stringify({ tenant: req.auth.claims.tenant })))
    const { status, text } = await get(as.mintJwt(tenant), api, handler).buffer(true)
    expect({ status, text }).toEqual({ status: 200, text: '{"tenant":"acme"}' })
  })

  it('refuses a request that came without a token, with the challenge of its resource server', async () => {
    const api = serve(z.object({ tenant: z.string() }), { allowAnonymous: true })
    const { status, headers } = await get(
      undefined,
      api,
      api.handle((_req, res) => res.end('never')),
    )
    expect(status).toBe(401)
    expect(challengeOf(headers['www-authenticate']).params).toEqual({ realm: RESOURCE })
  })

  it('is an error of the program behind another resource server', async () => {
    const api = serve(z.object({ tenant: z.string() }))
    const { status } = await get(
      as.mintJwt(),
      serve(z.object({})),
      api.handle((_req, res) => res.end('never')),
    )
    expect(status).toBe(500)
  })
})

describe('a schema that rewrites what revocation goes by', () => {
  const rewriting = z
    .object({ tenant: z.string() })
    .transform(({ tenant: name }) => ({ tenant: name, jti: 'another', sid: undefined, status: undefined }))

  it('does not hide a revoked token', async () => {
    const server = serve(rewriting)
    const token = as.mintJwt({ claims: { tenant: 'acme', jti: 'the-one' } })
    expect((await get(token, server, showClaims)).body).toMatchObject({ tenant: 'acme', jti: 'the-one' })
    await server.revocations.revoke({ jti: 'the-one' })
    expect((await get(token, server, showClaims)).status).toBe(401)
  })

  it('does not hide the status list that a token names', async () => {
    const status = { status_list: { idx: 0, uri: 'https://elsewhere.example/list' } }
    const token = as.mintJwt({ claims: { tenant: 'acme', status } })
    // a list that may not be fetched from there: whatever it says, the token is not accepted unchecked
    expect((await get(token, serve(rewriting), showClaims)).status).not.toBe(200)
  })
})
