/** RFC 8417, RFC 8935, RFC 8936, OpenID Shared Signals Framework 1.0 and CAEP 1.0. */
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from '@jest/globals'
import {
  pollSecurityEvents,
  securityEvents,
  type SecurityEventsHandler,
  type SecurityEventsOptions,
  type TransmitterOptions,
} from '../../lib/index.js'
import { createSigningKey, createTestIssuer, type MintOptions } from '../../lib/testing/test-issuer.js'
import { INTROSPECTION, RESOURCE, startRevocationApi, type RevocationApi } from '../support/revocation-api.js'
import { mintLogoutToken, mintSecurityEvent } from '../support/signed-statements.js'

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/'
const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/'
const REVOKED = `${CAEP}session-revoked`
type Claims = Record<string, unknown>

let api: RevocationApi
let handler: SecurityEventsHandler

afterEach(() => api.close())

async function start(
  transmitter: Partial<TransmitterOptions> = {},
  options: Partial<SecurityEventsOptions> = {},
  revocation = {},
) {
  api = await startRevocationApi({
    options: { introspection: INTROSPECTION, revocation },
    mount: (app, server, { issuer }) => {
      const transmitters = [{ issuer, audience: 'rs', ...transmitter }]
      handler = securityEvents(server, { transmitters, ...options })
      app.post('/events', handler)
    },
  })
}

