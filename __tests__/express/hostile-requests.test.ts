/**
 * Hostile and odd requests, byte for byte over a socket. Each is refused in the way that its mistake deserves, or
 * accepted because it is none; nothing is a 500, nothing hangs, and no answer repeats the token.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Express } from 'express'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import type { ResourceServerOptions } from '../../lib/core/options/options.js'
import { expectNoCredentials, expectRefusal } from '../support/answers.js'
import { createApi, EXPRESS_VERSIONS, RESOURCE, type Api, type ExpressModule } from '../support/apps.js'
import { listenRaw, type RawAnswer, type RawServer } from '../support/raw-http.js'

/** What the answer is: accepted; no credentials; malformed; a bad token; or refused by Node's parser before us. */
type Verdict = '200' | '401 none' | '400 IR' | '401 IT' | 'not HTTP'

interface Attempt {
  readonly method?: string
  readonly target?: string
  /** Lines of the head. `$T` stands for a good token, here, in the target and in the body. */
  readonly head?: readonly string[]
  readonly body?: string
}

type Row = readonly [what: string, attempt: Attempt, verdict: Verdict]

const FORM = 'Content-Type: application/x-www-form-urlencoded'
const authorization = (value: string): Attempt => ({ head: [`Authorization: ${value}`] })
const query = (text: string): Attempt => ({ target: `/?${text}` })
const form = (body: string, ...head: string[]): Attempt => ({ method: 'POST', head: [FORM, ...head], body })

