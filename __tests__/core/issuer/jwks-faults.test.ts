/** What an API does while the keys of its issuer cannot be had, over real HTTP: each fault by itself. */
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import type { ResourceServerOptions } from '../../../lib/index.js'
import {
  createSigningKey,
  createTestIssuer,
  type Fault,
  type MintOptions,
  type TestIssuer,
} from '../../../lib/testing/test-issuer.js'
import { answerOf, INVALID_TOKEN, OUTAGE, startApi, until, type Api } from '../../support/jwt-api.js'

const open: { close(): Promise<void> }[] = []
const DAY = 86_400

async function start(options?: Partial<ResourceServerOptions>): Promise<{ as: TestIssuer; api: Api }> {
  const as = await createTestIssuer()
  const api = await startApi({ as, ...(options && { options }) })
  open.push(api, as)
  return { as, api }
}

afterEach(async () => {
  jest.restoreAllMocks()
  await Promise.all(open.splice(0).map((one) => one.close()))
})

/** Moves the clock that the API reads; sockets and timers keep their own. */
function advance(seconds: number): void {
  const now = Date.now() + seconds * 1000
  jest.spyOn(Date, 'now').mockReturnValue(now)
}

const keysOf = (api: Api) => api.server.health().issuers[0]!.keys!
const mint = (as: TestIssuer, options: MintOptions = {}) => as.mintJwt({ expiresInSeconds: DAY, ...options })
const unknown = (as: TestIssuer, kid: string) => mint(as, { header: { kid } })

const FAULTS: readonly (readonly [string, Fault | 'down', RegExp])[] = [
  ['down', 'down', /^keys_unavailable: .*ECONNREFUSED/],
  ['slow', { kind: 'hang' }, /^keys_unavailable: .*within \d+ ms/],
  ['failing (500)', { kind: 'status', status: 500 }, /^keys_unavailable: status 500/],
  ['overloaded (503)', { kind: 'status', status: 503 }, /^keys_unavailable: status 503/],
  ['throttling (429)', { kind: 'status', status: 429 }, /^keys_unavailable: status 429/],
  ['without the document (404)', { kind: 'status', status: 404 }, /^keys_unavailable: status 404/],
  ['closed to us (403)', { kind: 'status', status: 403 }, /^keys_unavailable: status 403/],
  ['empty (204)', { kind: 'status', status: 204 }, /^keys_unavailable: status 204/],
  ['redirecting', { kind: 'redirect', location: '/elsewhere' }, /^keys_unavailable: status 302/],
  ['breaking the connection', { kind: 'reset' }, /^keys_unavailable: .*could not be reached/],
  ['breaking off', { kind: 'truncate' }, /^keys_unavailable: .*could not be reached/],
  ['sending too much', { kind: 'oversize', bytes: 1024 * 1024 + 1 }, /^keys_unavailable: .*1048576 bytes/],
  [
    'showing a page',
    { kind: 'body', body: '<h1>Sorry</h1>', contentType: 'text/html' },
    /^keys_unavailable: content type text\/html/,
  ],
  [
    'sending keys as a picture',
    { kind: 'body', body: '{"keys":[]}', contentType: 'image/png' },
    /^keys_unavailable: content type image\/png/,
  ],
  [
    'sending half a document',
    { kind: 'body', body: '{"keys":[' },
    /^keys_unavailable: a body that is not JSON/,
  ],
  ['sending nothing', { kind: 'body', body: '' }, /^keys_unavailable: a body that is not JSON/],
  ['sending a list', { kind: 'body', body: '[]' }, /^keys_unavailable: a body that is no JSON Web Key Set/],
  ['sending no list of keys', { kind: 'body', body: '{"keys":{}}' }, /no JSON Web Key Set/],
  ['sending another document', { kind: 'body', body: '{"issuer":"x"}' }, /no JSON Web Key Set/],
  [
    'nesting without end',
    { kind: 'body', body: '['.repeat(500_000) + ']'.repeat(500_000) },
    /no JSON Web Key Set/,
  ],
]

async function breakKeys(as: TestIssuer, fault: Fault | 'down'): Promise<void> {
  if (fault === 'down') await as.goDown()
  else as.fail('jwks', fault)
}

async function mend(as: TestIssuer): Promise<void> {
  await as.comeBack()
  as.heal()
}

