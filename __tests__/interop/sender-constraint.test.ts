/**
 * Bound tokens of an authorization server that nobody here wrote, sent by clients that nobody here wrote:
 * oidc-provider, openid-client, dpop. They work once, for their request, and for nobody else.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer, request as httpsRequest } from 'node:https'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import * as dpop from 'dpop'
import express from 'express'
import * as oauth from 'openid-client'
import { startAuthorizationServer } from '../../examples/demo/authorization-server.mjs'
import {
  requireScopes,
  requireSenderConstrained,
  resourceServer,
  type ResourceServer,
} from '../../lib/index.js'
import { createTestCertificate, type TestCertificate } from '../../lib/testing/certificates.js'
import { parseChallenges } from '../support/challenges.js'

const RESOURCE = 'https://api.example.com'
const OPAQUE = `${RESOURCE}?format=opaque`
let authorizationServer: Awaited<ReturnType<typeof startAuthorizationServer>>

beforeAll(async () => {
  authorizationServer = await startAuthorizationServer()
})
afterAll(() => authorizationServer.stop())

interface Api {
  readonly url: string
  readonly server: ResourceServer
  readonly http: Server
}

async function startApi(nonce: 'off' | 'required'): Promise<Api> {
  const app = express().set('env', 'production')
  const http = createServer((req, res) => void app(req, res))
  await once(http.listen(0, '127.0.0.1'), 'listening')
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const server = resourceServer({
    resource: RESOURCE,
    issuer: authorizationServer.issuer,
    introspection: { clientId: 'rs', clientSecret: 'rs-secret' },
    dpop: { origin, nonce },
  })
  app.use(server, requireSenderConstrained('dpop'), requireScopes('orders:read'))
  app.all('/orders{/:id}', (req, res) => res.json({ format: req.auth.format, scheme: req.auth.scheme }))
  return { url: `${origin}/orders`, server, http }
}

async function stop({ server, http }: Api): Promise<void> {
  http.close()
  http.closeAllConnections()
  await server.close()
}

describe.each([
  ['a JWT', 'jwt', RESOURCE],
  ['an opaque token', 'opaque', OPAQUE],
])('%s that is bound to a key', (_what, format, resource) => {
  describe.each(['off', 'required'] as const)('with nonces of the API %s', (nonce) => {
    let api: Api
    let config: oauth.Configuration

    beforeAll(async () => {
      api = await startApi(nonce)
      const authentication = oauth.ClientSecretBasic('svc-secret')
      config = await oauth.discovery(new URL(authorizationServer.issuer), 'svc', undefined, authentication, {
        algorithm: 'oauth2',
        // eslint-disable-next-line @typescript-eslint/no-deprecated -- it is meant to stand out; all is on one machine here
        execute: [oauth.allowInsecureRequests],
      })
    })
    afterAll(() => stop(api))

    const obtain = async (DPoP: oauth.DPoPHandle) => {
      const answer = await oauth.clientCredentialsGrant(config, { scope: 'orders:read', resource }, { DPoP })
      expect(answer.token_type).toBe('dpop')
      return answer.access_token
    }

    it('is accepted from openid-client, again and again', async () => {
      const handle = oauth.getDPoPHandle(config, await oauth.randomDPoPKeyPair())
      const token = await obtain(handle)
      for (const method of ['GET', 'POST', 'GET']) {
        const answer = await oauth.fetchProtectedResource(
          config,
          token,
          new URL(`${api.url}?page=1`),
          method,
          undefined,
          undefined,
          { DPoP: handle },
        )
        expect(answer.status).toBe(200)
        expect(await answer.json()).toEqual({ format, scheme: 'DPoP' })
      }
    })

    it.each(['ES256', 'PS256', 'RS256', 'Ed25519'] as const)(
      'is accepted once from dpop with %s',
      async (alg) => {
        const keys = await dpop.generateKeyPair(alg, { extractable: true })
        const others = await dpop.generateKeyPair(alg)
        const token = await obtain(oauth.getDPoPHandle(config, keys))
        const prove = (pair = keys, url = api.url, method = 'GET', accessToken = token) =>
          dpop.generateProof(pair, url, method, nonceOfServer, accessToken)
        const send = (proof: string, { url = api.url, method = 'GET', scheme = 'DPoP' } = {}) =>
          fetch(url, { method, headers: { authorization: `${scheme} ${token}`, dpop: proof } })

        const withoutNonce = await dpop.generateProof(keys, api.url, 'GET', undefined, token)
        const nonceOfServer = (await send(withoutNonce)).headers.get('dpop-nonce') ?? undefined
        expect(typeof nonceOfServer).toBe(nonce === 'required' ? 'string' : 'undefined')

        const proof = await prove()
        expect((await send(proof)).status).toBe(200)
        await expectRefused(await send(proof), 'invalid_dpop_proof', 'replayed')
        await expectRefused(await send(await prove(), { url: `${api.url}/7` }), 'invalid_dpop_proof', 'moved')
        await expectRefused(await send(await prove(), { method: 'POST' }), 'invalid_dpop_proof', 'method')
        await expectRefused(await send(await prove(others)), 'invalid_token', 'another key')
        await expectRefused(
          await send(await prove(keys, api.url, 'GET', 'another')),
          'invalid_dpop_proof',
          'another token',
        )
        await expectRefused(await send(await prove(), { scheme: 'Bearer' }), 'invalid_token', 'as Bearer')
        expect((await send(await prove())).status).toBe(200)
      },
    )
  })
})

/** By a challenge that exactly one scheme holds the error of. */
async function expectRefused(answer: Response, error: string, what: string): Promise<void> {
  await answer.arrayBuffer()
  const errors = parseChallenges(answer.headers.get('www-authenticate') ?? '').map(
    ({ params }) => params['error'],
  )
  expect({ what, status: answer.status, errors: errors.filter((one) => one !== undefined) }).toEqual({
    what,
    status: 401,
    errors: [error],
  })
}

