import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { createTestIssuer, type TestIssuer, type TestIssuerOptions } from '../../lib/testing/test-issuer.js'

const open: TestIssuer[] = []

async function start(options?: TestIssuerOptions): Promise<TestIssuer> {
  const as = await createTestIssuer(options)
  open.push(as)
  return as
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((as) => as.close()))
})

const json = async (url: string) => (await fetch(url)).json()
const kidsOf = async (as: TestIssuer) =>
  ((await json(as.jwksUri)) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)

describe('createTestIssuer', () => {
  it.each([
    ['', '', '/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'],
    ['/', '/', '/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'],
    [
      '/tenant1',
      '/tenant1',
      '/.well-known/oauth-authorization-server/tenant1',
      '/tenant1/.well-known/openid-configuration',
    ],
    [
      '/a/b/',
      '/a/b/',
      '/.well-known/oauth-authorization-server/a/b',
      '/a/b/.well-known/openid-configuration',
    ],
  ])(
    'serves metadata at both addresses of an issuer with the path "%s"',
    async (path, end, oauth, openid) => {
      const as = await start({ path })
      expect(as.issuer).toBe(`${as.origin}${end}`)
      expect(as.metadataUrls).toEqual({ oauth: `${as.origin}${oauth}`, openid: `${as.origin}${openid}` })
      const expected = {
        issuer: as.issuer,
        jwks_uri: as.jwksUri,
        introspection_endpoint: as.introspectionEndpoint,
      }
      expect(await json(as.metadataUrls.oauth)).toMatchObject(expected)
      expect(await json(as.metadataUrls.openid)).toMatchObject(expected)
      expect((await fetch(as.jwksUri)).status).toBe(200)
    },
  )

  it.each(['tenant1', '/a?b', '/a#b'])('takes no path like %s', async (path) => {
    await expect(createTestIssuer({ path })).rejects.toThrow(TypeError)
  })

  it('listens on the port it is given', async () => {
    const first = await start()
    const port = Number(new URL(first.origin).port)
    await expect(createTestIssuer({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await first.close()
    expect((await start({ port })).origin).toBe(first.origin)
  })

  it.each([
    [{ oauthMetadata: false }, 404, 200],
    [{ openidMetadata: false }, 200, 404],
  ])('with %j answers %d and %d', async (options, oauth, openid) => {
    const as = await start(options)
    expect((await fetch(as.metadataUrls.oauth)).status).toBe(oauth)
    expect((await fetch(as.metadataUrls.openid)).status).toBe(openid)
    expect(as.count('metadata')).toBe(2)
  })

  it('serves the metadata as the test has left it', async () => {
    const as = await start({ metadata: { token_endpoint: undefined, extra: 1 } })
    as.metadata['issuer'] = 'https://evil.example'
    delete as.metadata['introspection_endpoint']
    const served = await json(as.metadataUrls.oauth)
    expect(served).toMatchObject({ issuer: 'https://evil.example', extra: 1 })
    expect(served).not.toHaveProperty('introspection_endpoint')
    expect(served).not.toHaveProperty('token_endpoint')
  })

  it('answers 404 elsewhere, 405 to other methods', async () => {
    const as = await start()
    expect((await fetch(`${as.origin}/nowhere`)).status).toBe(404)
    expect((await fetch(as.jwksUri, { method: 'POST' })).status).toBe(405)
    expect(as.requests.map(({ method, path }) => [method, path])).toEqual([
      ['GET', 'other'],
      ['POST', 'jwks'],
    ])
  })
})

describe('keys', () => {
  it('publishes the default algorithm from the start and others from their first use, public halves only', async () => {
    const as = await start()
    expect(await kidsOf(as)).toEqual([as.keys.ES256.kid])
    as.mintJwt({ alg: 'EdDSA' })
    expect(await kidsOf(as)).toEqual([as.keys.ES256.kid, as.keys.EdDSA.kid])
    const { keys } = as.jwks()
    expect(keys.some((jwk) => 'd' in jwk)).toBe(false)
    expect(keys[1]).toMatchObject({ kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig' })
  })

  it('gives each issuer its own', async () => {
    const [one, other] = await Promise.all([start(), start()])
    expect(one.keys.ES256.publicJwk).not.toMatchObject({ x: other.keys.ES256.publicJwk.x })
  })

  it('rotates without the old ones, or keeps them published', async () => {
    const as = await start()
    const first = as.keys.ES256.kid
    as.rotateKeys()
    const second = as.keys.ES256.kid
    expect(second).not.toBe(first)
    expect(await kidsOf(as)).toEqual([second])
    as.rotateKeys({ keep: true })
    expect(await kidsOf(as)).toEqual([as.keys.ES256.kid, second])
    as.withdrawKey(second)
    expect(await kidsOf(as)).toEqual([as.keys.ES256.kid])
  })

  it('withdraws the key in use, and takes it back', async () => {
    const as = await start()
    const { kid, publicJwk } = as.keys.ES256
    as.withdrawKey(kid)
    expect(await kidsOf(as)).toEqual([])
    expect(as.keys.ES256.kid).toBe(kid)
    as.addJwk(publicJwk)
    expect(await kidsOf(as)).toEqual([kid])
  })

  it('publishes odd keys, and anything in place of the set', async () => {
    const as = await start({ algorithms: [] })
    as.addJwk({ kty: 'oct', k: 'c2VjcmV0', kid: 'shared' })
    expect(await json(as.jwksUri)).toEqual({ keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: 'shared' }] })
    as.publishJwks(['not a key set'])
    expect(await json(as.jwksUri)).toEqual(['not a key set'])
    as.publishJwks(undefined)
    expect(await kidsOf(as)).toEqual(['shared'])
  })
})

describe('requests', () => {
  it('are recorded, counted and forgotten', async () => {
    const as = await start()
    await fetch(`${as.jwksUri}?x=1`, { headers: { 'x-test': 'yes' } })
    await fetch(as.introspectionEndpoint, { method: 'POST', body: 'hello' })
    expect(as.requests[0]).toMatchObject({ method: 'GET', path: 'jwks', url: '/jwks?x=1', body: '' })
    expect(as.requests[0]?.headers['x-test']).toBe('yes')
    expect(as.requests[1]).toMatchObject({ method: 'POST', path: 'introspection', body: 'hello' })
    expect([as.count(), as.count('jwks'), as.count('metadata')]).toEqual([2, 1, 0])
    as.resetRequests()
    expect(as.requests).toEqual([])
  })

  it('are awaited by all who wait for them, before they are answered', async () => {
    const as = await start()
    as.fail('jwks', { kind: 'hang' })
    const waiting = [as.nextRequest('jwks'), as.nextRequest('jwks')]
    await fetch(as.metadataUrls.oauth)
    const answer = fetch(as.jwksUri)
    expect(await Promise.all(waiting)).toEqual([as.requests[1], as.requests[1]])
    as.heal()
    expect((await answer).status).toBe(200)
  })
})

describe('goDown and comeBack', () => {
  it('break all connections and open the same port again', async () => {
    const as = await start()
    const { kid } = as.keys.ES256
    as.fail('jwks', { kind: 'hang' }, { times: 1 })
    const arrived = as.nextRequest('jwks')
    const cut = expect(fetch(as.jwksUri)).rejects.toThrow()
    await arrived
    await as.goDown()
    await cut
    await as.goDown()
    await expect(fetch(as.jwksUri)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    await as.comeBack()
    await as.comeBack()
    expect(await kidsOf(as)).toEqual([kid])
  })

  it('frees the port when closed', async () => {
    const as = await start()
    await as.close()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(Number(new URL(as.origin).port), '127.0.0.1', resolve))
    expect(server.listening).toBe(true)
    await new Promise((resolve) => server.close(resolve))
  })
})