describe.each(FAULTS)('a key server that is %s', (_what, fault, lastError) => {
  const jwks = { timeoutMs: fault !== 'down' && fault.kind === 'hang' ? 1000 : 5000 }

  it('lets the last good keys serve, says so, and is asked again until it is well', async () => {
    const { as, api } = await start({ jwks })
    const cached = mint(as)
    expect((await api.get(cached)).status).toBe(200)
    await breakKeys(as, fault)
    advance(301)

    expect((await api.get(cached)).body).toMatchObject({ source: 'cache' })
    expect((await api.get(mint(as))).body).toMatchObject({ source: 'verification' })
    await until(() => keysOf(api).failures > 0)
    expect(keysOf(api)).toMatchObject({ state: 'stale', ageSeconds: 301, keys: 1 })
    expect(keysOf(api).lastError).toMatch(lastError)
    expect(keysOf(api).nextRefreshSeconds).toBeLessThanOrEqual(1)
    expect(answerOf(await api.get(unknown(as, 'new')))).toEqual(OUTAGE)
    expect((await api.get(mint(as))).status).toBe(200)

    await mend(as)
    const key = createSigningKey('ES256')
    as.addJwk(key.publicJwk)
    advance(60)
    expect((await api.get(mint(as, { key }))).status).toBe(200)
    expect(keysOf(api)).toMatchObject({ state: 'fresh', failures: 0, lastError: undefined, keys: 2 })
  })

  it('is an outage for every token once the keys are older than maxStaleSeconds', async () => {
    const { as, api } = await start({ jwks })
    const cached = mint(as)
    expect((await api.get(cached)).status).toBe(200)
    await breakKeys(as, fault)
    advance(3601)
    for (const token of [cached, mint(as), unknown(as, 'new')]) {
      const answer = await api.get(token)
      expect(answerOf(answer)).toEqual(OUTAGE)
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    }
    expect(keysOf(api).state).toBe('expired')
    await mend(as)
    advance(60)
    expect((await api.get(cached)).status).toBe(200)
  })

  it('is an outage from the start, which ends by itself', async () => {
    const { as, api } = await start({ jwks })
    await breakKeys(as, fault)
    expect(answerOf(await api.get(mint(as)))).toEqual(OUTAGE)
    await expect(api.server.ready()).rejects.toMatchObject({ status: 503 })
    expect(keysOf(api)).toMatchObject({ state: 'empty', ageSeconds: undefined })
    await mend(as)
    advance(60)
    expect((await api.get(mint(as))).status).toBe(200)
  })
})

describe('the keys of an issuer', () => {
  it('are fetched once for two hundred first requests', async () => {
    const { as, api } = await start()
    const answers = await Promise.all(Array.from({ length: 200 }, () => api.get(mint(as))))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(200)
    expect([as.count('metadata'), as.count('jwks')]).toEqual([1, 1])
  })

  it('are fetched by ready(), ahead of any request', async () => {
    const { as, api } = await start()
    await api.server.ready()
    await api.server.ready()
    expect(as.count('jwks')).toBe(1)
    expect(keysOf(api)).toMatchObject({
      state: 'fresh',
      ageSeconds: 0,
      failures: 0,
      keys: 1,
      cooldownSeconds: 0,
    })
    expect(keysOf(api).nextRefreshSeconds).toBeGreaterThan(269)
    expect((await api.get(mint(as))).status).toBe(200)
    expect(as.count('jwks')).toBe(1)
  })

  it('are refreshed while requests go on: none waits for a refresh of keys it does not need', async () => {
    const { as, api } = await start()
    expect((await api.get(mint(as))).status).toBe(200)
    as.fail('jwks', { kind: 'hang' })
    advance(301)
    const asked = as.nextRequest('jwks')
    for (let times = 0; times < 5; times += 1) expect((await api.get(mint(as))).status).toBe(200)
    await asked
    expect(as.count('jwks')).toBe(2)
    as.heal()
    await until(() => keysOf(api).ageSeconds === 0)
  })

  it.each([
    'no-store',
    'no-cache',
    'max-age=0',
    'max-age=1',
    'max-age=99999999',
    'private, max-age=0, must-revalidate',
  ])('are not fetched more often, nor much more rarely, because of "%s"', async (value) => {
    const { as, api } = await start()
    as.fail('jwks', {
      kind: 'status',
      status: 200,
      headers: { 'content-type': 'application/json', 'cache-control': value },
      body: JSON.stringify(as.jwks()),
    })
    for (let times = 0; times < 5; times += 1) expect((await api.get(mint(as))).status).toBe(200)
    expect(as.count('jwks')).toBe(1)
    const seconds = keysOf(api).nextRefreshSeconds!
    expect(seconds).toBeGreaterThanOrEqual(27)
    expect(seconds).toBeLessThanOrEqual(300)
  })

  it('are refreshed earlier where the server says so', async () => {
    const { as, api } = await start()
    as.fail('jwks', {
      kind: 'status',
      status: 200,
      headers: { 'content-type': 'application/jwk-set+json', 'cache-control': 'public, max-age=100' },
      body: JSON.stringify(as.jwks()),
    })
    expect((await api.get(mint(as))).status).toBe(200)
    expect(keysOf(api).nextRefreshSeconds).toBeLessThanOrEqual(100)
    expect(keysOf(api).nextRefreshSeconds).toBeGreaterThanOrEqual(90)
  })

  it('are asked for again when the server that throttles us says, and not before', async () => {
    const { as, api } = await start()
    expect((await api.get(mint(as))).status).toBe(200)
    as.fail('jwks', { kind: 'status', status: 429, headers: { 'retry-after': '120' } })
    const answer = await api.get(unknown(as, 'a'))
    expect(answerOf(answer)).toEqual(OUTAGE)
    expect(Number(answer.headers['retry-after'])).toBe(120)
    as.heal()
    advance(119)
    expect(answerOf(await api.get(unknown(as, 'b')))).toEqual(OUTAGE)
    expect(as.count('jwks')).toBe(2)
    advance(20)
    expect((await api.get(mint(as))).status).toBe(200)
    await until(() => keysOf(api).state === 'fresh')
    expect(as.count('jwks')).toBe(3)
    expect(answerOf(await api.get(unknown(as, 'b')))).toEqual(INVALID_TOKEN)
  })

  it('of a hundred members all verify', async () => {
    const { as, api } = await start()
    const keys = Array.from({ length: 100 }, () => createSigningKey('ES256'))
    as.publishJwks({ keys: keys.map(({ publicJwk }) => publicJwk) })
    const answers = await Promise.all(keys.map((key) => api.get(mint(as, { key }))))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(100)
    expect(as.count('jwks')).toBe(1)
  })
})