const HEADER_ONLY: readonly Row[] = [
  ['a good request', authorization('Bearer $T'), '200'],
  ['a field name in capitals', { head: ['AUTHORIZATION: Bearer $T'] }, '200'],
  ['no space after the colon', { head: ['Authorization:Bearer $T'] }, '200'],
  ['much space after the colon', { head: ['Authorization:  \t Bearer $T'] }, '200'],
  ['a space before the colon', { head: ['Authorization : Bearer $T'] }, 'not HTTP'],
  ['a folded field', { head: ['Authorization: Bearer', '\t$T'] }, 'not HTTP'],
  ['a NUL in the value', authorization('Bearer $T\u0000'), 'not HTTP'],
  ['a bare CR in the value', authorization('Bearer $T\rX: y'), 'not HTTP'],
  ['a bare LF, which ends the field', authorization('Bearer $T\nX-Other: y'), 'not HTTP'],
  ['a vertical tab before the token', authorization('Bearer \u000b$T'), 'not HTTP'],
  ['a DEL in the token', authorization('Bearer $T\u007f'), 'not HTTP'],
  ['a tab between scheme and token', authorization('Bearer\t$T'), '401 none'],
  ['a space and a tab', authorization('Bearer \t$T'), '400 IR'],
  ['a no-break space', authorization('Bearer\u00a0$T'), '401 none'],
  ['a no-break space behind', authorization('Bearer $T\u00a0'), '400 IR'],
  ['a byte order mark behind', authorization('Bearer $T\u00ef\u00bb\u00bf'), '400 IR'],
  ['Cyrillic that looks like Bearer', authorization('\u00d0\u0092earer $T'), '401 none'],
  ['a scheme in other case', authorization('bEARER $T'), '200'],
  ['a longer scheme', authorization('BearerX $T'), '401 none'],
  ['a shorter scheme', authorization('Beare $T'), '401 none'],
  ['Token instead of Bearer', authorization('Token $T'), '401 none'],
  ['the token alone', authorization('$T'), '401 none'],
  ['the scheme twice', authorization('Bearer Bearer $T'), '400 IR'],
  ['the scheme and a colon', authorization('Bearer: $T'), '401 none'],
  ['the scheme and an equals sign', authorization('Bearer=$T'), '401 none'],
  ['quotes', authorization('Bearer "$T"'), '400 IR'],
  ['angle brackets', authorization('Bearer <$T>'), '400 IR'],
  ['a parameter instead of a token', authorization('Bearer token=$T'), '400 IR'],
  ['a parameter behind the token', authorization('Bearer $T, realm="x"'), '400 IR'],
  ['two credentials in one field', authorization('Bearer $T, Bearer $T'), '400 IR'],
  ['a comma behind', authorization('Bearer $T,'), '400 IR'],
  ['a semicolon behind', authorization('Bearer $T;'), '400 IR'],
  ['Basic before Bearer in one field', authorization('Basic YTpi, Bearer $T'), '401 none'],
  ['Bearer before Basic in one field', authorization('Bearer $T, Basic YTpi'), '400 IR'],
  ['the scheme alone', authorization('Bearer'), '400 IR'],
  ['the scheme and spaces', authorization('Bearer    '), '400 IR'],
  ['an empty field', authorization(''), '401 none'],
  ['padding alone', authorization('Bearer ='), '400 IR'],
  ['padding in the middle', authorization('Bearer a=b'), '400 IR'],
  ['a percent-encoded token', authorization('Bearer %65yJ'), '400 IR'],
  ['dots alone', authorization('Bearer ...'), '401 IT'],
  ['padding behind a JWT', authorization('Bearer $T='), '401 IT'],
  ['a JWT and one more part', authorization('Bearer $T.x'), '401 IT'],
  ['null, as scripts write it', authorization('Bearer null'), '401 IT'],
  ['undefined, as scripts write it', authorization('Bearer undefined'), '401 IT'],
  ['an object, as scripts write it', authorization('Bearer [object Object]'), '400 IR'],
  ['a prototype’s name', authorization('Bearer __proto__'), '401 IT'],
  ['a token as long as allowed', authorization(`Bearer ${'a'.repeat(1024)}`), '401 IT'],
  ['a token one byte longer', authorization(`Bearer ${'a'.repeat(1025)}`), '400 IR'],
  ['more head than Node reads', authorization(`Bearer ${'a'.repeat(20_000)}`), 'not HTTP'],
  ['two fields', { head: ['Authorization: Bearer $T', 'Authorization: Bearer $T'] }, '400 IR'],
  ['a field for proxies', { head: ['Proxy-Authorization: Bearer $T'] }, '401 none'],
  [
    'fields of other gateways',
    { head: ['X-Forwarded-Authorization: Bearer $T', 'X-Authorization: Bearer $T'] },
    '401 none',
  ],
  ['a field called access_token', { head: ['access_token: $T'] }, '401 none'],
  ['a field called __proto__', { head: ['__proto__: Bearer $T', 'constructor: x'] }, '401 none'],
  ['a cookie', { head: ['Cookie: access_token=$T; authorization=Bearer $T'] }, '401 none'],
  [
    'a method override',
    { method: 'POST', head: ['X-HTTP-Method-Override: GET', 'Authorization: Bearer'] },
    '400 IR',
  ],
  [
    'OPTIONS that claims to be a preflight',
    { method: 'OPTIONS', head: ['Origin: https://a.example', 'Access-Control-Request-Method: GET'] },
    '401 none',
  ],
  ['an asterisk as target', { method: 'OPTIONS', target: '*' }, '401 none'],
  ['an absolute target', { ...authorization('Bearer $T'), target: 'http://elsewhere.example/' }, '200'],
  [
    'a token in the trailer',
    {
      method: 'POST',
      head: ['Transfer-Encoding: chunked', 'Trailer: Authorization'],
      body: '0\r\nAuthorization: Bearer $T\r\n\r\n',
    },
    '401 none',
  ],
  ['a query token where there is none', query('access_token=$T'), '401 none'],
  ['a form token where there is none', form('access_token=$T'), '401 none'],
]

