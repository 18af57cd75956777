/** What holds a secret does not show it where it is printed, logged or reported. */
import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from '@jest/globals'
import { resourceServer, type ResourceServer } from '../../lib/index.js'
import { createTestIssuer } from '../../lib/testing/test-issuer.js'
import { createOpaqueApi } from '../support/opaque-api.js'

let server: ResourceServer | undefined

afterEach(() => server?.close())

describe('a resource server that is printed whole', () => {
  it('shows none of the secrets in its options', () => {
    const [jwtSecret, clientSecret, nonceSecret] = ['j', 'c', 'n'].map((letter) => letter.repeat(40))
    server = resourceServer({
      resource: 'https://api.example.com',
      issuer: 'https://login.example.com',
      jwt: { secret: jwtSecret ?? '' },
      introspection: { clientId: 'rs', clientSecret: clientSecret ?? '' },
      dpop: { nonce: 'required', nonceSecret: nonceSecret ?? '' },
    })
    const shown = inspect(server, { depth: null, maxArrayLength: null, maxStringLength: null })
    expect(shown).toContain('resourceServer')
    expect(shown).not.toContain(clientSecret)
    expect(shown).not.toContain('Uint8Array')
    expect(shown).not.toContain('Buffer')
  })
})

describe('an introspection endpoint that repeats the token in an answer that is not JSON', () => {
  it('does not get it into what operators are told', async () => {
    const as = await createTestIssuer()
    const { get, events, guard } = createOpaqueApi(as)
    const token = as.issueOpaque({ token: 'tok-secret' })
    as.fail('introspection', { kind: 'body', body: token, contentType: 'application/json' })
    expect((await get(token)).status).toBe(503)
    expect(events).toMatchObject([{ reason: 'introspection_answer_unusable' }])
    expect(inspect(events, { depth: null })).not.toContain(token)
    await guard.close()
    await as.close()
  })
})
