// The built package end to end with what every supported Node has: run by `node --test` under each of them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import express from 'express'
import express4 from 'express4'
import { requireScopes, resourceServer } from 'express-resource-server'
import { createTestIssuer } from '../../dist/testing/test-issuer.js'

const RESOURCE = 'https://api.example.com'
const warnings = []
process.on('warning', (warning) => warnings.push(warning))

for (const [name, framework] of Object.entries({ 'Express 5': express, 'Express 4': express4 })) {
  describe(`${name} on Node ${process.version}`, () => {
    let authorizationServer
    let authenticate
    let server

    before(async () => {
      authorizationServer = await createTestIssuer({ algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'] })
      authenticate = resourceServer({
        resource: RESOURCE,
        issuer: authorizationServer.issuer,
        introspection: { clientId: 'rs', clientSecret: 'rs-secret' },
      })
      const app = framework().set('env', 'production')
      app.use(authenticate)
      app.get('/orders', requireScopes('orders:read'), (req, res) => res.json({ format: req.auth.format }))
      server = createServer(app)
      await once(server.listen(0, '127.0.0.1'), 'listening')
    })
    after(async () => {
      server.close()
      server.closeAllConnections()
      await authenticate.close()
      await authorizationServer.close()
    })

    async function get(token) {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const response = await fetch(`http://127.0.0.1:${server.address().port}/orders`, { headers })
      return [response.status, (await response.json()).format]
    }

    for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA']) {
      it(`accepts a JWT signed with ${alg}`, async () => {
        assert.deepEqual(await get(authorizationServer.mintJwt({ alg, scope: 'orders:read' })), [200, 'jwt'])
      })
    }

    it('accepts an opaque token, known or not', async () => {
      const token = authorizationServer.issueOpaque({ scope: 'orders:read' })
      assert.deepEqual(await get(token), [200, 'opaque'])
      assert.deepEqual(await get(token), [200, 'opaque'])
      assert.equal(authorizationServer.count('introspection'), 1)
    })

    it('refuses what lacks the scope, a token unheard of, and none', async () => {
      assert.equal((await get(authorizationServer.mintJwt({ scope: 'other' })))[0], 403)
      assert.equal((await get('unheard-of'))[0], 401)
      assert.equal((await get())[0], 401)
    })

    it('answers 503 while the authorization server is down', async () => {
      const token = authorizationServer.issueOpaque({ scope: 'orders:read' })
      await authorizationServer.goDown()
      assert.equal((await get(token))[0], 503)
      await authorizationServer.comeBack()
      assert.equal((await get(token))[0], 200)
    })
  })
}

it('is the same whether imported or required', () => {
  const require = createRequire(import.meta.url)
  assert.equal(require('express-resource-server').resourceServer, resourceServer)
})

it('causes no warning', () => {
  const ours = warnings.filter(({ stack }) => String(stack).includes('express-resource-server'))
  assert.deepEqual(ours.map(String), [])
})
