/** Tenants come and go by the word of a function: what it takes back must end, whatever strangers send meanwhile. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import supertest from 'supertest'
import { resourceServer, type IssuerOptions, type ResourceServer } from '../../lib/index.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { createClock, type Clock } from '../support/opaque-api.js'

const metadata = { allowedHosts: ['127.0.0.1'] }

let as: TestIssuer
let server: ResourceServer
let clock: Clock

beforeEach(async () => {
  as = await createTestIssuer()
  clock = createClock()
})

afterEach(async () => {
  clock.restore()
  await server.close()
  await as.close()
})

function start(issuers: (iss: string) => IssuerOptions | undefined | Promise<IssuerOptions | undefined>) {
  server = resourceServer({ resource: 'https://api.example.com', issuers })
  const app = express().set('env', 'production')
  app.get('/', server, (_req, res) => res.json({}))
  const listening = app.listen(0, '127.0.0.1')
  const get = async (token: string) => {
    const { status } = await supertest(listening).get('/').set('Authorization', `Bearer ${token}`)
    return status
  }
  return { get, close: () => new Promise((resolve) => listening.close(resolve)) }
}

describe('a tenant that the function no longer knows', () => {
  it('is not kept alive by a flood of tokens with made-up issuers', async () => {
    let isTenant = true
    const release: (() => void)[] = []
    const api = start((iss) => {
      if (iss === as.issuer) return isTenant ? { issuer: iss, metadata } : undefined
      return new Promise((resolve) => release.push(() => resolve(undefined)))
    })
    const token = as.mintJwt({ claims: { exp: Math.floor(Date.now() / 1000) + 3600 } })
    expect(await api.get(token)).toBe(200)

    isTenant = false
    clock.advance(61)
    const flood = Array.from({ length: 100 }, (_, index) =>
      api.get(as.mintJwt({ claims: { iss: `https://${index}.example` } })),
    )
    while (release.length < 100) await new Promise((resolve) => setImmediate(resolve))
    expect(await api.get(token)).toBe(401)

    for (const one of release) one()
    expect(new Set(await Promise.all(flood))).toEqual(new Set([401]))
    await api.close()
  })
})

describe('a tenant whose options the function keeps in one object and changes there', () => {
  it('is judged by the new ones after a minute', async () => {
    const entry = { issuer: as.issuer, metadata, audience: 'https://api.example.com' }
    const api = start(() => entry)
    const exp = Math.floor(Date.now() / 1000) + 3600
    const token = as.mintJwt({ claims: { exp } })
    expect(await api.get(token)).toBe(200)
    entry.audience = 'https://other.example.com'
    clock.advance(61)
    expect(await api.get(token)).toBe(401)
    expect(await api.get(as.mintJwt({ claims: { exp, aud: 'https://other.example.com' } }))).toBe(200)
    await api.close()
  })

  it('keeps what is remembered of it where nothing has changed', async () => {
    const api = start((iss) => ({ issuer: iss, metadata, jwks: { keys: as.jwks().keys } }))
    const token = as.mintJwt({ claims: { exp: Math.floor(Date.now() / 1000) + 3600 } })
    expect(await api.get(token)).toBe(200)
    clock.advance(61)
    expect(await api.get(token)).toBe(200)
    expect(server.health().issuers).toMatchObject([{ cachedJwts: 1 }])
    await api.close()
  })
})

describe('a tenant with two names', () => {
  it('is opened once, and no request for it fails, when both are asked about at the same time', async () => {
    const alias = 'https://alias.example'
    const waiting: (() => void)[] = []
    const api = start(
      () =>
        new Promise((resolve) =>
          waiting.push(() => resolve({ issuer: as.issuer, aliases: [alias], metadata })),
        ),
    )
    const answers = [api.get(as.mintJwt()), api.get(as.mintJwt({ claims: { iss: alias } }))]
    while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve))
    for (const one of waiting) one()
    expect(await Promise.all(answers)).toEqual([200, 200])
    expect(as.count('jwks')).toBe(1)
    await api.close()
  })
})
