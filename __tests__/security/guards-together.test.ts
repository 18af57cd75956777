/** Guards that are asked together must be no weaker than the same guards one after another. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import supertest from 'supertest'
import {
  requireAll,
  requireFresh,
  requireScopes,
  resourceServer,
  type ResourceServer,
} from '../../lib/index.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'
import { startProgram, stopAllPrograms } from '../support/processes.js'

const introspection = { clientId: 'rs', clientSecret: 'rs-secret' }

describe('requireAll with requireFresh', () => {
  let as: TestIssuer
  let server: ResourceServer
  let app: express.Express

  beforeAll(async () => {
    as = await createTestIssuer()
    server = resourceServer({ resource: 'https://api.example.com', issuer: as.issuer, introspection })
    const fresh = requireFresh({ maxLagSeconds: 0 })
    const write = requireScopes('write')
    app = express().set('env', 'production')
    app.use(server)
    app.get('/', (_req, res) => res.json({}))
    app.get('/fresh-first', requireAll(fresh, write), (_req, res) => res.json({}))
    app.get('/fresh-last', requireAll(write, fresh), (_req, res) => res.json({}))
    app.get('/nested', requireAll(write, requireAll(write, fresh)), (_req, res) => res.json({}))
  })
  afterEach(() => as.answerIntrospection(null))
  afterAll(async () => {
    await server.close()
    await as.close()
  })

  const get = (token: string, path = '/') => supertest(app).get(path).set('Authorization', `Bearer ${token}`)

  it.each(['/fresh-first', '/fresh-last', '/nested'])(
    'refuses a token that has lost the scope since it was last asked about (%s)',
    async (path) => {
      const token = as.issueOpaque({ scope: 'read write' })
      expect((await get(token)).status).toBe(200)
      as.answerIntrospection(() => ({
        body: { active: true, aud: 'https://api.example.com', iss: as.issuer, scope: 'read' },
      }))
      const refused = await get(token, path)
      expect(refused.status).toBe(403)
      expect(refused.headers['www-authenticate']).toContain('scope="write"')
    },
  )

  it('lets a token pass that has gained the scope since', async () => {
    const token = as.issueOpaque({ scope: 'read' })
    expect((await get(token)).status).toBe(200)
    as.answerIntrospection(() => ({
      body: { active: true, aud: 'https://api.example.com', iss: as.issuer, scope: 'read write' },
    }))
    expect((await get(token, '/fresh-last')).status).toBe(200)
  })
})

const FAULTY_PREDICATE = `
import express from 'express'
import { requireAll, requireClaim, requireFresh, resourceServer } from './dist/index.js'
import { createTestIssuer } from './dist/testing/test-issuer.js'
const as = await createTestIssuer()
const introspection = { clientId: 'rs', clientSecret: 'rs-secret' }
const server = resourceServer({ resource: 'https://api.example.com', issuer: as.issuer, introspection })
const app = express().set('env', 'test')
app.use(server)
const startsWithA = (tenant) => tenant.startsWith('a')
app.get('/', requireAll(requireFresh({ maxLagSeconds: 0 }), requireClaim('tenant', startsWithA)), (_req, res) => res.json({}))
app.use((error, _req, res, _next) => res.status(500).end())
const http = app.listen(0, '127.0.0.1', async () => {
  const get = (token) =>
    fetch('http://127.0.0.1:' + http.address().port, { headers: { authorization: 'Bearer ' + token } })
  as.fail('introspection', { kind: 'status', status: 503 })
  const { status } = await get(as.mintJwt())
  // the outage has reached everybody who waits for it by the time the next request is answered
  await get('opaque')
  console.log('still here after ' + status)
  process.exit(0)
})
`

describe('requireAll with a predicate that throws while the authorization server is down', () => {
  afterAll(stopAllPrograms)

  it('does not bring the process down', async () => {
    const program = startProgram(process.execPath, ['--input-type=module', '-e', FAULTY_PREDICATE])
    expect({ ...(await program.exited), output: program.output() }).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^still here after 50[03]$/m),
    })
  })
})
