/** A resource server without Express: requests of Fetch, and what to tell a client that is refused. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import { MissingTokenError } from '../../lib/core/errors.js'
import type { ResourceServerOptions } from '../../lib/core/options/options.js'
import type { TokenRequest } from '../../lib/core/token/extraction.js'
import { resourceServer, type ResourceServer } from '../../lib/express/resource-server.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { RESOURCE } from '../support/apps.js'
import { createDpopClient } from '../support/dpop.js'

let as: TestIssuer
const open: ResourceServer[] = []

beforeAll(async () => {
  as = await createTestIssuer()
})
afterEach(async () => {
  as.heal()
  await Promise.all(open.splice(0).map((server) => server.close()))
})
afterAll(() => as.close())

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

function build(options: Partial<ResourceServerOptions> = {}): ResourceServer {
  const server = resourceServer({ resource: RESOURCE, issuer: as.issuer, ...options })
  open.push(server)
  return server
}

function throwing(): never {
  throw new Error('of the application')
}

describe('a request of Fetch', () => {
  const url = `${RESOURCE}/orders`

  it('is accepted with its Headers, alone or in a Request', async () => {
    const server = build()
    const headers = new Headers(bearer(as.mintJwt()))
    for (const given of [{ headers }, new Request(url, { headers })]) {
      expect((await server.authenticate(given)).subject).toBe('alice')
    }
  })

  it('is accepted with a token in the query, and with a proof for its absolute URL', async () => {
    const server = build({ tokenFrom: 'query' })
    const byQuery = new Request(`${url}?access_token=${as.mintJwt()}`)
    expect((await server.authenticate(byQuery)).subject).toBe('alice')

    const client = createDpopClient()
    const token = as.mintJwt({ claims: { cnf: client.cnf } })
    const proof = client.proof({ token, url, method: 'POST' })
    const headers = { Authorization: `DPoP ${token}`, DPoP: proof }
    expect((await server.authenticate(new Request(url, { method: 'POST', headers }))).scheme).toBe('DPoP')
  })

  it('is refused without a token, or with two', async () => {
    const server = build()
    await expect(server.authenticate({ headers: new Headers() })).rejects.toBeInstanceOf(MissingTokenError)
    const joined = new Headers(bearer('a'))
    joined.append('Authorization', 'Bearer b')
    await expect(server.authenticate({ headers: joined })).rejects.toMatchObject({ status: 400 })
    const pairs = [
      ['Authorization', `Bearer ${as.mintJwt()}`],
      ['authorization', `Bearer ${as.mintJwt()}`],
    ] as const
    await expect(server.authenticate({ headers: pairs })).rejects.toMatchObject({
      reason: 'multiple_authorization_fields',
    })
  })
})

describe('answerTo', () => {
  /** What `authenticate` throws, and what is to be told of it. */
  async function answerOf(server: ResourceServer, given: TokenRequest) {
    const error: unknown = await server.authenticate(given).catch((thrown: unknown) => thrown)
    return server.answerTo(error, given)
  }

  it.each<[string, () => TokenRequest['headers']]>([
    ['no token', () => ({})],
    ['a bad token', () => bearer('a.b.c')],
    ['an expired token', () => bearer(as.mintJwt({ claims: { exp: 1 } }))],
    ['a malformed field', () => ({ authorization: 'Bearer' })],
    ['a proof that is missing', () => ({ authorization: 'DPoP abc' })],
  ])('tells of %s what the middleware tells', async (_what, make) => {
    const server = build({ challengeScopes: ['orders:read'] })
    const app = express().set('env', 'production').use(server)
    const headers = make()
    const sent = createServer(app).listen(0, '127.0.0.1')
    await once(sent, 'listening')
    const { port } = sent.address() as AddressInfo
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: headers as Record<string, string> })
    const answer = await answerOf(server, { headers })
    sent.close()

    expect(answer.status).toBe(response.status)
    expect(answer.body).toEqual(await response.json())
    for (const [name, value] of Object.entries(answer.headers)) {
      expect([value].flat().join(', ')).toBe(response.headers.get(name))
    }
    expect(Object.keys(answer.headers)).toEqual(['Cache-Control', 'WWW-Authenticate'])
  })

  it('brings the nonce that the client has to use', async () => {
    const server = build({ dpop: { nonce: 'required' } })
    const client = createDpopClient()
    const token = as.mintJwt({ claims: { cnf: client.cnf } })
    const headers = { authorization: `DPoP ${token}`, dpop: client.proof({ token, url: `${RESOURCE}/` }) }
    const request = { headers, method: 'GET', url: '/' }
    const answer = await answerOf(server, request)
    expect(String(answer.headers['WWW-Authenticate'])).toContain('error="use_dpop_nonce"')

    const nonce = String(answer.headers['DPoP-Nonce'])
    const proof = client.proof({ token, url: `${RESOURCE}/`, claims: { nonce } })
    const accessToken = await server.authenticate({ ...request, headers: { ...headers, dpop: proof } })
    expect(accessToken.scheme).toBe('DPoP')
  })

  it('tells of an outage when to come again, and says no word about the token', async () => {
    const server = build()
    as.fail('jwks', { kind: 'reset' })
    const { status, headers, body } = await answerOf(server, { headers: bearer(as.mintJwt()) })
    expect([status, body['error']]).toEqual([503, 'temporarily_unavailable'])
    expect(headers).toEqual({ 'Cache-Control': 'no-store', 'Retry-After': expect.stringMatching(/^\d+$/) })
  })

  it('says of an error of the application that there is one, and nothing else', async () => {
    const answer = await answerOf(build({ tokenFrom: throwing }), { headers: {} })
    expect(answer).toEqual({ status: 500, headers: { 'Cache-Control': 'no-store' }, body: {} })
  })
})
