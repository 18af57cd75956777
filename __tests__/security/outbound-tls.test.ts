/** Whom we call is authenticated, whatever the environment says. */
import tls from 'node:tls'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { createTestIssuer } from '../../lib/testing/test-issuer.js'
import { resourceServer } from '../../lib/index.js'

const ISSUER = 'https://tenant.example'

afterEach(() => {
  jest.restoreAllMocks()
})

describe('NODE_TLS_REJECT_UNAUTHORIZED=0', () => {
  it.each([
    ['listed', { issuers: [ISSUER] }],
    ['named by a function', { issuers: (issuer: string) => ({ issuer }) }],
  ])('takes no certificate check away from issuers that are %s', async (_kind, issuers) => {
    const connect = jest.spyOn(tls, 'connect').mockImplementation(() => {
      throw new Error('no connection in this test')
    })
    const as = await createTestIssuer()
    const server = resourceServer({ resource: 'https://api.example.com', ...issuers })
    const authorization = `Bearer ${as.mintJwt({ claims: { iss: ISSUER } })}`
    await expect(server.authenticate({ headers: { authorization } })).rejects.toMatchObject({ status: 503 })
    expect(connect.mock.calls).not.toHaveLength(0)
    for (const [options] of connect.mock.calls) {
      expect(options).toMatchObject({ rejectUnauthorized: true, minVersion: 'TLSv1.2' })
    }
    await server.close()
    await as.close()
  })
})
