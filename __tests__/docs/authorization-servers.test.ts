/** What docs/authorization-servers.md says to paste can be pasted. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { PROFILES } from '../../lib/core/issuer/profiles.js'
import * as api from '../../lib/index.js'

const page = readFileSync('docs/authorization-servers.md', 'utf8')

const sections = page
  .split(/^## /m)
  .slice(1)
  .map((section) => ({
    server: section.split('\n', 1)[0] ?? '',
    code: /```ts\n([\s\S]*?)```/.exec(section)?.[1] ?? '',
  }))

/** The handlers that the examples name but do not show. */
const HANDLERS = [
  'deleteOrder',
  'listPatients',
  'listOrders',
  'importOrders',
  'showAdmin',
  'getToken',
  'tenants',
]

function run(code: string): readonly api.ResourceServer[] {
  const servers: api.ResourceServer[] = []
  const resourceServer = (options: api.ResourceServerOptions) => {
    const server = api.resourceServer(options)
    servers.push(server)
    return server
  }
  const ignore = () => undefined
  const names = {
    ...api,
    resourceServer,
    app: { use: ignore, get: ignore, post: ignore, delete: ignore },
    process: { env: { CLIENT_SECRET: 'secret', API_SECRET: 'secret' } },
    ...Object.fromEntries(HANDLERS.map((name) => [name, ignore])),
  }
  // the examples are this project's own
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  const example = new Function(...Object.keys(names), code) as (...values: unknown[]) => void
  example(...Object.values(names))
  return servers
}

describe('docs/authorization-servers.md', () => {
  it.each(sections)('$server: its example builds a resource server', async ({ code }) => {
    const servers = run(code)
    expect(servers).toHaveLength(1)
    await Promise.all(servers.map((server) => server.close()))
  })

  it.each(Object.keys(PROFILES).filter((name) => name !== 'rfc9068'))('shows profile %s', (name) => {
    expect(page).toContain(`profile: '${name}'`)
  })
})