async function push(token: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${api.origin}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/secevent+jwt', ...headers },
    body: token,
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

const alice = () => ({ format: 'iss_sub', iss: api.as.issuer, sub: 'alice' })
const event = (events: Claims, claims: Claims = {}, options?: MintOptions) =>
  mintSecurityEvent(api.as, { aud: 'rs', sub_id: alice(), events, ...claims }, options)
const errorOf = async (token: string, headers?: Record<string, string>) => {
  const { status, text } = await push(token, headers)
  return [status, (JSON.parse(text || '{}') as { err?: string }).err]
}
const past = () => Math.floor(Date.now() / 1000) - 10

describe('RFC 8417 Security Event Token', () => {
  it.each<[string, Claims, MintOptions]>([
    ['no iat', { iat: undefined }, {}],
    ['no jti', { jti: undefined }, {}],
    ['no events', { events: undefined }, {}],
    ['empty events', { events: {} }, {}],
    ['events that are a list', { events: [REVOKED] }, {}],
    ['an event that is no object', { events: { [REVOKED]: 1 } }, {}],
    ['an iat of next year', { iat: Date.now() / 1000 + 31_536_000 }, {}],
    ['the type of an access token', {}, { header: { typ: 'at+jwt' } }],
    ['the type of a logout token', {}, { header: { typ: 'logout+jwt' } }],
    ['a critical extension', {}, { header: { crit: ['x'], x: 1 } }],
  ])('R8417-01 %s is refused', async (_what, claims, options) => {
    await start()
    expect(await errorOf(event({ [REVOKED]: {} }, claims, options))).toEqual([400, 'invalid_request'])
    expect(await api.get(api.as.mintJwt())).toEqual([200, undefined])
  })

  it('R8417-01 access and logout tokens are no security events, a security event is no access token', async () => {
    await start()
    expect(await errorOf(api.as.mintJwt({ audience: 'rs' }))).toEqual([400, 'invalid_request'])
    expect(await errorOf(mintLogoutToken(api.as, { sid: 's' }))).toEqual([400, 'invalid_request'])
    const set = event({ [REVOKED]: {} }, { aud: RESOURCE })
    expect(await api.get(set)).toEqual([401, 'token_type_mismatch'])
  })
})

describe('RFC 8935 push', () => {
  it('R8935-01 a valid event is answered 202 with an empty body; another content type 400', async () => {
    await start()
    const answer = await push(event({ [REVOKED]: {} }))
    expect([answer.status, answer.text]).toEqual([202, ''])
    expect(await errorOf(event({ [REVOKED]: {} }), { 'content-type': 'text/plain' })).toEqual([
      400,
      'invalid_request',
    ])
  })

  it('R8935-02 a failure is 400 with err and description in JSON, and says its language', async () => {
    await start()
    const answer = await push('no token')
    expect(answer.status).toBe(400)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(answer.headers.get('content-language')).toBe('en')
    expect(JSON.parse(answer.text)).toEqual({ err: 'invalid_request', description: 'it is not a signed JWT' })
  })

  it.each<[string, string, Claims, MintOptions]>([
    ['invalid_key', 'another key', {}, { key: createSigningKey('ES256') }],
    ['invalid_key', 'no signature', {}, { alg: 'none' }],
    ['invalid_issuer', 'an issuer that is not configured', { iss: 'https://elsewhere.example.com' }, {}],
    ['invalid_audience', 'another audience', { aud: 'them' }, {}],
  ])('R8935-03 %s is said of %s', async (code, _what, claims, options) => {
    await start()
    expect(await errorOf(event({ [REVOKED]: {} }, claims, options))).toEqual([400, code])
  })

  it('R8935-03 authentication_failed is said of a caller without the credentials of the stream', async () => {
    await start({}, { authorization: ['Bearer old', 'Bearer new'] })
    const set = event({ [REVOKED]: {} })
    expect(await errorOf(set)).toEqual([400, 'authentication_failed'])
    expect(await errorOf(set, { authorization: 'Bearer wrong' })).toEqual([400, 'authentication_failed'])
    expect((await push(set, { authorization: 'Bearer new' })).status).toBe(202)
  })

  it('R8935-04 the same event twice is answered 202 twice and has one effect', async () => {
    await start()
    const set = event({ [REVOKED]: {} })
    expect((await push(set)).status).toBe(202)
    expect((await push(set)).status).toBe(202)
    expect(api.effects).toHaveLength(1)
  })

  it('R8935-04 it is not acknowledged before it is kept: without the shared log 503, then 202', async () => {
    let isDown = true
    const append = () => (isDown ? Promise.reject(new Error('down')) : Promise.resolve())
    await start({}, {}, { log: { append, follow: () => Promise.resolve() } })
    const set = event({ [REVOKED]: {} })
    expect((await push(set)).status).toBe(503)
    isDown = false
    expect((await push(set)).status).toBe(202)
  })
})

describe('RFC 8935 with a shared memory', () => {
  it('R8935-04 without the memory of received events 503, and an event is taken once for all who share it', async () => {
    const seen = new Set<string>()
    let isDown = true
    const failing = <T>(value: T) => (isDown ? Promise.reject(new Error('down')) : Promise.resolve(value))
    const seenOnce = {
      has: (name: string) => failing(seen.has(name)),
      remember: (name: string) => failing(void seen.add(name)),
    }
    await start({}, {}, { seenOnce })
    const set = event({ [REVOKED]: {} })
    expect((await push(set)).status).toBe(503)
    isDown = false
    expect((await push(set)).status).toBe(202)
    expect((await push(set)).status).toBe(202)
    expect(api.effects).toHaveLength(1)
  })
})

describe('OpenID Shared Signals Framework 1.0', () => {
  it.each<[string, Claims, MintOptions]>([
    ['a top-level sub', { sub: 'alice' }, {}],
    ['an exp', { exp: 4_000_000_000 }, {}],
    ['no typ', {}, { header: { typ: undefined } }],
  ])('SSF-01 %s is refused', async (_what, claims, options) => {
    await start()
    expect(await errorOf(event({ [REVOKED]: {} }, claims, options))).toEqual([400, 'invalid_request'])
  })

  it('SSF-02 a transmitter of its own: iss is the stream’s, its keys come from its metadata', async () => {
    const signer = await createTestIssuer()
    const ssf = await serve((url, respond, _body, fail) => {
      if (url !== '/.well-known/ssf-configuration') return fail(404)
      respond({ issuer: originOf(ssf), jwks_uri: signer.jwksUri })
    })
    const issuer = originOf(ssf)
    api = await startRevocationApi({
      mount: (app, server, as) => {
        const transmitters = [{ issuer, audience: 'rs', tokenIssuer: as.issuer }]
        app.post('/events', securityEvents(server, { transmitters }))
      },
    })
    const claims = { aud: 'rs', sub_id: alice(), events: { [REVOKED]: {} } }
    expect(await errorOf(mintSecurityEvent(signer, claims))).toEqual([400, 'invalid_issuer'])
    expect(await errorOf(mintSecurityEvent(api.as, claims))).toEqual([400, 'invalid_issuer'])
    expect(await errorOf(mintSecurityEvent(api.as, { ...claims, iss: issuer }))).toEqual([400, 'invalid_key'])
    expect((await push(mintSecurityEvent(signer, { ...claims, iss: issuer }))).status).toBe(202)
    expect(await api.get(api.as.mintJwt({ claims: { iat: past() } }))).toEqual([401, 'revoked'])
    await Promise.all([signer.close(), close(ssf)])
  })

  it('SSF-02 metadata of another issuer than the one configured proves nothing', async () => {
    const transmitter = await createTestIssuer()
    const ssf = await serve((_url, respond) =>
      respond({ issuer: transmitter.issuer, jwks_uri: transmitter.jwksUri }),
    )
    const claimed = originOf(ssf)
    api = await startRevocationApi({
      mount: (app, server) => {
        const transmitters = [{ issuer: claimed, audience: 'rs' }]
        app.post('/events', securityEvents(server, { transmitters }))
      },
    })
    const claims = { iss: claimed, aud: 'rs', sub_id: alice(), events: { [REVOKED]: {} } }
    expect((await push(mintSecurityEvent(transmitter, claims))).status).toBe(503)
    await Promise.all([transmitter.close(), close(ssf)])
  })

  it('SSF-03 all members of a complex subject must hold together', async () => {
    await start()
    const sub_id = { format: 'complex', user: alice(), application: { format: 'opaque', id: 'game' } }
    await push(event({ [REVOKED]: {} }, { sub_id }))
    const iat = past()
    expect(await api.get(api.as.mintJwt({ clientId: 'game', claims: { iat } }))).toEqual([401, 'revoked'])
    expect(await api.get(api.as.mintJwt({ claims: { iat } }))).toEqual([200, undefined])
    expect(await api.get(api.as.mintJwt({ subject: 'bob', clientId: 'game', claims: { iat } }))).toEqual([
      200,
      undefined,
    ])
  })

  it('SSF-03 an event narrowed by a member that tokens do not show makes them suspect, not revoked', async () => {
    await start()
    const sub_id = { format: 'complex', user: alice(), device: { format: 'opaque', id: 'd' }, unheard_of: 1 }
    await push(event({ [REVOKED]: {} }, { sub_id }))
    expect(api.effects).toMatchObject([{ outcome: 'listed', record: { verdict: 'suspect' } }])
  })

  it('SSF-03 an event with a critical member that cannot be matched is discarded, and that is told', async () => {
    await start({ criticalSubjectMembers: ['device'] })
    const sub_id = { format: 'complex', user: alice(), device: { format: 'opaque', id: 'd' } }
    expect((await push(event({ [REVOKED]: {} }, { sub_id }))).status).toBe(202)
    expect(api.effects).toMatchObject([{ kind: 'feed', outcome: 'unmatched' }])
    expect(await api.get(api.as.mintJwt({ claims: { iat: past() } }))).toEqual([200, undefined])
  })

  it('SSF-03 a session of a user: its tokens are revoked, those without a session are suspect', async () => {
    await start()
    const sub_id = { format: 'complex', user: alice(), session: { format: 'opaque', id: 's1' } }
    await push(event({ [REVOKED]: {} }, { sub_id }))
    expect(await api.get(api.as.mintJwt({ claims: { sid: 's1' } }))).toEqual([401, 'revoked'])
    expect(await api.get(api.as.mintJwt({ claims: { sid: 's2' } }))).toEqual([200, undefined])
    expect(api.as.count('introspection')).toBe(0)
    await api.get(api.as.mintJwt({ claims: { iat: past() } }))
    expect(api.as.count('introspection')).toBe(1)
  })

  it('SSF-04 a verification event proves freshness if its state is the one that was sent', async () => {
    await start()
    const verification = (state?: unknown) =>
      event(
        { [`${SSF}verification`]: state === undefined ? {} : { state } },
        {
          sub_id: { format: 'opaque', id: 'stream' },
        },
      )
    expect(await errorOf(verification('never sent'))).toEqual([400, 'invalid_state'])
    expect(api.server.health().revocation.feeds[0]?.lastHeartbeatAt).toBeUndefined()
    const state = handler.createVerificationState()
    expect((await push(verification(state))).status).toBe(202)
    expect(api.server.health().revocation.feeds[0]?.lastHeartbeatAt).toBeDefined()
    expect(await errorOf(verification(state))).toEqual([400, 'invalid_state'])
    expect((await push(verification())).status).toBe(202)
  })

  it('takes a paused stream as the end of freshness', async () => {
    await start({}, {}, { maxLagSeconds: 60, whenStale: 'refuse' })
    await push(event({ [`${SSF}verification`]: {} }))
    expect(await api.get(api.as.mintJwt())).toEqual([200, undefined])
    await push(event({ [`${SSF}stream-updated`]: { status: 'paused' } }))
    expect(await api.get(api.as.mintJwt())).toEqual([503, 'revocation_stale'])
  })
})

describe('OpenID CAEP 1.0', () => {
  it('CAEP-01 session-revoked refuses tokens issued at or before event_timestamp, newer ones pass', async () => {
    await start()
    const at = past()
    await push(event({ [REVOKED]: { event_timestamp: at } }))
    expect(await api.get(api.as.mintJwt({ claims: { iat: at } }))).toEqual([401, 'revoked'])
    expect(await api.get(api.as.mintJwt({ claims: { iat: at + 1 } }))).toEqual([200, undefined])
  })

  it('CAEP-01 without event_timestamp the iat of the event counts; milliseconds of drafts are understood', async () => {
    await start()
    const at = past()
    await push(event({ [REVOKED]: {} }, { iat: at - 100 }))
    expect(await api.get(api.as.mintJwt({ claims: { iat: at } }))).toEqual([200, undefined])
    await push(event({ [REVOKED]: { event_timestamp: at * 1000 } }))
    expect(await api.get(api.as.mintJwt({ claims: { iat: at } }))).toEqual([401, 'revoked'])
    expect(await api.get(api.as.mintJwt({ claims: { iat: at + 1 } }))).toEqual([200, undefined])
  })

  it.each(['credential-change', 'token-claims-change', 'assurance-level-change'])(
    'CAEP-02 %s makes matching tokens suspect: introspected once',
    async (name) => {
      await start()
      const iat = past()
      const [good, bad] = [1, 2].map(() => api.as.mintJwt({ claims: { iat } })) as [string, string]
      api.as.answerIntrospection((token) => ({ body: { active: token === good } }))
      await push(event({ [CAEP + name]: {} }))
      expect(await api.get(good)).toEqual([200, undefined])
      expect(await api.get(good)).toEqual([200, undefined])
      expect(await api.get(bad)).toEqual([401, 'revoked'])
      expect(api.as.count('introspection')).toBe(2)
    },
  )

  it('CAEP-02 a meaning may be another by option', async () => {
    await start({
      events: { [`${CAEP}credential-change`]: 'revoked', [`${RISC}account-disabled`]: 'ignore' },
    })
    await push(event({ [`${RISC}account-disabled`]: {} }))
    expect(await api.get(api.as.mintJwt({ claims: { iat: past() } }))).toEqual([200, undefined])
    await push(event({ [`${CAEP}credential-change`]: {} }))
    expect(await api.get(api.as.mintJwt({ claims: { iat: past() } }))).toEqual([401, 'revoked'])
  })

  it('CAEP-02 an unknown event is acknowledged, and that it had no effect is told', async () => {
    await start()
    expect((await push(event({ 'https://example.com/event/lunch': {} }))).status).toBe(202)
    expect(api.effects).toMatchObject([
      { kind: 'feed', outcome: 'unmatched', detail: 'lunch: unknown event' },
    ])
  })

  it.each<[string, () => Claims, Claims]>([
    ['iss_sub', alice, {}],
    ['opaque', () => ({ format: 'opaque', id: 'alice' }), {}],
    ['email', () => ({ format: 'email', email: 'a@example.com' }), { email: 'a@example.com' }],
    ['phone_number', () => ({ format: 'phone_number', phone_number: '+1' }), { phone_number: '+1' }],
    ['jwt_id', () => ({ format: 'jwt_id', iss: api.as.issuer, jti: 'j1' }), { jti: 'j1' }],
    ['aliases', () => ({ format: 'aliases', identifiers: [{ format: 'uri', uri: 'x:y' }, alice()] }), {}],
  ])('CAEP-03 a subject of format %s is understood', async (_format, sub_id, claims) => {
    await start()
    const iat = past()
    await push(event({ [`${RISC}account-disabled`]: {} }, { sub_id: sub_id() }))
    expect(await api.get(api.as.mintJwt({ claims: { iat, ...claims } }))).toEqual([401, 'revoked'])
    const other = { iat, email: 'b@example.com', phone_number: '+2' }
    expect(await api.get(api.as.mintJwt({ subject: 'bob', claims: other }))).toEqual([200, undefined])
  })

  it('CAEP-03 whom only the user knows is found by resolveSubject', async () => {
    await start({ resolveSubject: ({ uri }) => (uri === 'acct:alice@example.com' ? 'alice' : undefined) })
    const sub_id = { format: 'account', uri: 'acct:alice@example.com' }
    await push(event({ [REVOKED]: {} }, { sub_id }))
    expect(await api.get(api.as.mintJwt({ claims: { iat: past() } }))).toEqual([401, 'revoked'])
  })

  it('CAEP-03 an RS256 key of 2048 bits is accepted', async () => {
    await start()
    const set = event({ [REVOKED]: {} }, {}, { alg: 'RS256' })
    expect((await push(set)).status).toBe(202)
  })

  it('takes the published example', async () => {
    await start({ audience: 'https://sp.example.com/caep' })
    const vectors = JSON.parse(readFileSync('__tests__/vectors/security-events.json', 'utf8')) as {
      caep_session_revoked_claims: Claims & { sub_id: Claims }
    }
    const { sub_id, ...published } = vectors.caep_session_revoked_claims
    const set = event({}, { ...published, iss: api.as.issuer, sub_id: { ...sub_id, iss: api.as.issuer } })
    expect((await push(set)).status).toBe(202)
    expect(api.effects).toMatchObject([
      { record: { issuedBefore: 1_615_304_991, target: { subject: 'jane.smith@example.com' } } },
    ])
  })
})

describe('RFC 8936 poll', () => {
  type Poll = { ack: string[]; setErrs?: Claims; returnImmediately: boolean; maxEvents: number }

  it('R8936-01 events are fetched, acknowledged once kept or reported in setErrs, and more is asked for at once', async () => {
    await start()
    const polls: Poll[] = []
    const answers = [
      () => ({
        sets: { one: event({ [REVOKED]: {} }, { jti: 'one' }), two: 'rubbish' },
        moreAvailable: true,
      }),
      () => ({ sets: { three: event({ [REVOKED]: {} }, { jti: 'three', aud: 'x' }) } }),
      () => ({ sets: {} }),
    ]
    let third = (): void => undefined
    const done = new Promise<void>((resolve) => (third = resolve))
    const transmitter = await serve((_url, respond, body) => {
      polls.push(JSON.parse(body) as Poll)
      respond((answers[polls.length - 1] ?? (() => ({ sets: {} })))())
      if (polls.length === 3) third()
    })
    const endpoint = `${originOf(transmitter)}/poll`
    pollSecurityEvents(api.server, {
      issuer: api.as.issuer,
      audience: 'rs',
      endpoint,
      authorization: 'Bearer t',
    })
    await done
    expect(polls.slice(0, 3)).toMatchObject([
      { ack: [], returnImmediately: true, maxEvents: 100 },
      { ack: ['one'], setErrs: { two: { err: 'invalid_request' } } },
      { ack: [], setErrs: { three: { err: 'invalid_audience' } } },
    ])
    expect(await api.get(api.as.mintJwt({ claims: { iat: past() } }))).toEqual([401, 'revoked'])
    await close(transmitter)
  })

  it('R8936-01 an event that is refused is reported whatever its name, so that it does not come for ever', async () => {
    await start()
    const polls: string[] = []
    let second = (): void => undefined
    const done = new Promise<void>((resolve) => (second = resolve))
    const transmitter = await serve((_url, respond, body) => {
      polls.push(body)
      respond({ sets: polls.length === 1 ? (JSON.parse('{"__proto__":"rubbish"}') as Claims) : {} })
      if (polls.length === 2) second()
    })
    pollSecurityEvents(api.server, { issuer: api.as.issuer, audience: 'rs', endpoint: originOf(transmitter) })
    await done
    expect(polls[1]).toContain('"setErrs":{"__proto__":{"err":"invalid_request"')
    await close(transmitter)
  })

  it('R8936-02 an event that comes again is acknowledged again and has one effect', async () => {
    await start()
    const set = event({ [REVOKED]: {} }, { jti: 'one' })
    const acks: string[][] = []
    let third = (): void => undefined
    const done = new Promise<void>((resolve) => (third = resolve))
    const transmitter = await serve((_url, respond, body) => {
      acks.push((JSON.parse(body) as Poll).ack)
      respond({ sets: acks.length <= 2 ? { one: set } : {} })
      if (acks.length === 3) third()
    })
    pollSecurityEvents(api.server, { issuer: api.as.issuer, audience: 'rs', endpoint: originOf(transmitter) })
    await done
    expect(acks).toEqual([[], ['one'], ['one']])
    expect(api.effects).toHaveLength(1)
    await close(transmitter)
  })

  it('R8936-02 while the transmitter is down the feed is failing, and routes with a limit fall back', async () => {
    await start({}, {}, { maxLagSeconds: 60 })
    let polled = (): void => undefined
    const first = new Promise<void>((resolve) => (polled = resolve))
    const transmitter = await serve((_url, _respond, _body, fail) => {
      fail(500)
      polled()
    })
    pollSecurityEvents(api.server, { issuer: api.as.issuer, audience: 'rs', endpoint: originOf(transmitter) })
    await first
    api.as.answerIntrospection(() => ({ body: { active: true } }))
    expect(await api.get(api.as.mintJwt())).toEqual([200, undefined])
    expect(api.as.count('introspection')).toBe(1)
    const { feeds } = api.server.health().revocation
    expect(feeds[1]).toMatchObject({ lastHeartbeatAt: undefined })
    await close(transmitter)
  })
})

type Serve = (
  url: string,
  respond: (value: unknown) => void,
  body: string,
  fail: (status: number) => void,
) => void

async function serve(answer: Serve): Promise<Server> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const respond = (value: unknown) => {
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify(value))
      }
      const fail = (status: number) => response.writeHead(status).end()
      answer(request.url ?? '', respond, Buffer.concat(chunks).toString(), fail)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return server
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
