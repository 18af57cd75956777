/** OpenID Connect Back-Channel Logout 1.0 with errata set 1, applied to bearer tokens. */
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import {
  backchannelLogout,
  ConfigurationError,
  resourceServer,
  type BackchannelLogoutOptions,
} from '../../lib/index.js'
import { createSigningKey, type MintOptions } from '../../lib/testing/test-issuer.js'
import { INTROSPECTION, RESOURCE, startRevocationApi, type RevocationApi } from '../support/revocation-api.js'
import { LOGOUT_EVENT, mintLogoutToken } from '../support/signed-statements.js'

let api: RevocationApi

afterEach(() => api.close())

async function start(options: BackchannelLogoutOptions = {}, revocation = {}, parser = false) {
  api = await startRevocationApi({
    options: { introspection: INTROSPECTION, revocation },
    mount: (app, server) => {
      if (parser) app.use(express.urlencoded())
      app.post('/logout', backchannelLogout(server, { algorithms: ['ES256'], ...options }))
    },
  })
}

async function post(form: Record<string, string> | string, type = 'application/x-www-form-urlencoded') {
  const body = typeof form === 'string' ? form : new URLSearchParams(form).toString()
  const response = await fetch(`${api.origin}/logout`, {
    method: 'POST',
    headers: { 'content-type': type },
    body,
  })
  const text = await response.text()
  return { status: response.status, text, headers: response.headers }
}

const logout = (claims: Record<string, unknown>, options?: MintOptions) =>
  post({ logout_token: mintLogoutToken(api.as, claims, options) })

const sessionToken = () => api.as.mintJwt({ claims: { sid: 's1' } })

