import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import supertest from 'supertest'
import express from 'express'
import { createTestIssuer, type TestIssuer } from '../../../lib/testing/test-issuer.js'
import { createOpaqueApi, type OpaqueApi } from '../../support/opaque-api.js'

let first: TestIssuer
let second: TestIssuer
let plain: TestIssuer
let api: OpaqueApi

function start(options: Parameters<typeof createOpaqueApi>[2] = {}, introspection = {}): void {
  api = createOpaqueApi(first, introspection, {
    issuers: [first.issuer, second.issuer, { issuer: plain.issuer, introspection: false }],
    ...options,
  })
}

beforeEach(async () => {
  ;[first, second, plain] = await Promise.all([createTestIssuer(), createTestIssuer(), createTestIssuer()])
  start()
})
afterEach(async () => {
  await api.guard.close()
  await Promise.all([first, second, plain].map((as) => as.close()))
})

const calls = () => [first, second, plain].map((as) => as.count('introspection'))

describe('an opaque token among several issuers', () => {
  it('is shown to them in order, until one knows it', async () => {
    await api.get(first.issueOpaque()).expect(200)
    expect(api.seen().issuer).toBe(first.issuer)
    expect(calls()).toEqual([1, 0, 0])
    await api.get(second.issueOpaque()).expect(200)
    expect(api.seen().issuer).toBe(second.issuer)
    expect(calls()).toEqual([2, 1, 0])
  })

  it('is remembered as the one issuer’s, and as the other’s no', async () => {
    const token = second.issueOpaque()
    for (let time = 0; time < 3; time += 1) await api.get(token).expect(200)
    expect(calls()).toEqual([1, 1, 0])
  })

  it('is refused if none knows it', async () => {
    await api.get('unknown').expect(401)
    await api.get('unknown').expect(401)
    expect(calls()).toEqual([1, 1, 0])
  })

  it('is never shown to an issuer without introspection, nor is a JWT to any', async () => {
    await api.get('unknown').expect(401)
    await api.get(first.mintJwt()).expect(200)
    await api.get(plain.mintJwt()).expect(200)
    expect(calls()).toEqual([1, 1, 0])
  })

  it('is shown to nobody if it is a JWT of a stranger’s', async () => {
    await api.get(first.mintJwt({ claims: { iss: 'https://stranger.example' } })).expect(401)
    expect(calls()).toEqual([0, 0, 0])
  })

  it('is believed if one vouches for it while another is down', async () => {
    await first.goDown()
    await api.get(second.issueOpaque()).expect(200)
  })

  it('is not refused if one cannot be asked and the others say no', async () => {
    await api.guard.ready()
    await second.goDown()
    await api.get('unknown').expect(503)
    await second.comeBack()
    await api.get('unknown').expect(401)
  })

  it('is judged by the issuer who knows it: another’s answer may not speak for it', async () => {
    first.answerIntrospection(() => ({
      body: { active: true, aud: 'https://api.example.com', iss: second.issuer },
    }))
    await api.get('token').expect(401)
    expect(api.events.at(-1)).toMatchObject({ reason: 'issuer_mismatch', issuer: first.issuer })
  })
})

describe('routeOpaque', () => {
  const restart = async (routeOpaque: (token: string) => string | undefined) => {
    await api.guard.close()
    start({ routeOpaque })
  }

  it('shows a token to the named issuer only', async () => {
    await restart((token) => (token.startsWith('two-') ? second.issuer : first.issuer))
    await api.get(second.issueOpaque({ token: 'two-1' })).expect(200)
    await api.get(second.issueOpaque({ token: 'one-1' })).expect(401)
    expect(calls()).toEqual([1, 1, 0])
  })

  it('shows it to nobody where it names nobody', async () => {
    await restart(() => undefined)
    await api.get(first.issueOpaque()).expect(401)
    expect(calls()).toEqual([0, 0, 0])
  })

  it('counts for what is remembered, too', async () => {
    let route: string | undefined = first.issuer
    await restart(() => route)
    const token = first.issueOpaque()
    await api.get(token).expect(200)
    route = second.issuer
    await api.get(token).expect(401)
    route = undefined
    await api.get(token).expect(401)
  })

  it('is a developer’s error where it names an issuer that is not there', async () => {
    for (const name of ['https://stranger.example', '', plain.issuer]) {
      await restart(() => name)
      const app = express()
      app.use(api.guard)
      const answer: express.ErrorRequestHandler = (error: { path?: string }, _request, response, next) => {
        if (response.headersSent) next(error)
        else response.status(500).json({ path: error.path })
      }
      app.use(answer)
      const response = await supertest(app).get('/').set('Authorization', 'Bearer opaque').expect(500)
      expect(response.body).toEqual({ path: 'routeOpaque' })
    }
    expect(calls()).toEqual([0, 0, 0])
  })
})

describe('a JWT that is to be introspected', () => {
  it('is shown to the issuer it names, and to no other', async () => {
    await api.guard.close()
    start({ jwt: false, issuers: [first.issuer, { issuer: second.issuer, jwt: {} }] })
    const token = first.mintJwt()
    first.issueOpaque({ token })
    await api.get(token).expect(200)
    expect(api.seen()).toMatchObject({ format: 'opaque', issuer: first.issuer })
    expect(calls()).toEqual([1, 0, 0])
  })

  it.each([
    ['listed', {}],
    ['named by a function', { issuers: (issuer: string) => ({ issuer }) }],
  ])(
    'is a developer’s error where it answers with a promise, however that ends: issuers %s',
    async (_how, own) => {
      const routeOpaque = (() => Promise.reject(new Error('later'))) as unknown as () => string
      await api.guard.close()
      start({ ...own, routeOpaque })
      const given = { headers: { authorization: 'Bearer opaque' } }
      await expect(api.guard.authenticate(given)).rejects.toMatchObject({
        code: 'ERR_RESOURCE_SERVER_CONFIGURATION',
        path: 'routeOpaque',
      })
      // a rejection that nobody handles would end the process, and this run with it, before the next turn
      await new Promise((resolve) => setImmediate(resolve))
      expect(calls()).toEqual([0, 0, 0])
    },
  )
})
