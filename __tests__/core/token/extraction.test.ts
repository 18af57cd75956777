import { describe, expect, it } from '@jest/globals'
import { ConfigurationError } from '../../../lib/core/errors.js'
import {
  createExtraction,
  isForm,
  isTokenParameter,
  type ExtractionSettings,
  type TokenLocation,
  type TokenRequest,
} from '../../../lib/core/token/extraction.js'

function extract(request: TokenRequest, settings: Partial<ExtractionSettings> = {}): string {
  const given = { maxTokenBytes: 1000, form: false, query: false, custom: undefined, ...settings }
  return createExtraction(given)(request).token
}

/** The reason of the refusal, or the token. */
function outcome(request: TokenRequest, settings?: Partial<ExtractionSettings>): string {
  try {
    return extract(request, settings)
  } catch (error) {
    return (error as { reason: string }).reason
  }
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

describe('the Authorization field', () => {
  it.each<[string, TokenRequest, string]>([
    ['in lower case', { headers: { authorization: 'Bearer t' } }, 't'],
    ['in any case, outside Node', { headers: { Authorization: 'Bearer t' } }, 't'],
    ['as a list of one', { headers: { authorization: ['Bearer t'] } }, 't'],
    [
      'as a list of two',
      { headers: { authorization: ['Bearer t', 'Bearer t'] } },
      'multiple_authorization_fields',
    ],
    [
      'in two cases',
      { headers: { authorization: 'Bearer t', Authorization: 'Bearer t' } },
      'multiple_authorization_fields',
    ],
    ['absent', { headers: {} }, 'missing_token'],
    ['undefined', { headers: { authorization: undefined } }, 'missing_token'],
    ['as an empty list', { headers: { authorization: [] } }, 'missing_token'],
    ['with whitespace behind', { headers: { authorization: 'Bearer t \t ' } }, 't'],
    [
      'with other whitespace behind',
      { headers: { authorization: 'Bearer t\u00a0' } },
      'malformed_credentials',
    ],
    ['with a line break behind', { headers: { authorization: 'Bearer t\n' } }, 'malformed_credentials'],
    ['with a line break within', { headers: { authorization: 'Bearer t\nx' } }, 'malformed_credentials'],
  ])('is read %s', (_case, request, expected) => {
    expect(outcome(request)).toBe(expected)
  })

  it.each<[string, TokenRequest, string]>([
    [
      'once raw and once parsed',
      { headers: { authorization: 'Bearer t' }, rawHeaders: ['Host', 'a', 'Authorization', 'Bearer t'] },
      't',
    ],
    [
      'twice raw, of which Node keeps one',
      {
        headers: { authorization: 'Bearer t' },
        rawHeaders: ['Authorization', 'Bearer t', 'AUTHORIZATION', 'x'],
      },
      'multiple_authorization_fields',
    ],
    [
      'not raw, as adapters for functions leave it',
      { headers: { authorization: 'Bearer t' }, rawHeaders: [] },
      't',
    ],
    [
      'replaced by middleware before us',
      { headers: { authorization: 'Bearer other' }, rawHeaders: ['Authorization', 'Bearer t'] },
      'other',
    ],
    [
      'taken away by middleware before us',
      { headers: {}, rawHeaders: ['Authorization', 'Bearer t'] },
      'missing_token',
    ],
    [
      'as a value, not as a name',
      {
        headers: { 'x-name': 'authorization' },
        rawHeaders: ['X-Name', 'authorization', 'X-Name', 'authorization'],
      },
      'missing_token',
    ],
    [
      'of HTTP/2, among pseudo fields',
      {
        headers: { ':method': 'GET', ':path': '/', authorization: 'Bearer t' },
        rawHeaders: [':method', 'GET', ':path', '/', 'authorization', 'Bearer t'],
      },
      't',
    ],
    [
      'with an odd list of raw fields',
      { headers: { authorization: 'Bearer t' }, rawHeaders: ['Authorization'] },
      't',
    ],
  ])('counts %s', (_case, request, expected) => {
    expect(outcome(request)).toBe(expected)
  })

  it('takes linear time for a value full of spaces', () => {
    // a regular expression for trailing whitespace would take minutes here
    expect(outcome({ headers: { authorization: `Bearer ${' '.repeat(1_000_000)}\u00a0` } })).toBe(
      'malformed_credentials',
    )
  })

  it('counts bytes before it looks at them', () => {
    expect(outcome({ headers: { authorization: `Bearer ${'a'.repeat(1000)}` } })).toHaveLength(1000)
    const error = (() => {
      try {
        return extract({ headers: { authorization: `Bearer ${'"'.repeat(1001)}` } })
      } catch (thrown) {
        return thrown
      }
    })()
    expect(error).toMatchObject({ reason: 'token_too_long', evidence: { expected: 1000, found: 1001 } })
  })
})

describe('the form', () => {
  const post = (body: unknown, headers: TokenRequest['headers'] = FORM): TokenRequest => ({
    method: 'POST',
    headers,
    body,
  })

  it.each<[string, unknown, string]>([
    ['a token', { access_token: 't' }, 't'],
    ['no token', { other: 't' }, 'missing_token'],
    ['a list', { access_token: ['t'] }, 'malformed_credentials'],
    ['a list under its raw name', { 'access_token[]': 't' }, 'malformed_credentials'],
    ['both', { access_token: 't', 'access_token[]': 't' }, 'multiple_tokens'],
    ['an object', { access_token: { a: 't' } }, 'malformed_credentials'],
    ['a number', { access_token: 1 }, 'malformed_credentials'],
    ['null', { access_token: null }, 'malformed_credentials'],
    ['nothing', undefined, 'missing_token'],
    ['null for a body', null, 'missing_token'],
    ['text', 'access_token=t', 'missing_token'],
    ['an inherited member', Object.create({ access_token: 't' }), 'missing_token'],
    ['an object without prototype', Object.assign(Object.create(null), { access_token: 't' }), 't'],
  ])('with %s', (_case, body, expected) => {
    expect(outcome(post(body), { form: true })).toBe(expected)
  })

  it('is not looked at unless it is switched on', () => {
    expect(outcome(post({ access_token: 't' }), { query: true })).toBe('missing_token')
  })

  it.each<[string, TokenRequest, boolean]>([
    ['POST', post({}), true],
    ['any case of the field’s name', post({}, { 'Content-Type': FORM['content-type'] }), true],
    ['a list of one', post({}, { 'content-type': [FORM['content-type']] }), true],
    ['a list of two', post({}, { 'content-type': [FORM['content-type'], 'text/plain'] }), false],
    ['no type', post({}, {}), false],
    ['no method', { headers: FORM }, false],
    ['GET', { headers: FORM, method: 'GET' }, false],
    ['a method in lower case, which is another', { headers: FORM, method: 'post' }, false],
  ])('isForm: %s is %p', (_case, request, expected) => {
    expect(isForm(request)).toBe(expected)
  })
})

describe('the query', () => {
  it.each<[string | undefined, string]>([
    ['/?access_token=t', 't'],
    ['/a/b?x=1&access_token=t', 't'],
    ['http://api.example.com/?access_token=t', 't'],
    ['?access_token=t', 't'],
    ['/?%61ccess_token=t', 't'],
    ['/??access_token=t', 'missing_token'],
    ['/access_token=t', 'missing_token'],
    ['/', 'missing_token'],
    ['', 'missing_token'],
    [undefined, 'missing_token'],
    ['/?access_token=t&access_token=t', 'multiple_tokens'],
    ['/?access_token[]=t', 'malformed_credentials'],
  ])('of %p', (url, expected) => {
    expect(outcome({ headers: {}, url }, { query: true })).toBe(expected)
  })
})

describe('a place of the user’s own', () => {
  const custom = (answer: unknown) => ({ custom: (() => answer) as TokenLocation })

  it.each<[unknown, string]>([
    ['t', 't'],
    [undefined, 'missing_token'],
    [null, 'missing_token'],
    ['', 'missing_token'],
    [0, 'malformed_credentials'],
    [7, 'malformed_credentials'],
    [false, 'malformed_credentials'],
    [['t'], 'malformed_credentials'],
    [{}, 'malformed_credentials'],
    ['a b', 'malformed_credentials'],
  ])('that answers %p', (answer, expected) => {
    expect(outcome({ headers: {} }, custom(answer))).toBe(expected)
  })

  it('counts as a location of its own', () => {
    expect(outcome({ headers: { authorization: 'Bearer t' } }, custom('t'))).toBe('multiple_tokens')
  })

  it('must not answer with a promise', () => {
    expect(() => extract({ headers: {} }, custom(Promise.resolve('t')))).toThrow(ConfigurationError)
    expect(() => extract({ headers: {} }, custom(Promise.reject(new Error('x'))))).toThrow(
      /tokenFrom: .*promise/,
    )
  })

  it('throws what it throws', () => {
    const fault = new Error('of the application')
    const throwing: TokenLocation = () => {
      throw fault
    }
    expect(() => extract({ headers: {} }, { custom: throwing })).toThrow(fault)
  })
})

describe('isTokenParameter', () => {
  it.each(['access_token', 'access_token[]', 'access_token[a][b]'])('%s is one', (name) => {
    expect(isTokenParameter(name)).toBe(true)
  })
  it.each(['access_tokens', 'Access_Token', 'x_access_token', ' access_token', 'access_token.a', ''])(
    '%j is none',
    (name) => {
      expect(isTokenParameter(name)).toBe(false)
    },
  )
})
