/** Tokens bound to a client certificate, by the rows of the checklist (RFC 8705 §3), over real TLS. */
import { once } from 'node:events'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, request as httpsRequest, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import express, { type Express } from 'express'
import request from 'supertest'
import type { ResourceServerEvent } from '../../lib/core/events.js'
import type { MtlsOptions, ResourceServerOptions } from '../../lib/index.js'
import { createTestCertificate, type TestCertificate } from '../../lib/testing/certificates.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { createApi, RESOURCE, type Api } from '../support/apps.js'
import { parseChallenges } from '../support/challenges.js'
import { createDpopClient } from '../support/dpop.js'

const server = createTestCertificate({ commonName: 'api' })
const mine = createTestCertificate({ commonName: 'client' })
const others = createTestCertificate({ commonName: 'another client' })
let issuer: TestIssuer
const open: Api[] = []
const listening: Server[] = []
const events: ResourceServerEvent[] = []

beforeAll(async () => {
  issuer = await createTestIssuer()
})
afterEach(async () => {
  events.length = 0
  issuer.resetRequests()
  for (const one of listening.splice(0)) {
    one.close()
    one.closeAllConnections()
  }
  await Promise.all(open.splice(0).map((api) => api.server.close()))
})
afterAll(() => issuer.close())

function start(mtls?: MtlsOptions, options: Partial<ResourceServerOptions> = {}): Api {
  const api = createApi(express, {
    resource: RESOURCE,
    issuer: issuer.issuer,
    introspection: { clientId: 'rs', clientSecret: 'rs-secret', cacheTtlSeconds: 3600 },
    onRefusal: (event) => events.push(event),
    ...(mtls && { mtls }),
    ...options,
  })
  open.push(api)
  return api
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
}

type Call = (token: string, certificate?: TestCertificate, fields?: Record<string, string>) => Promise<Answer>

/** Serves the app over TLS; asks for a certificate of the client's and leaves it to the app what it is worth. */
async function overTls(app: Express): Promise<Call> {
  const options = { cert: server.cert, key: server.key, requestCert: true, rejectUnauthorized: false }
  const https = createServer(options, (req, res) => void app(req, res))
  listening.push(https)
  await once(https.listen(0, '127.0.0.1'), 'listening')
  const { port } = https.address() as AddressInfo

  return async function call(token, certificate, fields = {}) {
    const outgoing = httpsRequest({
      host: '127.0.0.1',
      port,
      ca: server.cert,
      ...(certificate && { cert: certificate.cert, key: certificate.key }),
      agent: false,
      headers: { authorization: `Bearer ${token}`, ...fields },
    })
    outgoing.end()
    const [response] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage]
    response.resume()
    return { status: response.statusCode ?? 0, headers: response.headers }
  }
}

const boundJwt = (cnf: unknown = { 'x5t#S256': mine.thumbprint }) => issuer.mintJwt({ claims: { cnf } })
const boundOpaque = () => issuer.issueOpaque({ response: { cnf: { 'x5t#S256': mine.thumbprint } } })

function expectRefusal({ status, headers }: Answer, reason?: string): void {
  const bearer = parseChallenges(headers['www-authenticate']).find(({ scheme }) => scheme === 'bearer')
  expect({ status, error: bearer?.params['error'] }).toEqual({ status: 401, error: 'invalid_token' })
  if (reason !== undefined) expect(events.at(-1)?.reason).toBe(reason)
}

