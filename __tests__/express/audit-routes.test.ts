/** The routes of an app and what protects them, read from Express 4 and 5. */
import { afterAll, describe, expect, it } from '@jest/globals'
import { auditRoutes } from '../../lib/express/audit-routes.js'
import { requireAuthorizationDetails, requireStepUp } from '../../lib/express/authorization-guards.js'
import { allOf, anyOf, requireAnyScope, requireClaim, requireScopes } from '../../lib/express/guards.js'
import { requireAll } from '../../lib/express/require-all.js'
import { resourceServer, type ResourceServer } from '../../lib/express/resource-server.js'
import { EXPRESS_VERSIONS } from '../support/apps.js'

const ok = () => undefined

describe.each(EXPRESS_VERSIONS)('auditRoutes on %s', (_version, express) => {
  const servers: ResourceServer[] = []
  const create = (options: { resource?: string; allowAnonymous?: boolean } = {}) => {
    const server = resourceServer({
      resource: 'https://api.example.com',
      issuer: 'https://as.example',
      ...options,
    })
    servers.push(server)
    return server
  }
  afterAll(() => Promise.all(servers.map((server) => server.close())))

  it('lists every route in order, with what a request meets before it', () => {
    const app = express()
    app.get('/health', ok)
    app.use('/api', create())
    app.get('/api/me', ok)
    app.get('/api/orders', requireScopes('orders:read'), ok)
    app.post('/api/orders', requireAnyScope('orders:write', 'admin'), ok)
    app.get('/api/reports', requireScopes(anyOf('admin', allOf('reports', 'orders:read'))), ok)
    app.put('/api/pay', requireAll(requireClaim('tenant', 'acme'), requireStepUp({ maxAgeSeconds: 9 })), ok)
    app.patch('/api/pay', requireAuthorizationDetails({ type: 'payment', actions: ['a'] }), ok)
    const audit = auditRoutes(app)
    expect(audit.unguarded).toEqual(['GET /health', 'GET /api/me'])
    expect(audit.open).toEqual(['GET /health'])
    expect(audit.table.split('\n')).toEqual([
      'GET    /health       OPEN',
      'GET    /api/me       any token',
      'GET    /api/orders   scope orders:read',
      'POST   /api/orders   scope orders:write or admin',
      'GET    /api/reports  scope admin or (reports and orders:read)',
      'PUT    /api/pay      claim tenant: acme; authenticated within 9 s',
      'PATCH  /api/pay      authorization details payment, actions a',
    ])
  })

  it('follows routers, parameters and guards mounted before them', () => {
    const app = express()
    const orgs = express.Router()
    const users = express.Router()
    users.use(requireScopes('users'))
    users.route('/:user').get(ok).delete(requireScopes('users:delete'), ok)
    orgs.get('/', ok)
    orgs.use('/:org/users', users)
    app.use(create())
    app.use('/orgs', requireScopes('orgs'), orgs)
    app.all('/any', ok)
    const { routes } = auditRoutes(app)
    const seen = routes.map(({ method, path, requirements }) => [
      method,
      path,
      requirements.flatMap(({ scopes }) => scopes),
    ])
    expect(seen).toEqual([
      ['GET', '/orgs', ['orgs']],
      ['GET', '/orgs/:org/users/:user', ['orgs', 'users']],
      ['DELETE', '/orgs/:org/users/:user', ['orgs', 'users', 'users:delete']],
      ...routes.slice(3).map(({ method }) => [method, '/any', []]),
    ])
    expect(routes.at(-1)).toMatchObject({ path: '/any', resources: ['https://api.example.com'] })
  })

  it('does not credit a route with what comes after it or stands at another path', () => {
    const app = express()
    app.get('/before', ok)
    app.use('/other', create(), requireScopes('a'))
    app.get('/beside', ok)
    app.get('/otherwise', ok)
    app.get('/other/inside', ok)
    const { open, unguarded } = auditRoutes(app)
    expect(open).toEqual(['GET /before', 'GET /beside', 'GET /otherwise'])
    expect(unguarded).toEqual(open)
  })

  it('calls a route open that lets anonymous requests pass, unless a guard stands before it', () => {
    const app = express()
    app.use(create({ allowAnonymous: true }))
    app.get('/welcome', ok)
    app.get('/orders', requireScopes('a'), ok)
    expect(auditRoutes(app).open).toEqual(['GET /welcome'])
  })

  it('tells a guard without a resource server before it', () => {
    const app = express()
    app.get('/orders', requireScopes('a'), ok)
    expect(auditRoutes(app).table).toBe('GET  /orders  MISPLACED GUARD: no resource server before it')
  })

  it('says where it cannot look: into an app that is mounted', () => {
    const app = express()
    const inner = express()
    inner.get('/x', ok)
    app.use('/inner', inner)
    expect(auditRoutes(app).open).toEqual(['ALL /inner/{…}'])
    expect(auditRoutes(inner).open).toEqual(['GET /x'])
  })

  it('lists paths given as a list or as an expression', () => {
    const app = express()
    app.get(['/a', '/b'], ok)
    app.get(/^\/c\d+$/, ok)
    expect(auditRoutes(app).open).toEqual(['GET /a', 'GET /b', 'GET /^\\/c\\d+$/'])
  })

  it('finds nothing in an app without routes', () => {
    expect(auditRoutes(express()).routes).toEqual([])
  })
})