describe.each([
  ['a JWT', 'jwt', RESOURCE],
  ['an opaque token', 'opaque', OPAQUE],
])('%s that is bound to a certificate', (_what, format, resource) => {
  const certificate = createTestCertificate({ commonName: 'api' })
  const mine = createTestCertificate({ commonName: 'svc-mtls' })
  const others = createTestCertificate({ commonName: 'thief' })

  async function obtain(): Promise<string> {
    const body = new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders:read', resource })
    const authorization = `Basic ${Buffer.from('svc-mtls:svc-mtls-secret').toString('base64')}`
    const headers = { authorization, 'x-client-cert': encodeURIComponent(mine.cert) }
    const answer = await fetch(`${authorizationServer.issuer}/token`, { method: 'POST', headers, body })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    return token
  }

  it('is accepted over TLS from who has the certificate', async () => {
    const server = resourceServer({
      resource: RESOURCE,
      issuer: authorizationServer.issuer,
      introspection: { clientId: 'rs', clientSecret: 'rs-secret' },
    })
    const app = express().use(server, requireSenderConstrained('mtls'))
    app.get('/', (req, res) => res.json({ format: req.auth.format }))
    const options = {
      cert: certificate.cert,
      key: certificate.key,
      requestCert: true,
      rejectUnauthorized: false,
    }
    const https = createTlsServer(options, (req, res) => void app(req, res))
    await once(https.listen(0, '127.0.0.1'), 'listening')
    const { port } = https.address() as AddressInfo

    const send = async (token: string, client?: TestCertificate, scheme = 'Bearer') => {
      const own = client ? { cert: client.cert, key: client.key } : {}
      const headers = { authorization: `${scheme} ${token}` }
      const outgoing = httpsRequest({
        port,
        host: '127.0.0.1',
        ca: certificate.cert,
        agent: false,
        headers,
        ...own,
      }).end()
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
      let text = ''
      for await (const chunk of answer) text += String(chunk)
      return { status: answer.statusCode, text }
    }

    const token = await obtain()
    expect(await send(token, mine)).toEqual({ status: 200, text: JSON.stringify({ format }) })
    expect((await send(token, others)).status).toBe(401)
    expect((await send(token)).status).toBe(401)
    expect((await send(token, mine, 'DPoP')).status).toBe(401)
    https.close()
    https.closeAllConnections()
    await server.close()
  })
})
