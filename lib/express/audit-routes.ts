/** Which routes of an app are protected, by what, and which are not: as a table for people and as data for a test. */
import { GUARD, isGuard, type Requirement } from './guard.js'
import { isResourceServer, SERVER } from './resource-server.js'
import { routesOf } from './routes.js'

/** One route and what stands before it. */
export interface RouteAudit {
  /** Upper case; `ALL` for every method. */
  readonly method: string
  /** As written, mounts included. `{…}` stands for what Express does not let be read, such as a mounted app. */
  readonly path: string
  /** The `resource` of the resource servers that a request meets first. Empty: the route is open to everybody. */
  readonly resources: readonly string[]
  /** Whether a request without a token gets past the resource servers: there is none, or they `allowAnonymous`. */
  readonly allowsAnonymous: boolean
  /** What the guards demand. Empty: any token for this API passes. */
  readonly requirements: readonly Requirement[]
}

export interface RoutesAudit {
  readonly routes: readonly RouteAudit[]
  /** Routes without a guard, as `GET /health`. */
  readonly unguarded: readonly string[]
  /** Routes that a request without a token reaches: no resource server before them, or one that allows it, and no guard. */
  readonly open: readonly string[]
  /** A table for people, a line for each route. */
  readonly table: string
}

/**
 * Lists every route of an app with its guards. Call it when all routes are mounted.
 *
 * Reads Express's router (4.18+ and 5), which is not documented. Not seen: apps mounted in the app (a line with
 * `{…}` says so; audit them by themselves), what a handler decides by itself, and, with routers older than 2.3
 * in Express 5, the paths of mounts.
 *
 * @param app an Express app or router
 * @example expect(auditRoutes(app).unguarded).toEqual(['GET /health'])
 */
export function auditRoutes(app: unknown): RoutesAudit {
  const routes = routesOf(app).map(({ method, path, handlers }) => ({
    method,
    path,
    resources: handlers.filter(isResourceServer).map((server) => server[SERVER].options.resource),
    allowsAnonymous: handlers
      .filter(isResourceServer)
      .every((server) => server[SERVER].options.allowAnonymous),
    requirements: handlers.filter(isGuard).flatMap((guard) => guard[GUARD].requirements),
  }))
  const named = (route: RouteAudit) => `${route.method} ${route.path}`
  return {
    routes,
    unguarded: routes.filter(({ requirements }) => requirements.length === 0).map(named),
    open: routes.filter((route) => isOpen(route)).map(named),
    table: toTable(routes),
  }
}

function isOpen({ allowsAnonymous, requirements }: RouteAudit): boolean {
  return allowsAnonymous && requirements.length === 0
}

function toTable(routes: readonly RouteAudit[]): string {
  const rows = routes.map((route) => [route.method, route.path, toVerdict(route)])
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map(([method = '', path = '', verdict = '']) =>
      [method.padEnd(widths[0] ?? 0), path.padEnd(widths[1] ?? 0), verdict].join('  '),
    )
    .join('\n')
}

function toVerdict(route: RouteAudit): string {
  const { resources, requirements } = route
  if (isOpen(route)) return 'OPEN'
  if (resources.length === 0) return 'MISPLACED GUARD: no resource server before it'
  return requirements.length === 0 ? 'any token' : requirements.map(({ summary }) => summary).join('; ')
}