const EVERYWHERE: readonly Row[] = [
  ['a query token', query('access_token=$T'), '200'],
  ['a query token among others', query('a=1&access_token=$T&b=2'), '200'],
  ['a name that is encoded', query('access%5Ftoken=$T'), '200'],
  ['a name in another case', query('Access_Token=$T'), '401 none'],
  ['a name with a space', query('+access_token=$T'), '401 none'],
  ['a second question mark', query('?access_token=$T'), '401 none'],
  ['a semicolon between parameters', query('a=1;access_token=$T'), '401 none'],
  ['a semicolon behind', query('access_token=$T;a=1'), '400 IR'],
  ['an encoded ampersand', query('a=1%26access_token=$T'), '401 none'],
  ['a plus, which is a space', query('access_token=a+b'), '400 IR'],
  ['an encoded plus', query('access_token=a%2Bb'), '401 IT'],
  ['a percent sign alone', query('access_token=%'), '400 IR'],
  ['a broken escape in the name', query('access%5token=$T'), '401 none'],
  ['half of a character', query('access_token=%ff%fe'), '400 IR'],
  ['an encoded NUL', query('access_token=$T%00'), '400 IR'],
  ['no value', query('access_token='), '400 IR'],
  ['no equals sign', query('access_token'), '400 IR'],
  ['a list', query('access_token[]=$T'), '400 IR'],
  ['an encoded list', query('access_token%5B%5D=$T'), '400 IR'],
  ['a list with places', query('access_token[0]=$T&access_token[1]=$T'), '400 IR'],
  ['an object', query('access_token[a]=$T'), '400 IR'],
  ['a nested object', query('access_token[a][b][c]=$T'), '400 IR'],
  ['an object of the prototype', query('access_token[__proto__][x]=$T'), '400 IR'],
  [
    'a prototype’s name',
    query('__proto__[access_token]=$T&constructor[prototype][access_token]=$T'),
    '401 none',
  ],
  ['a thousand parameters before it', query(`${'a=1&'.repeat(1001)}access_token=$T`), '200'],
  ['two query tokens', query('access_token=$T&access_token=$T'), '400 IR'],
  [
    'another scheme and a query token',
    { ...query('access_token=$T'), head: ['Authorization: Basic YTpi'] },
    '200',
  ],
  [
    'an empty Bearer and a query token',
    { ...query('access_token=$T'), head: ['Authorization: Bearer'] },
    '400 IR',
  ],
  ['header and query', { ...query('access_token=$T'), head: ['Authorization: Bearer $T'] }, '400 IR'],
  [
    'header and an empty query token',
    { ...query('access_token='), head: ['Authorization: Bearer $T'] },
    '400 IR',
  ],
  ['a query token on HEAD', { ...query('access_token=x.y.z'), method: 'HEAD' }, '401 IT'],
  ['a form token', form('access_token=$T'), '200'],
  [
    'a form token with a charset',
    { ...form('access_token=$T'), head: ['Content-Type: application/x-www-form-urlencoded;charset=utf-8'] },
    '200',
  ],
  [
    'a form in capitals',
    { ...form('access_token=$T'), head: ['content-type: APPLICATION/X-WWW-FORM-URLENCODED'] },
    '200',
  ],
  [
    'a form called something else',
    { ...form('access_token=$T'), head: ['Content-Type: application/x-www-form-urlencodedx'] },
    '401 none',
  ],
  [
    'two content types',
    {
      ...form('access_token=$T'),
      head: ['Content-Type: application/json, application/x-www-form-urlencoded'],
    },
    '401 none',
  ],
  ['POST without a body', { method: 'POST', head: [FORM] }, '401 none'],
  ['POST without a content type', { method: 'POST', body: 'access_token=$T' }, '401 none'],
  ['a form token twice', form('access_token=$T&access_token=$T'), '400 IR'],
  ['a form token as a list', form('access_token[]=$T'), '400 IR'],
  ['a form token as an object', form('access_token[then]=$T'), '400 IR'],
  ['a form with a prototype’s name', form('__proto__[access_token]=$T'), '401 none'],
  ['a form that is empty', form('access_token='), '400 IR'],
  ['GET with a form', { ...form('access_token=$T'), method: 'GET' }, '401 none'],
  ['HEAD with a form', { ...form('access_token=$T'), method: 'HEAD' }, '401 none'],
  ['DELETE with a form', { ...form('access_token=$T'), method: 'DELETE' }, '401 none'],
  [
    'JSON',
    { method: 'POST', head: ['Content-Type: application/json'], body: '{"access_token":"$T"}' },
    '401 none',
  ],
  ['form and header', form('access_token=$T', 'Authorization: Bearer $T'), '400 IR'],
  ['form and query', { ...form('access_token=$T'), target: '/?access_token=$T' }, '400 IR'],
  [
    'a method override that asks for a form',
    { ...form('access_token=$T', 'X-HTTP-Method-Override: POST'), method: 'GET' },
    '401 none',
  ],
]

