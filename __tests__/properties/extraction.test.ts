/** Whatever bytes a request holds, it yields a token or a well-formed refusal: no other error, no echo, no hang. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import fc from 'fast-check'
import { InvalidRequestError, MissingTokenError } from '../../lib/core/errors.js'
import { createExtraction, type TokenRequest } from '../../lib/core/token/extraction.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { expectWellFormedRefusal } from '../support/answers.js'
import { createApi, RESOURCE, type Api } from '../support/apps.js'
import { listenRaw, type RawServer } from '../support/raw-http.js'

const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/
const MAX_BYTES = 300

/** One of these characters. */
const oneOf = (characters: string) => fc.constantFrom(...Array.from(characters))

/** Mostly what stands near the grammar, for that is where mistakes are. */
const credentials = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc
    .tuple(
      fc.constantFrom('Bearer', 'bearer', 'BEARER', 'Basic', 'DPoP', 'Bearer ', '', ' Bearer', 'Bearer,'),
      fc.constantFrom(' ', '  ', '\t', '', ', ', '=', '\u00a0', '\u0000'),
      fc.string({ unit: oneOf('aZ09-._~+/= ,"\\\t%&\u00e9\u0000'), maxLength: 400 }),
    )
    .map((parts) => parts.join('')),
)
const parameterName = fc.constantFrom(
  'access_token',
  'access_token[]',
  'access_token[a]',
  'access%5Ftoken',
  '__proto__',
  'constructor',
  'a',
  '?access_token',
  '[access_token]',
)
const query = fc
  .array(fc.tuple(parameterName, fc.string({ unit: oneOf('aZ0-._~+/=% &;#[]\u00e9'), maxLength: 20 })))
  .map((pairs) => pairs.map((pair) => pair.join('=')).join('&'))
const tokenRequest: fc.Arbitrary<TokenRequest> = fc.record(
  {
    headers: fc.dictionary(
      fc.constantFrom(
        'authorization',
        'Authorization',
        'content-type',
        'Content-Type',
        '__proto__',
        'cookie',
      ),
      fc.oneof(
        credentials,
        fc.array(credentials, { maxLength: 3 }),
        fc.constantFrom(
          'application/x-www-form-urlencoded',
          'application/x-www-form-urlencoded;a',
          undefined,
        ),
      ),
    ),
    rawHeaders: fc.array(fc.oneof(fc.constantFrom('Authorization', 'AUTHORIZATION', 'X'), credentials), {
      maxLength: 6,
    }),
    method: fc.constantFrom('GET', 'POST', 'PUT', 'post', ''),
    url: fc.oneof(
      query.map((text) => `/?${text}`),
      fc.string({ unit: 'binary' }),
      fc.webUrl({ withQueryParameters: true }),
    ),
    body: fc.oneof(
      fc.anything({
        withNullPrototype: true,
        withBigInt: true,
        withMap: true,
        withTypedArray: true,
        withSparseArray: true,
      }),
      fc.dictionary(parameterName, fc.anything()),
    ),
  },
  { requiredKeys: ['headers'] },
)

describe('createExtraction', () => {
  it.each([
    ['the header', { form: false, query: false, custom: undefined }],
    ['header, form and query', { form: true, query: true, custom: undefined }],
    ['header and a cookie', { form: false, query: false, custom: cookie }],
  ])('yields a token or a refusal for any request: %s', (_case, locations) => {
    const extractToken = createExtraction({ maxTokenBytes: MAX_BYTES, ...locations })
    fc.assert(
      fc.property(tokenRequest, (request) => {
        try {
          const { scheme, token } = extractToken(request)
          expect(['Bearer', 'DPoP']).toContain(scheme)
          expect(token).toMatch(TOKEN68)
          expect(token.length).toBeLessThanOrEqual(MAX_BYTES)
        } catch (error) {
          if (error instanceof MissingTokenError) return
          expect(error).toBeInstanceOf(InvalidRequestError)
          expect(error).toMatchObject({ status: 400, code: 'invalid_request' })
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('gives back any b64token as it came, whatever the case of the scheme and however many spaces', () => {
    const extractToken = createExtraction({
      maxTokenBytes: MAX_BYTES,
      form: false,
      query: false,
      custom: undefined,
    })
    fc.assert(
      fc.property(
        fc.stringMatching(/^[A-Za-z0-9\-._~+/]{1,250}={0,2}$/),
        fc.mixedCase(fc.constantFrom('bearer', 'dpop')),
        fc.integer({ min: 1, max: 20 }),
        (token, scheme, spaces) => {
          const authorization = `${scheme}${' '.repeat(spaces)}${token}`
          const expected = { scheme: scheme.length === 4 ? 'DPoP' : 'Bearer', token }
          expect(extractToken({ headers: { authorization } })).toEqual(expected)
        },
      ),
    )
  })
})

describe('the middleware over a socket', () => {
  let as: TestIssuer
  let api: Api
  let server: RawServer

  beforeAll(async () => {
    as = await createTestIssuer()
    api = createApi(
      express,
      { resource: RESOURCE, issuer: as.issuer, tokenFrom: ['form', 'query'] },
      { before: (app) => app.use(express.urlencoded({ extended: true })) },
    )
    server = await listenRaw(api.app)
  })
  afterAll(async () => {
    await server.close()
    await api.server.close()
    await as.close()
  })

  /** Bytes that a field's value may hold in the eyes of Node's parser; the others never reach us. */
  const fieldValue = fc.string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 100,
  })
  const marker = 'Zq7Zq7Zq7'

  it('refuses with 400 or 401 whatever the bytes are, and never repeats them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('Bearer ', 'bearer  ', 'Basic ', ''),
        fieldValue,
        query.map((text) => encodeURI(text).replaceAll('#', '')),
        fieldValue,
        async (scheme, value, search, body) => {
          const answer = await server.send(
            [
              `POST /?${search} HTTP/1.1`,
              'Host: api',
              `Authorization: ${scheme}${marker}${value}`,
              'Content-Type: application/x-www-form-urlencoded',
              `Content-Length: ${body.length}`,
            ],
            body,
          )
          expect([400, 401]).toContain(answer.status)
          expectWellFormedRefusal(answer)
          expect(JSON.stringify(answer)).not.toContain(marker)
        },
      ),
      { numRuns: 150 },
    )
    expect(api.handled()).toBe(0)
  })
})

function cookie({ headers }: TokenRequest): string | undefined {
  return headers['cookie'] as string | undefined
}
