/** The sender constraint of the FAPI 2.0 Security Profile, by the rows of the checklist. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { requireSenderConstrained } from '../../lib/index.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { createApi, RESOURCE, type Api } from '../support/apps.js'
import { parseChallenges } from '../support/challenges.js'
import { createDpopClient } from '../support/dpop.js'

describe('a route on which a stolen token is worthless', () => {
  const client = createDpopClient()
  let issuer: TestIssuer
  let api: Api

  beforeAll(async () => {
    issuer = await createTestIssuer()
    api = createApi(
      express,
      {
        resource: RESOURCE,
        issuer: issuer.issuer,
        mtls: { certificateFrom: 'client-cert', trustedProxies: () => true },
      },
      {
        routes(app) {
          app.get('/either', requireSenderConstrained(), (_req, res) => res.json({}))
          app.get('/dpop', requireSenderConstrained('dpop'), (_req, res) => res.json({}))
          app.get('/mtls', requireSenderConstrained('mtls'), (_req, res) => res.json({}))
        },
      },
    )
  })
  afterAll(async () => {
    await api.server.close()
    await issuer.close()
  })

  const certificate = Buffer.from([0x30, 0x00])
  const thumbprint = createHash('sha256').update(certificate).digest('base64url')
  const send = {
    unbound: (path: string) => request(api.app).get(path).auth(issuer.mintJwt(), { type: 'bearer' }),
    dpop(path: string) {
      const token = issuer.mintJwt({ claims: { cnf: client.cnf } })
      const proof = client.proof({ token, url: `${RESOURCE}${path}` })
      return request(api.app).get(path).set('Authorization', `DPoP ${token}`).set('DPoP', proof)
    },
    mtls(path: string) {
      const token = issuer.mintJwt({ claims: { cnf: { 'x5t#S256': thumbprint } } })
      return request(api.app)
        .get(path)
        .auth(token, { type: 'bearer' })
        .set('Client-Cert', `:${certificate.toString('base64')}:`)
    },
  }

  it.each([
    ['/either', 'unbound', 401],
    ['/either', 'dpop', 200],
    ['/either', 'mtls', 200],
    ['/dpop', 'unbound', 401],
    ['/dpop', 'dpop', 200],
    ['/dpop', 'mtls', 401],
    ['/mtls', 'unbound', 401],
    ['/mtls', 'dpop', 401],
    ['/mtls', 'mtls', 200],
  ] as const)('FAPI-04 %s with a token that is %s is %i', async (path, kind, status) => {
    const answer = await send[kind](path)
    expect(answer.status).toBe(status)
    if (status === 200) return
    const errors = parseChallenges(answer.headers['www-authenticate']).map(({ params }) => params['error'])
    expect(errors.filter((error) => error !== undefined)).toEqual(['invalid_token'])
  })

  it.each([
    [10, 200],
    [61, 401],
  ])('FAPI-07 a proof of %i seconds in the future is %i', async (seconds, status) => {
    const token = issuer.mintJwt({ claims: { cnf: client.cnf } })
    const iat = Math.floor(Date.now() / 1000) + seconds
    const proof = client.proof({ token, url: `${RESOURCE}/either`, claims: { iat } })
    const answer = await request(api.app)
      .get('/either')
      .set('Authorization', `DPoP ${token}`)
      .set('DPoP', proof)
    expect(answer.status).toBe(status)
  })
})
