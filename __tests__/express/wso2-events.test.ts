/** Webhooks of WSO2 Identity Server and Asgardeo. */
import { createHmac } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import { ConfigurationError, wso2Events, type Wso2EventsOptions } from '../../lib/index.js'
import { INTROSPECTION, startRevocationApi, type RevocationApi } from '../support/revocation-api.js'

const SECRET = 'a secret of the webhook'
const REVOKED = 'https://schemas.identity.wso2.org/events/token/event-type/accessTokenRevoked'
let api: RevocationApi

afterEach(() => api.close())

async function start(options: Partial<Wso2EventsOptions> = {}) {
  api = await startRevocationApi({
    options: { introspection: INTROSPECTION },
    mount: (app, server) => void app.use('/events', wso2Events(server, { secret: SECRET, ...options })),
  })
}

const now = () => Date.now()
const revoked = (more: Record<string, unknown> = {}) => ({
  iss: 'https://localhost:9443/t/carbon.super',
  jti: 'event-1',
  iat: now(),
  events: {
    [REVOKED]: {
      user: { id: 'u-1', claims: [{ uri: 'http://wso2.org/claims/username', value: 'alice' }] },
      tenant: { id: '1' },
      applications: [{ id: 'a', consumerKey: 'app' }],
    },
  },
  ...more,
})

async function post(payload: unknown, headers?: Record<string, string>) {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload)
  const hex = createHmac('sha256', SECRET).update(body).digest('hex')
  const response = await fetch(`${api.origin}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(headers ?? { 'x-hub-signature': `sha256=${hex}` }) },
    body,
  })
  return response.status
}

describe('wso2Events', () => {
  it('makes the user’s tokens at the named application suspect: introspected once, those of others untouched', async () => {
    await start()
    const [good, bad] = [api.as.mintJwt(), api.as.mintJwt()]
    api.as.answerIntrospection((token) => ({ body: { active: token === good } }))
    expect(await post(revoked())).toBe(202)
    expect(await api.get(bad)).toEqual([401, 'revoked'])
    expect(await api.get(good)).toEqual([200, undefined])
    expect(await api.get(good)).toEqual([200, undefined])
    expect(api.as.count('introspection')).toBe(2)
    expect(await api.get(api.as.mintJwt({ clientId: 'other' }))).toEqual([200, undefined])
    expect(await api.get(api.as.mintJwt({ subject: 'bob' }))).toEqual([200, undefined])
    expect(api.as.count('introspection')).toBe(2)
  })

  it('reads its clock in milliseconds: newer tokens are not touched', async () => {
    await start()
    await post(revoked({ iat: now() - 10_000 }))
    const iat = Math.floor(now() / 1000)
    expect(await api.get(api.as.mintJwt({ claims: { iat } }))).toEqual([200, undefined])
    expect(await api.get(api.as.mintJwt({ claims: { iat: iat - 20 } }))).toEqual([401, 'revoked'])
  })

  it('makes an opaque token suspect of which the answer names a user but no sub', async () => {
    await start()
    const token = api.as.issueOpaque({ response: { sub: undefined, username: 'alice@carbon.super' } })
    expect(await api.get(token)).toEqual([200, undefined])
    api.as.revoke(token)
    await post(revoked())
    expect(await api.get(token)).toEqual([401, 'inactive'])
  })

  it.each<[string, (body: string) => Record<string, string>]>([
    ['hex with a prefix', (body) => ({ 'x-hub-signature': `sha256=${sign(body, 'hex')}` })],
    ['plain hex', (body) => ({ 'x-wso2-event-signature': sign(body, 'hex') })],
    ['base64', (body) => ({ 'x-wso2-event-signature': sign(body, 'base64') })],
  ])('takes a signature in %s', async (_form, headersFor) => {
    await start()
    const body = JSON.stringify(revoked())
    expect(await post(body, headersFor(body))).toBe(202)
  })

  it('refuses what is not signed with the secret, or is no event', async () => {
    await start()
    expect(await post(revoked(), {})).toBe(401)
    expect(await post(revoked(), { 'x-hub-signature': `sha256=${'0'.repeat(64)}` })).toBe(401)
    expect(await post(revoked(), { 'x-hub-signature': 'sha256=' })).toBe(401)
    expect(await post('{}')).toBe(400)
    expect(await post('no json')).toBe(400)
    expect(api.effects).toEqual([])
  })

  it('takes the same event twice and lets it count once', async () => {
    await start()
    const payload = revoked()
    expect(await post(payload)).toBe(202)
    const told = api.effects.length
    expect(await post(payload)).toBe(202)
    expect(api.effects).toHaveLength(told)
  })

  it('answers the challenge of the hub, for wanted topics only, and never with markup', async () => {
    await start({ topics: ['orders'] })
    const get = async (query: string) => {
      const response = await fetch(`${api.origin}/events?${query}`)
      return [response.status, await response.text()]
    }
    expect(await get('hub.mode=subscribe&hub.topic=orders&hub.challenge=abc-123')).toEqual([200, 'abc-123'])
    expect(await get('hub.mode=subscribe&hub.topic=others&hub.challenge=abc-123')).toEqual([404, ''])
    expect(await get('hub.mode=subscribe&hub.topic=orders&hub.challenge=%3Cscript%3E')).toEqual([404, ''])
  })

  it('is not brought to fail by a path that is no path', async () => {
    await start()
    const response = await fetch(`${api.origin}/events//?hub.challenge=abc-123`)
    expect([response.status, await response.text()]).toEqual([200, 'abc-123'])
  })

  it('is misuse without a secret, or with an issuer that is not trusted', async () => {
    await start()
    expect(() => wso2Events(api.server, { secret: '' })).toThrow(ConfigurationError)
    expect(() => wso2Events(api.server, { secret: SECRET, tokenIssuer: 'https://x.example.com' })).toThrow(
      ConfigurationError,
    )
  })
})

function sign(body: string, encoding: 'hex' | 'base64'): string {
  return createHmac('sha256', SECRET).update(body).digest(encoding)
}