describe('the certificate of the connection', () => {
  it('R8705-01 the certificate that the token is bound to is accepted, whoever issued it', async () => {
    const call = await overTls(start().app)
    expect((await call(boundJwt(), mine)).status).toBe(200)
  })

  it('R8705-01 the example of the specification has this thumbprint', async () => {
    const file = new URL('../vectors/mtls.json', import.meta.url)
    const vector = JSON.parse(readFileSync(file, 'utf8')) as { certificate: string; 'x5t#S256': string }
    const api = start({
      certificateFrom: { header: 'ssl-client-cert', format: 'pem' },
      trustedProxies: ['127.0.0.1'],
    })
    const answer = await request(api.app)
      .get('/')
      .set('Authorization', `Bearer ${boundJwt({ 'x5t#S256': vector['x5t#S256'] })}`)
      .set('ssl-client-cert', encodeURIComponent(vector.certificate))
    expect(answer.status).toBe(200)
  })

  it('R8705-02 another certificate is invalid_token', async () => {
    const call = await overTls(start().app)
    expectRefusal(await call(boundJwt(), others), 'certificate_mismatch')
  })

  it('R8705-03 no certificate is invalid_token, on TLS and without, configured or not', async () => {
    for (const mtls of [undefined, { require: true }]) {
      const api = start(mtls)
      const call = await overTls(api.app)
      expectRefusal(await call(boundJwt()), 'certificate_missing')
      const plain = await request(api.app).get('/').set('Authorization', `Bearer ${boundJwt()}`)
      expectRefusal(plain, 'certificate_missing')
    }
  })

  it('R8705-04 the binding in an introspection answer is checked on every request, remembered or not', async () => {
    const call = await overTls(start().app)
    const token = boundOpaque()
    expect((await call(token, mine)).status).toBe(200)
    expectRefusal(await call(token, others), 'certificate_mismatch')
    expectRefusal(await call(token), 'certificate_missing')
    expect((await call(token, mine)).status).toBe(200)
    expect(issuer.count('introspection')).toBe(1)
  })

  it.each([
    ['hex', (thumbprint: string) => Buffer.from(thumbprint, 'base64url').toString('hex')],
    ['padded', (thumbprint: string) => `${thumbprint}=`],
    ['in standard base64', (thumbprint: string) => Buffer.from(thumbprint, 'base64url').toString('base64')],
    ['empty', () => ''],
  ])('R8705-05 a value that is %s matches no certificate', async (_what, write) => {
    const call = await overTls(start().app)
    expectRefusal(await call(boundJwt({ 'x5t#S256': write(mine.thumbprint) }), mine), 'certificate_mismatch')
  })

  it('R8705-07 with mtls.require an unbound token is invalid_token', async () => {
    const call = await overTls(start({ require: true }).app)
    expectRefusal(await call(issuer.mintJwt(), mine), 'sender_constraint_missing')
    expect((await call(boundJwt(), mine)).status).toBe(200)
  })
})

