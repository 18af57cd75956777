import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { UnavailableError } from '../../../lib/core/errors.js'
import { createHttpClient, type HttpClient } from '../../../lib/core/io/http.js'
import {
  createIntrospectionCall,
  type IntrospectionCallOptions,
} from '../../../lib/core/token/introspection-call.js'
import { createTestIssuer, type Fault, type TestIssuer } from '../../../lib/testing/test-issuer.js'

let as: TestIssuer
let http: HttpClient

beforeEach(async () => {
  as = await createTestIssuer()
  http = createHttpClient()
})
afterEach(async () => {
  as.heal()
  await http.close()
  await as.close()
})

const basic = { headers: { authorization: `Basic ${btoa('rs:rs-secret')}` }, parameters: {} }
const call = (token: string, options: Partial<IntrospectionCallOptions> = {}) =>
  createIntrospectionCall({
    issuer: as.issuer,
    settings: { timeoutMs: 300, tokenTypeHint: true },
    discoverEndpoint: () => ({
      url: as.introspectionEndpoint,
      authMethods: undefined,
      signingAlgorithms: undefined,
    }),
    authenticate: () => basic,
    readSignedAnswer: undefined,
    send: http.send,
    ...options,
  })(token)
const outageOf = async (called: Promise<unknown>) => {
  const error: unknown = await called.then(
    (answer) => ({ answer }),
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(UnavailableError)
  return error as UnavailableError
}

describe('an answer of status 200 that is JSON', () => {
  it.each([
    ['an object', '{"active":false}', { active: false }],
    ['an array', '[1]', [1]],
    ['null', 'null', null],
    ['a number', '7', 7],
    ['a string', '"active"', 'active'],
  ])('is returned as it is: %s', async (_what, body, parsed) => {
    as.fail('introspection', { kind: 'body', body })
    expect(await call('token')).toEqual(parsed)
  })

  it.each(['application/json;charset=UTF-8', 'application/json; charset=iso-8859-1', 'application/x+json'])(
    'may be called %s',
    async (contentType) => {
      as.fail('introspection', { kind: 'body', body: '{}', contentType })
      expect(await call('token')).toEqual({})
    },
  )
})

describe('everything else is an outage', () => {
  const page = { headers: { 'content-type': 'text/html' }, body: '<html>' }
  const faults: [string, Fault, string][] = [
    ['silence', { kind: 'hang' }, 'introspection_unavailable'],
    ['a broken connection', { kind: 'reset' }, 'introspection_unavailable'],
    ['half an answer', { kind: 'truncate' }, 'introspection_unavailable'],
    ['500', { kind: 'status', status: 500, ...page }, 'introspection_unavailable'],
    ['503', { kind: 'status', status: 503 }, 'introspection_unavailable'],
    ['429', { kind: 'status', status: 429 }, 'introspection_unavailable'],
    ['401, empty', { kind: 'status', status: 401 }, 'introspection_credentials_refused'],
    [
      '401 with JSON',
      { kind: 'status', status: 401, body: { active: true } },
      'introspection_credentials_refused',
    ],
    ['401 with a page', { kind: 'status', status: 401, ...page }, 'introspection_credentials_refused'],
    ['403 with a page', { kind: 'status', status: 403, ...page }, 'introspection_credentials_refused'],
    ['204', { kind: 'status', status: 204 }, 'introspection_answer_unusable'],
    ['201', { kind: 'status', status: 201, body: { active: true } }, 'introspection_answer_unusable'],
    [
      '400',
      { kind: 'status', status: 400, body: { error: 'unsupported_token_type' } },
      'introspection_answer_unusable',
    ],
    ['a redirect', { kind: 'redirect', location: '/' }, 'introspection_answer_unusable'],
    ['a page', { kind: 'status', status: 200, ...page }, 'introspection_answer_unusable'],
    ['an empty body', { kind: 'body', body: '' }, 'introspection_answer_unusable'],
    ['half a JSON', { kind: 'body', body: '{"active":tr' }, 'introspection_answer_unusable'],
    ['two JSONs', { kind: 'body', body: '{"active":true}{}' }, 'introspection_answer_unusable'],
    ['packed JSON', { kind: 'body', body: gzipSync('{"active":true}') }, 'introspection_answer_unusable'],
    [
      'JSON in UTF-16',
      { kind: 'body', body: Buffer.from('{"active":true}', 'utf16le') },
      'introspection_answer_unusable',
    ],
    [
      'JSON in Latin-1',
      { kind: 'body', body: Buffer.from('{"sub":"é"}', 'latin1') },
      'introspection_answer_unusable',
    ],
    ['too much', { kind: 'oversize', bytes: 300_000 }, 'introspection_answer_unusable'],
    [
      'a signed answer nobody asked for',
      {
        kind: 'body',
        body: 'e30.e30.',
        contentType: 'application/token-introspection+jwt',
      },
      'introspection_answer_unusable',
    ],
  ]

  it.each(faults)('%s', async (_what, fault, reason) => {
    as.fail('introspection', fault)
    const outage = await outageOf(call('a-secret-token'))
    expect(outage.reason).toBe(reason)
    expect(outage.evidence).toMatchObject({ issuer: as.issuer, name: as.introspectionEndpoint })
    expect(JSON.stringify([outage.evidence, outage.message])).not.toMatch(/a-secret-token|rs-secret/)
  })

  it('a server that is not there', async () => {
    await as.goDown()
    const { reason, evidence } = await outageOf(call('token'))
    expect([reason, evidence.found]).toEqual([
      'introspection_unavailable',
      `${as.introspectionEndpoint} could not be reached (ECONNREFUSED)`,
    ])
  })

  it.each([
    ['17', 17],
    ['0', 0],
    ['99999999', 3600],
    ['soon', 1],
  ])('which may ask for time: %s', async (value, seconds) => {
    as.fail('introspection', { kind: 'status', status: 503, headers: { 'retry-after': value } })
    expect((await outageOf(call('token'))).retryAfterSeconds).toBe(seconds)
  })
})

describe('the deadline', () => {
  const never = new Promise<never>(() => undefined)

  it('covers finding out the endpoint', async () => {
    expect(await outageOf(call('token', { discoverEndpoint: () => never }))).toMatchObject({
      reason: 'metadata_unavailable',
    })
  })

  it('covers getting a token of our own', async () => {
    expect(await outageOf(call('token', { authenticate: () => never }))).toMatchObject({
      reason: 'introspection_credentials_unavailable',
    })
    expect(as.count('introspection')).toBe(0)
  })

  it('covers reading a signed answer', async () => {
    as.fail('introspection', { kind: 'body', body: 'x', contentType: 'application/token-introspection+jwt' })
    expect(await outageOf(call('token', { readSignedAnswer: () => never }))).toMatchObject({
      reason: 'keys_unavailable',
    })
  })

  it('is one for all of it', async () => {
    const timeouts: number[] = []
    const slowly = <T>(value: T) => new Promise<T>((resolve) => setTimeout(() => resolve(value), 50))
    await call('token', {
      authenticate: () => slowly(basic),
      send: (request) => {
        timeouts.push(request.timeoutMs)
        return http.send(request)
      },
    })
    expect(timeouts[0]).toBeLessThanOrEqual(251)
  })
})

describe('a bug', () => {
  it('stays a bug', async () => {
    const bug = new RangeError('a slip')
    await expect(call('token', { send: () => Promise.reject(bug) })).rejects.toBe(bug)
  })
})