describe('a flood of tokens that name unknown keys', () => {
  it('causes one fetch a cooldown, whatever their kids and algs, and forged signatures among them', async () => {
    const { as, api } = await start()
    const good = mint(as)
    expect((await api.get(good)).status).toBe(200)
    const algs = ['RS256', 'PS512', 'ES256', 'ES384', 'EdDSA', 'Ed25519']
    const key = createSigningKey('ES256', as.keys.ES256.kid)
    const forged = () => mint(as, { signature: 'A'.repeat(86) })
    const flood = (round: number) =>
      Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const header = { kid: `k${round}-${index}`, alg: algs[index % algs.length] }
          await api.get(mint(as, { header }))
          expect(answerOf(await api.get(forged()))).toEqual(INVALID_TOKEN)
          expect(answerOf(await api.get(mint(as, { header: { alg: header.alg }, key })))).toEqual(
            INVALID_TOKEN,
          )
          expect((await api.get(mint(as))).status).toBe(200)
          expect((await api.get(good)).body).toMatchObject({ source: 'cache' })
        }),
      )
    for (const round of [1, 2, 3]) {
      await flood(round)
      expect(as.count('jwks')).toBe(1 + round)
      advance(10)
    }
  })

  it('keeps a new key out for the cooldown at most, and says 503 so long', async () => {
    const { as, api } = await start()
    expect((await api.get(mint(as))).status).toBe(200)
    await api.get(unknown(as, 'random'))
    const key = createSigningKey('ES256')
    as.addJwk(key.publicJwk)
    const answer = await api.get(mint(as, { key }))
    expect(answerOf(answer)).toEqual(OUTAGE)
    expect(api.reason()).toBe('key_not_checked')
    expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(10)
    expect(keysOf(api).cooldownSeconds).toBeGreaterThan(0)
    advance(Number(answer.headers['retry-after']))
    expect((await api.get(mint(as, { key }))).status).toBe(200)
  })

  it('keeps good tokens served and answers 503 while the server is down', async () => {
    const { as, api } = await start()
    expect((await api.get(mint(as))).status).toBe(200)
    await as.goDown()
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        expect((await api.get(mint(as))).status).toBe(200)
        return answerOf(await api.get(unknown(as, `k${index}`)))
      }),
    )
    for (const answer of answers) expect(answer).toEqual(OUTAGE)
    // a forged signature under a known name was checked, with the last good key
    expect(answerOf(await api.get(mint(as, { signature: 'A'.repeat(86) })))).toEqual(INVALID_TOKEN)
  })
})