describe('the certificate in a field of a proxy', () => {
  const der = (certificate: TestCertificate) => new X509Certificate(certificate.cert).raw
  const base64 = (certificate: TestCertificate) => der(certificate).toString('base64')
  const hex = (certificate: TestCertificate) =>
    Buffer.from(certificate.thumbprint, 'base64url').toString('hex')
  const escaped = (certificate: TestCertificate) => encodeURIComponent(certificate.cert)
  /** Percent-encoded but for what AWS calls safe. */
  const aws = (certificate: TestCertificate) =>
    escaped(certificate).replace(/%2B/g, '+').replace(/%3D/g, '=').replace(/%2F/g, '/')
  const chainOf = (...chain: TestCertificate[]) => chain.map(aws).join('')
  const pem = { header: 'X-Client-Cert', format: 'pem' } as const
  const b64 = { header: 'X-Client-Cert', format: 'der' } as const

  type Write = (certificate: TestCertificate) => string
  const formats: readonly (readonly [string, MtlsOptions['certificateFrom'], string, Write])[] = [
    ['Client-Cert of RFC 9440', 'client-cert', 'Client-Cert', (one) => `:${base64(one)}:`],
    [
      'Envoy, by hash',
      'x-forwarded-client-cert',
      'X-Forwarded-Client-Cert',
      (one) => `By=spiffe://a/b;Hash=${hex(one)};Subject="CN=a, b;c\\"d"`,
    ],
    [
      'Envoy, by certificate',
      'x-forwarded-client-cert',
      'X-Forwarded-Client-Cert',
      (one) => `Cert="${escaped(one)}";URI=spiffe://a`,
    ],
    [
      'Envoy, by both',
      'x-forwarded-client-cert',
      'X-Forwarded-Client-Cert',
      (one) => `Hash=${hex(one).toUpperCase()};Cert="${escaped(one)}"`,
    ],
    [
      'Envoy, of two hops, of which the last is known',
      'x-forwarded-client-cert',
      'X-Forwarded-Client-Cert',
      (one) => `Hash=${hex(server)};Subject="CN=a,CN=b",By=x;Hash=${hex(one)}`,
    ],
    ['nginx', pem, 'X-Client-Cert', escaped],
    ['AWS', pem, 'X-Client-Cert', aws],
    ['AWS, a chain', pem, 'X-Client-Cert', (one) => chainOf(one, server)],
    ['Apache, on one line', pem, 'X-Client-Cert', (one) => one.cert.trim().replace(/\n/g, ' ')],
    ['HAProxy', b64, 'X-Client-Cert', base64],
    ['Traefik, a chain', b64, 'X-Client-Cert', (one) => `${base64(one)},${base64(server)}`],
  ]

  const ask = (api: Api, field: string, value: string | string[], token = boundJwt()) =>
    request(api.app)
      .get('/')
      .set('Authorization', `Bearer ${token}`)
      .set(field, value as string)

  it.each(formats)(
    'R8705-06 %s is read from a trusted proxy',
    async (_what, certificateFrom, field, write) => {
      const api = start({ certificateFrom, trustedProxies: ['127.0.0.0/8', '::1'] } as MtlsOptions)
      expect((await ask(api, field, write(mine))).status).toBe(200)
      expect((await ask(api, field, write(mine), boundOpaque())).status).toBe(200)
      expectRefusal(await ask(api, field, write(others)), 'certificate_mismatch')
      expectRefusal(await ask(api, 'X-Other', write(mine)), 'certificate_missing')
    },
  )

  it.each(formats)(
    'R8705-06 %s is refused from anybody else',
    async (_what, certificateFrom, field, write) => {
      for (const trustedProxies of [['10.0.0.0/8'], ['127.0.0.2', '::1'], () => false]) {
        const api = start({ certificateFrom, trustedProxies } as MtlsOptions)
        expectRefusal(await ask(api, field, write(mine)), 'certificate_untrusted')
      }
    },
  )

  it.each(formats)('R8705-06 %s is not read where no proxy is named', async (_what, _from, field, write) => {
    expectRefusal(await ask(start(), field, write(mine)), 'certificate_missing')
  })

  it.each([
    ['client-cert', 'Client-Cert', base64(mine)],
    ['client-cert', 'Client-Cert', `:${base64(mine)}`],
    ['client-cert', 'Client-Cert', `:${base64(mine)}:, :${base64(mine)}:`],
    ['client-cert', 'Client-Cert', '::'],
    ['client-cert', 'Client-Cert', `:${base64(mine).slice(0, 41)}:`],
    ['client-cert', 'Client-Cert', `:${Buffer.from('no certificate').toString('base64')}:`],
    ['client-cert', 'Client-Cert', `:${base64(mine).replaceAll(/[+/]/g, '_')}!:`],
    ['x-forwarded-client-cert', 'X-Forwarded-Client-Cert', `Hash=${hex(mine)};Hash=${hex(others)}`],
    ['x-forwarded-client-cert', 'X-Forwarded-Client-Cert', `Hash=${hex(mine)};Cert="${escaped(others)}"`],
    ['x-forwarded-client-cert', 'X-Forwarded-Client-Cert', `Hash=${hex(mine)};Cert="nonsense"`],
    ['x-forwarded-client-cert', 'X-Forwarded-Client-Cert', `Subject="a;Hash=${hex(mine)}"`],
    ['x-forwarded-client-cert', 'X-Forwarded-Client-Cert', `Hash=${hex(mine)},By=x`],
    ['x-forwarded-client-cert', 'X-Forwarded-Client-Cert', `Hash=${mine.thumbprint}`],
    [pem, 'X-Client-Cert', '%E0%A4%A'],
    [pem, 'X-Client-Cert', base64(mine)],
    [pem, 'X-Client-Cert', '(null)'],
    [b64, 'X-Client-Cert', escaped(mine)],
  ] as const)('R8705-06 %j does not take %s: %s', async (certificateFrom, field, value) => {
    const api = start({ certificateFrom, trustedProxies: ['127.0.0.1', '::1'] })
    expectRefusal(await ask(api, field, value), 'certificate_malformed')
  })

  it('R8705-06 two lines of the field are none', async () => {
    const api = start({ certificateFrom: 'client-cert', trustedProxies: ['127.0.0.1', '::1'] })
    const twice = [`:${base64(mine)}:`, `:${base64(mine)}:`]
    expectRefusal(await ask(api, 'Client-Cert', twice), 'certificate_malformed')
  })

  it('R8705-06 behind a trusted proxy the certificate of the connection is its own, never the client’s', async () => {
    const call = await overTls(start({ certificateFrom: 'client-cert', trustedProxies: ['127.0.0.1'] }).app)
    expectRefusal(await call(boundJwt(), mine), 'certificate_missing')
    expectRefusal(
      await call(boundJwt(), mine, { 'client-cert': `:${base64(others)}:` }),
      'certificate_mismatch',
    )
    expect((await call(boundJwt(), server, { 'client-cert': `:${base64(mine)}:` })).status).toBe(200)
  })

  it('R8705-06 who connects directly is known by the connection, and refused with the field of a proxy', async () => {
    const call = await overTls(start({ certificateFrom: 'client-cert', trustedProxies: ['10.0.0.1'] }).app)
    expect((await call(boundJwt(), mine)).status).toBe(200)
    expectRefusal(
      await call(boundJwt(), others, { 'client-cert': `:${base64(mine)}:` }),
      'certificate_untrusted',
    )
    expectRefusal(
      await call(boundJwt(), mine, { 'client-cert': `:${base64(mine)}:` }),
      'certificate_untrusted',
    )
  })

  it('R8705-06 a function may know the proxies, by address', async () => {
    const asked: (string | undefined)[] = []
    const trustedProxies = (address: string | undefined) => asked.push(address) > 0
    const api = start({ certificateFrom: 'client-cert', trustedProxies })
    expect((await ask(api, 'Client-Cert', `:${base64(mine)}:`)).status).toBe(200)
    expect(asked).toEqual([expect.stringContaining('127.0.0.1')])
  })
})

