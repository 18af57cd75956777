/** What counts as a JSON document, and how the rest is told as an outage. */
import { describe, expect, it } from '@jest/globals'
import { HttpFailure, type HttpResponse, type SendRequest } from '../../../lib/core/io/http.js'
import { fetchJson } from '../../../lib/core/issuer/fetch-json.js'

const request = {
  url: 'https://login.example.com/jwks',
  issuer: 'https://login.example.com',
  timeoutMs: 1000,
  maxBytes: 1000,
  reason: 'keys_unavailable' as const,
  accept: 'application/json',
}
const answer =
  (response: Partial<HttpResponse>): SendRequest =>
  () =>
    Promise.resolve({ status: 200, headers: {}, body: '{"a":1}', ...response })
const fetched = (response: Partial<HttpResponse>) => fetchJson(answer(response), request)

describe('fetchJson', () => {
  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'application/jwk-set+json',
    'text/plain',
    undefined,
  ])('reads a document of the type %s', async (contentType) => {
    const headers = contentType === undefined ? {} : { 'content-type': contentType }
    expect((await fetched({ headers })).value).toEqual({ a: 1 })
  })

  it.each(['text/html', 'application/xml', 'application/jsonp', 'text/plainer', 'image/svg+xml', ''])(
    'does not read one of the type "%s"',
    async (contentType) => {
      await expect(fetched({ headers: { 'content-type': contentType } })).rejects.toMatchObject({
        reason: 'keys_unavailable',
        evidence: { name: request.url, issuer: request.issuer, found: `content type ${contentType}` },
      })
    },
  )

  it.each([201, 204, 301, 400, 404, 500])('takes %d for an outage', async (status) => {
    await expect(fetched({ status })).rejects.toMatchObject({
      retryAfterSeconds: 1,
      evidence: { found: `status ${status}` },
    })
  })

  it('passes on when the server wants to be asked again', async () => {
    const headers = { 'retry-after': '42' }
    await expect(fetched({ status: 503, headers })).rejects.toMatchObject({ retryAfterSeconds: 42 })
  })

  it('takes a call without an answer for an outage, and keeps the cause', async () => {
    const cause = new HttpFailure('connection', 'unreachable')
    await expect(fetchJson(() => Promise.reject(cause), request)).rejects.toMatchObject({ cause })
  })

  it('lets an error rise that is not the network’s', async () => {
    await expect(fetchJson(() => Promise.reject(new RangeError('ours')), request)).rejects.toThrow(RangeError)
  })

  it.each<[string | string[] | undefined, number | undefined]>([
    ['max-age=60', 60],
    ['public, MAX-AGE=60', 60],
    ['public,max-age=60', 60],
    ['s-maxage=10, max-age=60', 60],
    ['s-maxage=10', undefined],
    ['max-age=0', undefined],
    ['max-age=-1', undefined],
    ['max-age=x', undefined],
    ['no-store', undefined],
    [['max-age=60', 'max-age=70'], undefined],
    [undefined, undefined],
  ])('reads the lifetime in the field %j as %p', async (value, lifetimeSeconds) => {
    expect((await fetched({ headers: { 'cache-control': value } })).lifetimeSeconds).toBe(lifetimeSeconds)
  })
})
