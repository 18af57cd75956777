import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createTestIssuer, type Fault, type TestIssuer } from '../../lib/testing/test-issuer.js'

let as: TestIssuer

beforeEach(async () => {
  as = await createTestIssuer()
})
afterEach(() => as.close())

const get = (url = as.jwksUri) => fetch(url, { redirect: 'manual' })

describe('fail', () => {
  it('answers with another status, header and body', async () => {
    as.fail('jwks', { kind: 'status', status: 503, headers: { 'retry-after': '7' }, body: { error: 'x' } })
    const response = await get()
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '7'])
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({ error: 'x' })
  })

  it.each<[Fault, string | null, string]>([
    [{ kind: 'body', body: '{"keys":' }, 'application/json', '{"keys":'],
    [{ kind: 'body', body: Buffer.from('<html>'), contentType: 'text/html' }, 'text/html', '<html>'],
    [{ kind: 'body', body: '' }, 'application/json', ''],
  ])('answers with another body: %j', async (fault, contentType, body) => {
    as.fail('jwks', fault)
    const response = await get()
    expect([response.status, response.headers.get('content-type')]).toEqual([200, contentType])
    expect(await response.text()).toBe(body)
  })

  it('redirects', async () => {
    as.fail('metadata', { kind: 'redirect', location: 'https://other.example/' })
    const response = await get(as.metadataUrls.oauth)
    expect([response.status, response.headers.get('location')]).toEqual([302, 'https://other.example/'])
  })

  it('breaks the connection before the answer', async () => {
    as.fail('jwks', { kind: 'reset' })
    await expect(get()).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } })
    expect(as.count('jwks')).toBe(1)
  })

  it('breaks the connection within the answer', async () => {
    as.fail('jwks', { kind: 'truncate' })
    const response = await get()
    expect(response.status).toBe(200)
    expect(Number(response.headers.get('content-length'))).toBe(JSON.stringify(as.jwks()).length + 1)
    await expect(response.text()).rejects.toThrow()
  })

  it('answers at a length it does not declare', async () => {
    as.fail('jwks', { kind: 'oversize', bytes: 200_001 })
    const response = await get()
    expect(response.headers.get('content-length')).toBeNull()
    const text = await response.text()
    expect(text).toHaveLength(200_001)
    expect(JSON.parse(text)).toHaveProperty('padding')
  })

  it('bears a client that hangs up on an endless answer', async () => {
    as.fail('jwks', { kind: 'oversize', bytes: 1e12 }, { times: 1 })
    const response = await get()
    await response.body?.cancel()
    expect((await get()).status).toBe(200)
  })

  it('holds an answer until a gate opens, as it was when asked for', async () => {
    let openGate = (): void => undefined
    const until = new Promise<void>((resolve) => (openGate = resolve))
    as.fail('jwks', { kind: 'delay', until })
    const arrived = as.nextRequest('jwks')
    const answer = get()
    await arrived
    const { kid } = as.keys.ES256
    as.rotateKeys()
    openGate()
    expect(await (await answer).json()).toMatchObject({ keys: [{ kid }] })
  })

  it('hangs until it is healed', async () => {
    as.fail('jwks', { kind: 'hang' })
    const arrived = as.nextRequest('jwks')
    let answered = false
    const answer = get().then((response) => {
      answered = true
      return response.status
    })
    await arrived
    // a whole exchange with another endpoint goes by meanwhile
    await get(as.metadataUrls.oauth)
    expect(answered).toBe(false)
    as.heal('jwks')
    expect(await answer).toBe(200)
  })

  it('lets a request hang no longer than the issuer lives', async () => {
    as.fail('jwks', { kind: 'hang' })
    const arrived = as.nextRequest('jwks')
    const cut = expect(get()).rejects.toThrow()
    await arrived
    await as.close()
    await cut
  })

  it('touches the one endpoint only', async () => {
    as.fail('introspection', { kind: 'reset' })
    expect((await get()).status).toBe(200)
    expect((await get(as.metadataUrls.openid)).status).toBe(200)
  })

  it('counts faults down in their order, ahead of the standing one', async () => {
    const status = (code: number): Fault => ({ kind: 'status', status: code })
    as.fail('jwks', status(500))
    as.fail('jwks', status(501))
    as.fail('jwks', status(502), { times: 2 })
    as.fail('jwks', status(503), { times: 1 })
    const seen: number[] = []
    for (let asked = 0; asked < 5; asked++) seen.push((await get()).status)
    expect(seen).toEqual([502, 502, 503, 501, 501])
  })
})

describe('heal', () => {
  it('ends the faults of one endpoint, or of all', async () => {
    as.fail('jwks', { kind: 'status', status: 500 }, { times: 9 })
    as.fail('metadata', { kind: 'status', status: 500 })
    as.heal('jwks')
    expect((await get()).status).toBe(200)
    expect((await get(as.metadataUrls.oauth)).status).toBe(500)
    as.heal()
    expect((await get(as.metadataUrls.oauth)).status).toBe(200)
  })
})
