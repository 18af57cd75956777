/** Misuse that the compiler refuses before `resourceServer` does. */
import { requireClaim, requireScopes, resourceServer, type ResourceServerOptions } from '../../lib/main.js'

const minimal = { resource: 'https://api.example.com', issuer: 'https://login.example.com' }

export const good: ResourceServerOptions[] = [
  minimal,
  // as it comes from the environment; undefined is refused while building
  { ...minimal, introspection: { clientId: 'orders-api', clientSecret: process.env['CLIENT_SECRET'] } },
  { ...minimal, profile: 'keycloak', jwt: { algorithms: ['ES256'] }, errors: 'next' },
  { ...minimal, tokenFrom: ['form', ({ cookies }) => cookies?.['token']] },
  { resource: 'urn:api', issuers: ['https://a.example', { issuer: 'https://b.example', jwt: false }] },
]

// @ts-expect-error the resource is required
resourceServer({ issuer: 'https://login.example.com' })
// @ts-expect-error there is no such option
resourceServer({ ...minimal, audiences: ['https://api.example.com'] })
// @ts-expect-error there is no such profile
resourceServer({ ...minimal, profile: 'okto' })
// @ts-expect-error seconds are a number
resourceServer({ ...minimal, jwt: { clockToleranceSeconds: '30' } })
// @ts-expect-error a client is named by a string
resourceServer({ ...minimal, introspection: { clientId: 7 } })
// @ts-expect-error there is no such way to authenticate
resourceServer({ ...minimal, introspection: { clientId: 'a', clientSecret: 'b', authMethod: 'none' } })
// @ts-expect-error JWTs are on unless they are off
resourceServer({ ...minimal, jwt: true })
// @ts-expect-error the function answers at once
resourceServer({ ...minimal, tokenFrom: () => Promise.resolve('token') })
// @ts-expect-error scopes are given one by one
requireScopes(['orders:read'])
// @ts-expect-error something has to be expected
requireClaim('tenant')
// @ts-expect-error a predicate says yes or no, and not later
requireClaim('tenant', () => Promise.resolve(true))