describe('OpenID Connect Back-Channel Logout 1.0', () => {
  it.each([false, true])(
    'BCL-01 a logout token in a form is answered 200, not stored, further values ignored (body parser: %s)',
    async (parser) => {
      await start({}, {}, parser)
      const answer = await post({ other: 'x', logout_token: mintLogoutToken(api.as, { sid: 's1' }) })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(await api.get(sessionToken())).toEqual([401, 'revoked'])
    },
  )

  it('BCL-01 anything but one logout token in a form is answered 400, another method 405', async () => {
    await start()
    expect((await post({ other: 'x' })).status).toBe(400)
    expect((await post(`logout_token=a&logout_token=b`)).status).toBe(400)
    expect((await post('{}', 'application/json')).status).toBe(400)
    expect((await fetch(`${api.origin}/logout`)).status).not.toBe(200)
    expect((await post(`logout_token=${'a'.repeat(70_000)}`)).status).toBe(413)
  })

  it.each<[string, Record<string, unknown>, MintOptions]>([
    ['a signature by another key', {}, { key: createSigningKey('ES256') }],
    ['no signature', {}, { alg: 'none' }],
    ['an algorithm outside the list', {}, { alg: 'EdDSA' }],
    ['an unknown issuer', { iss: 'https://elsewhere.example.com' }, {}],
    ['another audience', { aud: 'somebody-else' }, {}],
    ['no audience', { aud: undefined }, {}],
  ])('BCL-02 %s is answered 400', async (_what, claims, options) => {
    await start()
    expect((await logout({ sid: 's1', ...claims }, options)).status).toBe(400)
    expect(await api.get(sessionToken())).toEqual([200, undefined])
  })

  it('BCL-02 unless told otherwise only RS256 is taken', async () => {
    api = await startRevocationApi({
      options: { introspection: INTROSPECTION },
      mount: (app, server) => void app.post('/logout', backchannelLogout(server)),
    })
    expect((await logout({ sid: 's1' })).status).toBe(400)
    expect((await logout({ sid: 's1' }, { alg: 'RS256' })).status).toBe(200)
  })

  it.each<[string, Record<string, unknown>]>([
    ...['iss', 'aud', 'iat', 'exp', 'jti', 'events'].map((name): [string, Record<string, unknown>] => [
      `no ${name}`,
      { [name]: undefined },
    ]),
    ['an exp that has passed', { exp: 1_700_000_000 }],
    ['an iat in the future', { iat: 4_000_000_000, exp: 4_000_000_600 }],
  ])('BCL-03 %s is answered 400', async (_what, claims) => {
    await start()
    expect((await logout({ sid: 's1', ...claims })).status).toBe(400)
    expect(await api.get(sessionToken())).toEqual([200, undefined])
  })

  it('BCL-03 a missing exp is taken by option', async () => {
    await start({ allowMissingExp: true })
    expect((await logout({ sid: 's1', exp: undefined })).status).toBe(200)
  })

  it.each([
    ['a list', [LOGOUT_EVENT]],
    ['the name with https', { [LOGOUT_EVENT.replace('http:', 'https:')]: {} }],
    ['a value that is no object', { [LOGOUT_EVENT]: true }],
    ['a value that is a list', { [LOGOUT_EVENT]: [] }],
  ])('BCL-04 events that are %s are answered 400', async (_what, events) => {
    await start()
    expect((await logout({ sid: 's1', events })).status).toBe(400)
  })

  it('BCL-05 neither sub nor sid, or a nonce, is answered 400', async () => {
    await start()
    expect((await logout({})).status).toBe(400)
    expect((await logout({ sid: 's1', nonce: 'n' })).status).toBe(400)
    expect((await logout({ sid: 7 })).status).toBe(400)
  })

  it('BCL-06 a typ must be logout+jwt; none is taken unless strict; access and ID tokens are refused', async () => {
    await start()
    expect((await logout({ sid: 's1' }, { header: { typ: 'application/logout+jwt' } })).status).toBe(200)
    expect((await logout({ sid: 's2' }, { header: { typ: undefined } })).status).toBe(200)
    expect((await logout({ sid: 's3' }, { header: { typ: 'JWT' } })).status).toBe(400)
    expect((await post({ logout_token: api.as.mintJwt({ audience: 'rs' }) })).status).toBe(400)
    const idToken = { sub: 'alice', sid: 's1', nonce: 'n', events: undefined }
    expect((await logout(idToken, { header: { typ: undefined } })).status).toBe(400)
  })

  it('BCL-06 strict refuses a token without typ', async () => {
    await start({ requireType: true })
    expect((await logout({ sid: 's1' }, { header: { typ: undefined } })).status).toBe(400)
  })

  it('BCL-06 a logout token is no access token', async () => {
    await start()
    const logoutToken = mintLogoutToken(api.as, { sub: 'alice', client_id: 'app', aud: RESOURCE })
    expect(await api.get(logoutToken)).toEqual([401, 'token_type_mismatch'])
  })

  it('BCL-07 sid: tokens of that session are refused at once, those of others are not', async () => {
    await start()
    const token = sessionToken()
    expect(await api.get(token)).toEqual([200, undefined])
    expect((await logout({ sid: 's1', sub: 'alice' })).status).toBe(200)
    expect(await api.get(token)).toEqual([401, 'revoked'])
    expect(await api.get(api.as.mintJwt({ claims: { sid: 's2' } }))).toEqual([200, undefined])
  })

  it('BCL-07 sid and sub: a token of the subject that names no session is introspected once', async () => {
    await start()
    const [kept, ended] = [api.as.mintJwt(), api.as.mintJwt()]
    api.as.answerIntrospection((token) => ({ body: { active: token === kept } }))
    expect((await logout({ sid: 's1', sub: 'alice' })).status).toBe(200)
    expect(await api.get(kept)).toEqual([200, undefined])
    expect(await api.get(kept)).toEqual([200, undefined])
    expect(await api.get(ended)).toEqual([401, 'revoked'])
    expect(api.as.count('introspection')).toBe(2)
  })

  it('BCL-07 only sub: all tokens of the subject issued up to then are refused, newer ones and others are not', async () => {
    await start()
    const iat = Math.floor(Date.now() / 1000) - 5
    expect((await logout({ sub: 'alice', iat })).status).toBe(200)
    expect(await api.get(api.as.mintJwt({ claims: { iat, sid: 's9' } }))).toEqual([401, 'revoked'])
    expect(await api.get(api.as.mintJwt({ claims: { iat: iat + 1 } }))).toEqual([200, undefined])
    expect(await api.get(api.as.mintJwt({ subject: 'bob', claims: { iat } }))).toEqual([200, undefined])
  })

  it('BCL-07 the same subject of another issuer is untouched', async () => {
    await start()
    const other = await startRevocationApi()
    const server = resourceServer({
      resource: RESOURCE,
      issuers: [api.as.issuer, other.as.issuer],
    })
    await server.revocations.revoke({ issuer: api.as.issuer, subject: 'alice' })
    const authorization = (token: string) => ({ headers: { authorization: `Bearer ${token}` } }) as never
    await expect(server.authenticate(authorization(api.as.mintJwt()))).rejects.toMatchObject({
      reason: 'revoked',
    })
    await expect(server.authenticate(authorization(other.as.mintJwt()))).resolves.toBeDefined()
    await server.close()
    await other.close()
  })

  it('BCL-08 the same token again is answered 200 and has no second effect', async () => {
    await start()
    const logoutToken = mintLogoutToken(api.as, { sid: 's1' })
    expect((await post({ logout_token: logoutToken })).status).toBe(200)
    expect((await post({ logout_token: logoutToken })).status).toBe(200)
    expect(api.effects).toHaveLength(1)
  })

  it('BCL-08 a remembered introspection answer of the session no longer counts', async () => {
    await start()
    const token = api.as.issueOpaque({ response: { sid: 's1' } })
    expect(await api.get(token)).toEqual([200, undefined])
    await logout({ sid: 's1', sub: 'alice' })
    expect(await api.get(token)).toEqual([401, 'opaque_revoked'])
  })

  it('BCL-09 a failure is told as invalid_request, in words that hold nothing of ours', async () => {
    await start()
    const answer = await logout({ sid: 's1', aud: 'x' })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(JSON.parse(answer.text)).toEqual({
      error: 'invalid_request',
      error_description: 'the logout token: it is addressed to somebody else',
    })
  })

  it('BCL-09 without the shared log there is no 200, and the token may be sent again', async () => {
    let isDown = true
    const log = {
      append: () => (isDown ? Promise.reject(new Error('down')) : Promise.resolve()),
      follow: () => Promise.resolve(),
    }
    await start({}, { log })
    const logoutToken = mintLogoutToken(api.as, { sid: 's1' })
    expect((await post({ logout_token: logoutToken })).status).toBe(503)
    isDown = false
    expect((await post({ logout_token: logoutToken })).status).toBe(200)
  })

  it('BCL-09 while the keys cannot be had there is no 200', async () => {
    await start()
    const logoutToken = mintLogoutToken(api.as, { sid: 's1' })
    await api.as.goDown()
    const answer = await post({ logout_token: logoutToken })
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
  })

  it('takes the published example, but for its age', async () => {
    await start({ clientId: 's6BhdRkqt3' })
    const vectors = JSON.parse(readFileSync('__tests__/vectors/security-events.json', 'utf8')) as {
      logout_token_claims: Record<string, unknown>
    }
    const published = { ...vectors.logout_token_claims, iss: api.as.issuer }
    expect((await logout(published)).text).toContain('its exp has passed')
    expect((await logout({ ...published, exp: Date.now() / 1000 + 60 })).status).toBe(200)
  })
})

describe('backchannelLogout', () => {
  it('is misuse where nothing says which client this API is', async () => {
    api = await startRevocationApi()
    expect(() => backchannelLogout(api.server)).toThrow(ConfigurationError)
    expect(() => backchannelLogout(api.server, { clientId: 'orders' })).not.toThrow()
  })
})
