/** The options under `revocation`: what they default to, and what is misuse. */
import { describe, expect, it } from '@jest/globals'
import { ConfigurationError } from '../../../lib/core/errors.js'
import { resolveRevocation, type RevocationOptions } from '../../../lib/core/options/revocation-options.js'

describe('resolveRevocation', () => {
  it('is safe by default, and as documented', () => {
    expect(resolveRevocation()).toMatchObject({
      maxLagSeconds: undefined,
      whenStale: 'introspect',
      whenUncheckable: 'unavailable',
      maxEntries: 250_000,
      maxTokenLifetimeSeconds: 86_400,
      feeds: [],
      statusList: { allowedOrigins: [], acceptedStatuses: [], staleIfErrorSeconds: 0, maxTtlSeconds: 900 },
    })
    expect(resolveRevocation({ statusList: false }).statusList).toBe(false)
  })

  it.each<[string, unknown]>([
    ['maxLagSeconds', { maxLagSeconds: 0 }],
    ['whenStale', { whenStale: 'ignore' }],
    ['whenUncheckable', { whenUncheckable: '503' }],
    ['maxEntries', { maxEntries: 0 }],
    ['maxTokenLifetimeSeconds', { maxTokenLifetimeSeconds: 59 }],
    ['feeds', { feeds: [{}] }],
    ['log', { log: { append: () => undefined } }],
    ['seenOnce', { seenOnce: { has: true, remember: true } }],
    ['statusList', { statusList: true }],
    ['statusList.allowedOrigins', { statusList: { allowedOrigins: ['https://a.example.com/path'] } }],
    ['statusList.algorithms', { statusList: { algorithms: ['HS256'] } }],
    ['statusList.acceptedStatuses', { statusList: { acceptedStatuses: [0] } }],
    ['maxLag', { maxLag: 5 }],
  ])('revocation.%s: %j is misuse, and says so by its path', (path, given) => {
    expect(() => resolveRevocation(given as RevocationOptions)).toThrow(
      expect.objectContaining({ path: `revocation.${path}` }),
    )
    expect(() => resolveRevocation(given as RevocationOptions)).toThrow(ConfigurationError)
  })
})