let as: TestIssuer

beforeAll(async () => {
  as = await createTestIssuer()
})
afterAll(() => as.close())

describe.each(EXPRESS_VERSIONS)('hostile requests on %s', (_version, express) => {
  describe('where the header alone is read', () => {
    const attempt = withServer(express, { maxTokenBytes: 1024 })
    it.each(HEADER_ONLY.map(([what, request, verdict]) => ({ what, request, verdict })))(
      '$what: $verdict',
      async ({ request, verdict }) => expectVerdict(await attempt(request), verdict),
    )
  })

  describe('where form and query are read too', () => {
    const attempt = withServer(express, { tokenFrom: ['form', 'query'] }, (app) =>
      app.use(express.urlencoded({ extended: true }), express.json()),
    )
    it.each(EVERYWHERE.map(([what, request, verdict]) => ({ what, request, verdict })))(
      '$what: $verdict',
      async ({ request, verdict }) => expectVerdict(await attempt(request), verdict),
    )
  })

  describe('where the form is parsed without lists and objects', () => {
    const attempt = withServer(express, { tokenFrom: 'form' }, (app) =>
      app.use(express.urlencoded({ extended: false })),
    )
    it.each<Row>([
      ['a form token', form('access_token=$T'), '200'],
      ['a form token twice', form('access_token=$T&access_token=$T'), '400 IR'],
      ['a list of one', form('access_token[]=$T'), '400 IR'],
      ['an object', form('access_token[a]=$T'), '400 IR'],
    ])('%s', async (_what, request, verdict) => expectVerdict(await attempt(request), verdict))
  })

  describe('where no parser has read the form', () => {
    const attempt = withServer(express, { tokenFrom: 'form' })
    it('finds no token, and does not wait for one', async () => {
      expectVerdict(await attempt(form('access_token=$T')), '401 none')
    })
  })

  describe('where the form has been read as text or bytes', () => {
    const attempt = withServer(express, { tokenFrom: 'form' }, (app) => app.use(express.raw({ type: '*/*' })))
    it('finds no token', async () => expectVerdict(await attempt(form('access_token=$T')), '401 none'))
  })

  /** One server for a group of rows. */
  function withServer(
    module: ExpressModule,
    options: Partial<ResourceServerOptions>,
    before?: (app: Express) => void,
  ): (attempt: Attempt) => Promise<RawAnswer> {
    let api: Api
    let server: RawServer
    let token: string

    beforeAll(async () => {
      const introspection = { clientId: 'rs', clientSecret: 'rs-secret' }
      const all = { resource: RESOURCE, issuer: as.issuer, introspection, ...options }
      api = createApi(module, all, before ? { before } : {})
      server = await listenRaw(api.app)
      token = as.mintJwt()
    })
    afterAll(async () => {
      await server.close()
      await api.server.close()
    })

    return async function attempt({ method = 'GET', target = '/', head = [], body = '' }) {
      const fill = (text: string) => text.replaceAll('$T', token)
      const content = fill(body)
      const isChunked = head.some((line) => line.startsWith('Transfer-Encoding'))
      const length = content === '' || isChunked ? [] : [`Content-Length: ${content.length}`]
      const lines = [`${method} ${target} HTTP/1.1`, 'Host: api', ...head, ...length].map(fill)
      const handledBefore = api.handled()
      const answer = await server.send(lines, content)
      expect(JSON.stringify(answer)).not.toContain(token)
      expect(api.handled() - handledBefore).toBe(answer.status === 200 ? 1 : 0)
      return answer
    }
  }
})

function expectVerdict(answer: RawAnswer, verdict: Verdict): void {
  switch (verdict) {
    case '200':
      expect(answer.status).toBe(200)
      break
    case '401 none':
      expectNoCredentials(answer)
      break
    case '400 IR':
      expectRefusal(answer, 400, 'invalid_request')
      break
    case '401 IT':
      expectRefusal(answer, 401, 'invalid_token')
      break
    case 'not HTTP':
      expect([400, 431]).toContain(answer.status)
      // Node's parser answers such a request before any handler sees it
      expect(answer.headers['x-powered-by']).toBeUndefined()
  }
}
