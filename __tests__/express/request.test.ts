import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { concealFormToken, concealQueryToken, type ExpressRequest } from '../../lib/express/request.js'

function exchange(members: Partial<ExpressRequest>) {
  const request: ExpressRequest = Object.assign(new IncomingMessage(new Socket()), members)
  return { request, response: new ServerResponse(request) }
}

describe('concealQueryToken', () => {
  it.each([
    ['/?access_token=T', '/'],
    ['/?access_token=T&a=1', '/?a=1'],
    ['/?a=1&access_token=T', '/?a=1'],
    ['/?a=1&access_token=T&b=2', '/?a=1&b=2'],
    ['/?access_token=T&access_token=T', '/'],
    ['/?access_token[]=T&access_token[x]=T&a', '/?a'],
    ['/?access%5Ftoken=T&%61ccess_token=T&a=%20+', '/?a=%20+'],
    ['/?access_token', '/'],
    ['http://a.example/x?access_token=T', 'http://a.example/x'],
  ])('turns %s into %s', (url, concealed) => {
    const { request, response } = exchange({ url, originalUrl: `/mount${url}` })
    concealQueryToken(request, response)
    expect(request.url).toBe(concealed)
    expect(request.originalUrl).toBe(`/mount${concealed}`)
  })

  it.each([
    '/',
    '',
    '/?a=1&&b',
    '/access_token',
    '/?a=access_token',
    '/?access_tokens=1',
    '/??access_token=1',
    '/?%',
  ])('leaves %s alone, and the answer too', (url) => {
    const { request, response } = exchange({ url, originalUrl: url })
    concealQueryToken(request, response)
    expect(request).toMatchObject({ url, originalUrl: url })
    expect(Object.hasOwn(response, 'writeHead')).toBe(false)
  })

  it('works where there is no original address, and no parsed query', () => {
    const { request, response } = exchange({ url: '/?access_token=T' })
    concealQueryToken(request, response)
    expect(request.url).toBe('/')
    expect(request).not.toHaveProperty('originalUrl')
  })

  it('takes it out of the parsed query', () => {
    const query = { access_token: 'T', 'access_token[]': 'T', a: '1' }
    const { request, response } = exchange({ url: '/?access_token=T&a=1', query })
    concealQueryToken(request, response)
    expect(request.query).toEqual({ a: '1' })
  })

  it.each<[string | undefined, unknown[], string]>([
    [undefined, [], 'private'],
    ['public, max-age=5', [], 'private, max-age=5'],
    ['S-MaxAge=5, PUBLIC', [], 'private'],
    ['no-store', [], 'no-store'],
    ['Private, max-age=5', [], 'Private, max-age=5'],
    ['private="x-field"', [], 'private, private="x-field"'],
    [undefined, [{ 'Cache-Control': 'public' }], 'private'],
    ['public', [{ 'cache-control': 'no-store' }], 'no-store'],
    ['no-store', ['OK', { 'CACHE-CONTROL': 'public, max-age=1' }], 'private, max-age=1'],
    [undefined, ['OK', ['Cache-Control', 'public', 'X-A', 'b']], 'private'],
    [undefined, [{ 'X-A': 'b' }], 'private'],
    ['public', ['OK'], 'private'],
  ])('sets %j, writeHead(200, …%j) sends %j', (wished, more, sent) => {
    const { request, response } = exchange({ url: '/?access_token=T' })
    concealQueryToken(request, response)
    if (wished !== undefined) response.setHeader('Cache-Control', wished)
    response.writeHead(200, ...(more as [string]))
    expect(response.getHeader('cache-control')).toBe(sent)
    expect(response.headersSent).toBe(true)
    if (JSON.stringify(more).includes('X-A')) expect(response.getHeader('x-a')).toBe('b')
  })

  it('leaves the other fields of a list as they are', () => {
    const { request, response } = exchange({ url: '/?access_token=T' })
    concealQueryToken(request, response)
    response.writeHead(200, ['Set-Cookie', ['a=1', 'b=2']])
    expect(response.getHeader('set-cookie')).toEqual(['a=1', 'b=2'])
  })
})

describe('concealFormToken', () => {
  const form = { 'content-type': 'application/x-www-form-urlencoded' }

  it('takes it out of a form', () => {
    const { request } = exchange({
      method: 'POST',
      headers: form,
      body: { access_token: 'T', 'access_token[a]': 'T', a: 1 },
    })
    concealFormToken(request)
    expect(request.body).toEqual({ a: 1 })
  })

  it.each<[string, Partial<ExpressRequest>]>([
    ['JSON', { method: 'POST', headers: { 'content-type': 'application/json' } }],
    ['GET', { method: 'GET', headers: form }],
  ])('leaves the body alone where it is no form: %s', (_case, members) => {
    const { request } = exchange({ ...members, body: { access_token: 'T' } })
    concealFormToken(request)
    expect(request.body).toEqual({ access_token: 'T' })
  })

  it.each([undefined, null, 'access_token=T'])('does nothing to a body that is %p', (body) => {
    const { request } = exchange({ method: 'POST', headers: form, body })
    expect(() => concealFormToken(request)).not.toThrow()
    expect(request.body).toBe(body)
  })
})