describe('what a token is bound to', () => {
  it.each([
    [{ jwk: { kty: 'EC' } }],
    [{ kid: 'k' }],
    [{ jku: 'https://keys.example' }],
    [{ 'x5t#S256': mine.thumbprint, kid: 'k' }],
    [{ 'x5t#S256': 7 }],
    [{}],
    [[]],
    ['a string'],
    [null],
    [true],
  ])('R8705-07 cnf %j is invalid_token: what cannot be enforced is not ignored', async (cnf) => {
    const call = await overTls(start().app)
    expectRefusal(await call(boundJwt(cnf), mine), 'sender_constraint_unsupported')
  })

  it('R8705-07 cnf null in an introspection answer says nothing', async () => {
    const call = await overTls(start().app)
    expect((await call(issuer.issueOpaque({ response: { cnf: null } }))).status).toBe(200)
  })

  it('R8705-07 bound to a key and to a certificate, both must hold', async () => {
    const client = createDpopClient()
    const call = await overTls(start().app)
    const token = boundJwt({ ...client.cnf, 'x5t#S256': mine.thumbprint })
    const proof = () => ({ authorization: `DPoP ${token}`, dpop: client.proof({ token }) })
    expect((await call(token, mine, proof())).status).toBe(200)
    expect((await call(token, others, proof())).status).toBe(401)
    expect((await call(token, undefined, proof())).status).toBe(401)
    expectRefusal(await call(token, mine), 'dpop_required')
    const stranger = { authorization: `DPoP ${token}`, dpop: createDpopClient().proof({ token }) }
    expect((await call(token, mine, stranger)).status).toBe(401)
  })
})
