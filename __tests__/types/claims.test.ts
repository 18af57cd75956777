/** What the compiler knows of claims. Nothing here runs but the building of servers; the file compiles or does not. */
import { describe, expect, it } from '@jest/globals'
import express from 'express'
import * as v from 'valibot'
import { z } from 'zod'
import {
  accessTokenOf,
  requireScopes,
  resourceServer,
  type AccessToken,
  type OutputOf,
  type ProfileOptions,
} from '../../lib/index.js'

const common = { resource: 'https://api.example.com', issuer: 'https://as.example.com' }

/** Compiles only if the value has exactly this type. */
type Exactly<Type, Value> = [Type] extends [Value] ? ([Value] extends [Type] ? Value : never) : never

function assertType<Type>() {
  return <Value>(value: Exactly<Type, Value>): void => expect(value).toBeDefined()
}

describe('the types of claims', () => {
  const orders = resourceServer({ ...common, claims: z.object({ tenant: z.string() }) })
  const reports = resourceServer({ ...common, claims: v.object({ level: v.number() }) })
  const plain = resourceServer(common)

  it('are the output of the schema, for each resource server of an app its own', () => {
    const app = express()
    app.get('/orders', orders, requireScopes('orders:read'), (req, res) => {
      const { claims } = orders.accessTokenOf(req)
      assertType<string>()(claims.tenant)
      // @ts-expect-error: the schema of another resource server names it
      res.json(claims.level)
    })
    app.get('/reports', reports, (req, res) => {
      const { claims } = reports.accessTokenOf(req)
      assertType<number>()(claims.level)
      // @ts-expect-error: the schema of another resource server names it
      res.json(claims.tenant)
    })
    expect(app).toBeDefined()
  })

  it('are those of a handler behind `handle`, which is still a handler of Express', () => {
    const app = express()
    app.get(
      '/orders/:id',
      orders,
      orders.handle((req, res) => {
        assertType<string>()(req.auth.claims.tenant)
        // @ts-expect-error: it is a string
        assertType<number>()(req.auth.claims.tenant)
        res.end(req.auth.claims.tenant)
      }),
    )
    expect(app).toBeDefined()
  })

  it('are what a transforming schema puts out, not what it takes', () => {
    const schema = z.object({ level: z.string().transform(Number) })
    const output: OutputOf<typeof schema> = { level: 7 }
    assertType<{ level: number }>()(output)
    const api = resourceServer({ ...common, claims: schema })
    const decide = async () => (await api.authenticate({ headers: {} })).claims.level.toFixed()
    expect(decide).toBeDefined()
  })

  it('are unknown without a schema', () => {
    express().get('/', plain, (req) => {
      const { claims } = plain.accessTokenOf(req)
      assertType<unknown>()(claims['tenant'])
      // @ts-expect-error: unknown must be narrowed first
      assertType<string>()(claims['tenant'])
      // by the augmentation, which the tests of this package compile with
      assertType<AccessToken>()(req.auth)
      assertType<AccessToken>()(accessTokenOf(req))
    })
    expect(plain).toBeDefined()
  })

  it('come from a schema of an object, not of anything else', () => {
    // @ts-expect-error: claims are an object
    expect(() => resourceServer({ ...common, claims: z.string() })).not.toThrow()
  })
})

describe('the types of profiles', () => {
  it('know the named ones and the members of one', () => {
    const own: ProfileOptions = { extends: 'keycloak', roleClaims: ['roles', ['ext', 'roles']] }
    // @ts-expect-error: there is no such profile
    const unknown: ProfileOptions = { extends: 'keycloack' }
    expect([own, unknown]).toHaveLength(2)
  })
})
