/** draft-ietf-oauth-status-list-21: the status of an access token in a list. */
import { readFileSync } from 'node:fs'
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { createServer, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { StatusListOptions } from '../../lib/index.js'
import { parseStatusList, statusAt } from '../../lib/core/revocation/status-list.js'
import { createSigningKey, type MintOptions } from '../../lib/testing/test-issuer.js'
import { startRevocationApi, type RevocationApi } from '../support/revocation-api.js'

type Claims = Record<string, unknown>
type Answer = (response: ServerResponse, url: string) => void

let api: RevocationApi
let lists: ReturnType<typeof createServer>
let origin: string
let fetched: string[]
let accepts: (string | undefined)[]
let answer: Answer

beforeEach(async () => {
  fetched = []
  accepts = []
  lists = createServer((request, response) => {
    fetched.push(request.url ?? '')
    accepts.push(request.headers.accept)
    answer(response, request.url ?? '')
  })
  await once(lists.listen(0, '127.0.0.1'), 'listening')
  origin = `http://127.0.0.1:${(lists.address() as AddressInfo).port}`
  answer = (response, url) => send(response, list({ sub: origin + url }))
})

afterEach(async () => {
  jest.restoreAllMocks()
  await api.close()
  lists.closeAllConnections()
  await new Promise((resolve) => lists.close(resolve))
})

async function start(statusList: StatusListOptions | false = {}) {
  api = await startRevocationApi({
    options: {
      allowInsecureHttp: true,
      revocation: {
        statusList: statusList && { allowedOrigins: [origin], ...statusList },
      },
    },
  })
}

const BYTES = Buffer.from([0b1110_0100, 0b0000_0011])
const lst = (bytes: Buffer) => deflateSync(bytes).toString('base64url')

/** Two bits per token: 0, 1, 2, 3, 3, 0, 0, 0. */
function list(claims: Claims = {}, options: MintOptions = {}): string {
  const none = { aud: undefined, client_id: undefined, scope: undefined, exp: undefined, jti: undefined }
  return api.as.mintJwt({
    ...options,
    header: { typ: 'statuslist+jwt', ...options.header },
    claims: { ...none, sub: `${origin}/1`, ttl: 60, status_list: { bits: 2, lst: lst(BYTES) }, ...claims },
  })
}

function send(response: ServerResponse, body: string, type = 'application/statuslist+jwt', status = 200) {
  response.writeHead(status, { 'content-type': type }).end(body)
}

const token = (idx: unknown, uri: unknown = `${origin}/1`, more: MintOptions = {}) =>
  api.as.mintJwt({ ...more, claims: { status: { status_list: { idx, uri } }, ...more.claims } })
const UNAVAILABLE = [503, 'status_list_unavailable']
const GOOD = [200, undefined]

describe('Token Status List', () => {
  it('TSL-01 a token that is invalid for another reason fetches no list', async () => {
    await start()
    expect(await api.get(token(0, undefined, { expiresInSeconds: -60 }))).toEqual([401, 'expired'])
    expect(await api.get(token(0, undefined, { key: createSigningKey('ES256') }))).toEqual([
      401,
      'unknown_key',
    ])
    expect(fetched).toEqual([])
  })

  it.each([-1, 1.5, '7', null, undefined, 2 ** 53])('TSL-02 an idx of %j is refused', async (idx) => {
    await start()
    expect(await api.get(token(idx))).toEqual([401, 'malformed_claim'])
    expect(fetched).toEqual([])
  })

  it.each([7, '', 'no address', null])('TSL-02 a uri of %j is refused', async (uri) => {
    await start()
    expect(await api.get(token(0, uri))).toEqual([401, 'malformed_claim'])
  })

  it('TSL-02 a status claim that names no list is none of this check’s business', async () => {
    await start()
    expect(await api.get(api.as.mintJwt({ claims: { status: 'active' } }))).toEqual(GOOD)
  })

  it('TSL-03 the list is asked for by its media type, and only that is taken, of any 2xx', async () => {
    await start()
    expect(await api.get(token(0))).toEqual(GOOD)
    expect(accepts).toEqual(['application/statuslist+jwt'])
    answer = (response, url) => send(response, list({ sub: origin + url }), 'application/jwt')
    expect(await api.get(token(0, `${origin}/2`))).toEqual(UNAVAILABLE)
    answer = (response, url) => send(response, list({ sub: origin + url }), undefined, 404)
    expect(await api.get(token(0, `${origin}/3`))).toEqual(UNAVAILABLE)
    answer = (response, url) => send(response, list({ sub: origin + url }), undefined, 203)
    expect(await api.get(token(0, `${origin}/4`))).toEqual(GOOD)
  })

  it('TSL-03 redirects are followed within bounds, and to allowed places only', async () => {
    await start()
    answer = (response, url) => {
      if (url === '/moved') return send(response, list({ sub: `${origin}/1` }))
      response.writeHead(302, { location: url === '/1' ? '/moved' : url }).end()
    }
    expect(await api.get(token(0))).toEqual(GOOD)
    expect(await api.get(token(0, `${origin}/loop`))).toEqual(UNAVAILABLE)
    expect(fetched.filter((url) => url === '/loop')).toHaveLength(4)
    answer = (response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end()
    expect(await api.get(token(0, `${origin}/ssrf`))).toEqual(UNAVAILABLE)
    expect(api.answers.at(-1)).toMatchObject({ found: 'http://169.254.169.254' })
  })

  it('TSL-03 an address at a place that is not allowed is not called', async () => {
    await start({ allowedOrigins: ['https://status.example.com'] })
    expect(await api.get(token(0))).toEqual(UNAVAILABLE)
    expect(fetched).toEqual([])
  })

  it.each<[string, Claims, MintOptions]>([
    ['another typ', {}, { header: { typ: 'JWT' } }],
    ['no typ', {}, { header: { typ: undefined } }],
    ['a signature by another key', {}, { key: createSigningKey('ES256') }],
    ['no signature', {}, { alg: 'none' }],
    ['no sub', { sub: undefined }, {}],
    ['no iat', { iat: undefined }, {}],
    ['no status_list', { status_list: undefined }, {}],
  ])('TSL-04 a list with %s makes no statement', async (_what, claims, options) => {
    await start()
    answer = (response) => send(response, list(claims, options))
    expect(await api.get(token(0))).toEqual(UNAVAILABLE)
  })

  it('TSL-04 a list is no access token, and an access token no list', async () => {
    await start()
    const posing = { aud: 'https://api.example.com', exp: 4_000_000_000, jti: 'j', client_id: 'app' }
    expect(await api.get(list(posing))).toEqual([401, 'token_type_mismatch'])
    answer = (response) => send(response, api.as.mintJwt())
    expect(await api.get(token(0))).toEqual(UNAVAILABLE)
  })

  it('TSL-05 the list must be the one of exactly this address', async () => {
    await start()
    answer = (response) => send(response, list({ sub: `${origin}/1?` }))
    expect(await api.get(token(0))).toEqual(UNAVAILABLE)
  })

  it('TSL-06 an expired list is not relied on, not even from memory; after its ttl it is fetched anew', async () => {
    await start({ staleIfErrorSeconds: 3600 })
    answer = (response) => send(response, list({ exp: Math.floor(Date.now() / 1000) - 1 }))
    expect(await api.get(token(0))).toEqual(UNAVAILABLE)
    const now = Date.now()
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now + 2000)
    const exp = Math.floor(now / 1000) + 100
    answer = (response) => send(response, list({ exp, ttl: 60 }))
    expect(await api.get(token(0))).toEqual(GOOD)
    expect(fetched).toHaveLength(2)
    clock.mockReturnValue(now + 30_000)
    expect(await api.get(token(0))).toEqual(GOOD)
    expect(fetched).toHaveLength(2)
    clock.mockReturnValue(now + 65_000)
    expect(await api.get(token(0))).toEqual(GOOD)
    expect(fetched).toHaveLength(3)
    answer = (response) => void response.writeHead(500).end()
    clock.mockReturnValue(now + 110_000)
    expect(await api.get(token(0))).toEqual(UNAVAILABLE)
  })

  it.each<[string, () => string]>([
    ['raw deflate', () => deflateRawSync(BYTES).toString('base64url')],
    ['gzip', () => gzipSync(BYTES).toString('base64url')],
    ['base64 with padding', () => deflateSync(Buffer.from([1, 2, 3])).toString('base64')],
    ['trailing garbage', () => Buffer.concat([deflateSync(BYTES), Buffer.from('x')]).toString('base64url')],
    ['a list cut short', () => deflateSync(BYTES).subarray(0, 6).toString('base64url')],
    ['a bomb', () => lst(Buffer.alloc(2_000_000))],
    ['nothing', () => ''],
  ])('TSL-07 %s is refused', async (_what, make) => {
    await start({ maxListBytes: 1_000_000 })
    answer = (response) => send(response, list({ status_list: { bits: 2, lst: make() } }))
    expect(await api.get(token(0))).toEqual(UNAVAILABLE)
  })

  it.each([0, 3, 16, '1', null])('TSL-08 bits of %j are refused', async (bits) => {
    await start()
    answer = (response) => send(response, list({ status_list: { bits, lst: lst(BYTES) } }))
    expect(await api.get(token(0))).toEqual(UNAVAILABLE)
  })

  it('TSL-08 B9 A3 is read from the least significant bit on', async () => {
    await start()
    const parsed = await parseStatusList({ bits: 1, lst: lst(Buffer.from([0xb9, 0xa3])) }, 100)
    const statuses = Array.from({ length: 16 }, (_, idx) => parsed && statusAt(parsed, idx))
    expect(statuses).toEqual([1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1])
  })

  it('TSL-08 the published vectors pass', async () => {
    await start()
    const { vectors } = JSON.parse(readFileSync('__tests__/vectors/status-lists.json', 'utf8')) as {
      vectors: { status_list: unknown; statuses: [number, number][]; others: number; entries: number }[]
    }
    expect(vectors.length).toBeGreaterThan(3)
    for (const { status_list, statuses, others, entries } of vectors) {
      const parsed = await parseStatusList(status_list, 4_194_304)
      if (!parsed) throw new Error('a published list was not read')
      const named = new Map(statuses)
      for (const [idx, status] of statuses) expect(statusAt(parsed, idx)).toBe(status)
      for (const idx of [1, 2, 1992, 1994, entries - 1]) {
        if (!named.has(idx)) expect(statusAt(parsed, idx)).toBe(others)
      }
      expect(statusAt(parsed, (parsed.bytes.length * 8) / parsed.bits)).toBeUndefined()
    }
  })

  it('TSL-09 an idx beyond the list is refused', async () => {
    await start()
    expect(await api.get(token(7))).toEqual(GOOD)
    expect(await api.get(token(8))).toEqual([401, 'status_not_valid'])
  })

  it('TSL-10 0 goes on, 1 and 2 and what nobody registered are refused, unless mapped by option', async () => {
    await start()
    const expected = [GOOD, ...[1, 2, 3].map(() => [401, 'status_not_valid'])]
    for (const [idx, outcome] of expected.entries()) expect(await api.get(token(idx))).toEqual(outcome)
    expect(api.answers.map(({ found }) => found)).toEqual([1, 2, 3])
    await api.close()
    await start({ acceptedStatuses: [3] })
    expect(await api.get(token(3))).toEqual(GOOD)
    expect(await api.get(token(2))).toEqual([401, 'status_not_valid'])
  })

  it('TSL-11 a list that cannot be had says nothing: 503; by option one from before serves for a bounded time', async () => {
    await start({ staleIfErrorSeconds: 100 })
    const now = Date.now()
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now)
    expect(await api.get(token(0))).toEqual(GOOD)
    answer = (response) => void response.writeHead(500).end()
    clock.mockReturnValue(now + 150_000)
    expect(await api.get(token(0))).toEqual(GOOD)
    expect(await api.get(token(1))).toEqual([401, 'status_not_valid'])
    clock.mockReturnValue(now + 161_000)
    expect(await api.get(token(0))).toEqual(UNAVAILABLE)
  })

  it('TSL-11 without that option there is no other list than a fresh one', async () => {
    await start()
    const now = Date.now()
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now)
    expect(await api.get(token(0))).toEqual(GOOD)
    answer = (response) => void response.writeHead(500).end()
    clock.mockReturnValue(now + 61_000)
    expect(await api.get(token(0))).toEqual(UNAVAILABLE)
  })

  it.each([
    [0, 5],
    [1e12, 900],
    ['soon', 300],
  ])('TSL-12 a ttl of %j counts as %d seconds', async (ttl, seconds) => {
    await start()
    answer = (response) => send(response, list({ ttl }))
    const now = Date.now()
    const clock = jest.spyOn(Date, 'now').mockReturnValue(now)
    await api.get(token(0))
    clock.mockReturnValue(now + seconds * 1000 - 1)
    await api.get(token(0, undefined, { expiresInSeconds: 5000 }))
    expect(fetched).toHaveLength(1)
    clock.mockReturnValue(now + seconds * 1000)
    await api.get(token(0, undefined, { expiresInSeconds: 5000 }))
    expect(fetched).toHaveLength(2)
  })

  it('TSL-12 many tokens of one list, at once and after another, make one fetch', async () => {
    await start()
    const all = await Promise.all(Array.from({ length: 40 }, () => api.get(token(0))))
    expect(all).toEqual(all.map(() => GOOD))
    await api.get(token(5))
    expect(fetched).toHaveLength(1)
  })

  it('by option the list is not looked at', async () => {
    await start(false)
    expect(await api.get(token(1))).toEqual(GOOD)
    expect(fetched).toEqual([])
  })
})
