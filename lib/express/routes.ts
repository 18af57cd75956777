/**
 * Reads the routes of an Express app from its router, with what stands before each: Express 4 and 5 keep
 * their layers differently, and neither documents them. What cannot be read is said to be so, never left out.
 */

/** A handler on the way to a route, in the order in which a request meets it. */
export interface RouteEntry {
  /** Upper case; `ALL` for every method. */
  readonly method: string
  /** As written, mounts included; `{…}` stands for a mount that cannot be read. */
  readonly path: string
  /** Every handler that a request for this route meets, the last one its own. */
  readonly handlers: readonly unknown[]
}

/** What is read of Express's router; everything may be missing. */
interface Layer {
  readonly handle?: unknown
  readonly route?: Route | undefined
  readonly regexp?: RegExp & { readonly fast_slash?: boolean }
  readonly keys?: readonly { readonly name: string | number }[]
  readonly rawPath?: unknown
  readonly slash?: boolean
  readonly match?: (path: string) => boolean
}

interface Route {
  readonly path?: unknown
  readonly methods?: Readonly<Record<string, boolean>>
  readonly stack?: readonly { readonly method?: string; readonly handle?: unknown }[]
}

/** A handler that stands before what follows it in its stack, where the path matches. */
interface Before {
  readonly applies: (path: string) => boolean
  readonly handle: unknown
}

const UNREADABLE = '{…}'
const MAX_DEPTH = 32

/** @param app an Express app or router, with all its routes mounted */
export function routesOf(app: unknown): readonly RouteEntry[] {
  return readStack(stackOf(app) ?? [], '', [], 0)
}

/** Express 4 keeps its router in `_router` and throws at `router`; Express 5 has `router`; a Router is one. */
function stackOf(value: unknown): readonly Layer[] | undefined {
  const app = value as {
    _router?: { stack?: Layer[] }
    lazyrouter?: unknown
    router?: unknown
    stack?: Layer[]
  }
  if (Array.isArray(app.stack)) return app.stack
  if (app._router || typeof app.lazyrouter === 'function') return app._router?.stack
  return (app.router as { stack?: Layer[] } | undefined)?.stack
}

function readStack(
  stack: readonly Layer[],
  mount: string,
  outer: readonly unknown[],
  depth: number,
): RouteEntry[] {
  const before: Before[] = []
  const found: RouteEntry[] = []
  for (const layer of stack) {
    if (layer.route) {
      for (const path of pathsOf(layer.route.path)) {
        found.push(...readRoute(layer.route, mount, path, [...outer, ...handlersFor(path, before)]))
      }
      continue
    }
    const at = mountOf(layer)
    const inner = depth < MAX_DEPTH ? innerStack(layer.handle) : undefined
    if (inner) {
      found.push(...readStack(inner, join(mount, at), [...outer, ...handlersFor(at, before)], depth + 1))
    } else if (isMountedApp(layer.handle)) {
      const handlers = [...outer, ...handlersFor(at, before), layer.handle]
      found.push({ method: 'ALL', path: join(join(mount, at), UNREADABLE), handlers })
    } else {
      before.push({ applies: (path) => matches(layer, path), handle: layer.handle })
    }
  }
  return found
}

function readRoute(route: Route, mount: string, path: string, outer: readonly unknown[]): RouteEntry[] {
  const methods = Object.keys(route.methods ?? {}).map((method) => (method === '_all' ? 'all' : method))
  return methods.map((method) => {
    const own = (route.stack ?? []).filter((layer) => layer.method === undefined || layer.method === method)
    const handlers = [...outer, ...own.map((layer) => layer.handle)]
    return { method: method.toUpperCase(), path: join(mount, path), handlers }
  })
}

function handlersFor(path: string, before: readonly Before[]): unknown[] {
  return before.filter(({ applies }) => applies(path)).map(({ handle }) => handle)
}

/** Express's own matching decides; a path that is a pattern is taken as it is written. */
function matches(layer: Layer, path: string): boolean {
  if (layer.slash || layer.regexp?.fast_slash) return true
  return layer.match?.(path === '' ? '/' : path) ?? false
}

function innerStack(handle: unknown): readonly Layer[] | undefined {
  const { stack } = (handle ?? {}) as { stack?: unknown }
  return Array.isArray(stack) ? (stack as Layer[]) : undefined
}

/** `app.use(otherApp)` hides the other app in a closure of this name. */
function isMountedApp(handle: unknown): boolean {
  return typeof handle === 'function' && handle.name === 'mounted_app'
}

/** The path of a mount: as given where the router keeps it, else read back from its expression. */
function mountOf(layer: Layer): string {
  if (layer.slash || layer.regexp?.fast_slash) return ''
  if (layer.rawPath !== undefined) return pathsOf(layer.rawPath)[0] ?? ''
  return layer.regexp ? toPath(layer.regexp, layer.keys ?? []) : UNREADABLE
}

/** Express 4 turns `/orgs/:id` into an expression; parameters are groups, in the order of its keys. */
function toPath(expression: RegExp, keys: NonNullable<Layer['keys']>): string {
  const names = keys.map(({ name }) => String(name))
  const text = expression.source
    .replace(/^\^/, '')
    .replace(/\\\/\?\(\?=\\\/\|\$\)$/, '')
    .replace(/(?:\\\/)?\(\?:(?:\\\/)?\(\[\^\\?\/\]\+\?\)\)/g, () => `/:${names.shift() ?? 'parameter'}`)
    .replace(/\\(.)/g, '$1')
  return /^(?:\/[\w:.~@-]*)*$/.test(text) ? text : UNREADABLE
}

function pathsOf(path: unknown): readonly string[] {
  return [path].flat().map((one) => (typeof one === 'string' ? one : String(one)))
}

function join(mount: string, path: string): string {
  if (path === '' || path === '/') return mount === '' ? '/' : mount
  return mount === '/' ? path : `${mount}${path.startsWith('/') ? '' : '/'}${path}`
}
