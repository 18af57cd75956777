import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import {
  requireAnyRole,
  requirePermission,
  requireRole,
  resourceServer,
  type Guard,
} from '../../lib/index.js'
import { createTestIssuer, type TestIssuer } from '../../lib/testing/test-issuer.js'

let as: TestIssuer

beforeAll(async () => {
  as = await createTestIssuer()
})

afterAll(() => as.close())

async function ask(guard: Guard, claims: Record<string, unknown> | undefined) {
  const events: unknown[] = []
  const server = resourceServer({
    resource: 'https://api.example.com',
    issuer: as.issuer,
    allowAnonymous: true,
    onRefusal: (event) => events.push(event),
  })
  const app = express().get('/', server, guard, (_req, res) => res.send('done'))
  const call = request(app).get('/')
  const response = await (claims ? call.auth(as.mintJwt({ claims }), { type: 'bearer' }) : call)
  await server.close()
  return { status: response.status, challenge: response.headers['www-authenticate'] as string, events }
}

describe('requireRole', () => {
  it('lets a token with the role pass', async () => {
    expect(await ask(requireRole('admin'), { roles: ['user', 'admin'] })).toMatchObject({ status: 200 })
  })

  it.each([
    ['without roles', {}],
    ['with a role that only begins like it', { roles: ['administrator'] }],
    ['with the role in other letters', { roles: ['Admin'] }],
    ['with the role in a claim that its profile does not name', { groups: ['admin'] }],
  ])('refuses a token %s with 403', async (_what, claims) => {
    const { status, challenge, events } = await ask(requireRole('admin'), claims)
    expect(status).toBe(403)
    expect(challenge).toMatch(/^Bearer realm=.*error="insufficient_scope"/)
    expect(challenge).not.toContain('admin')
    expect(events).toMatchObject([{ reason: 'insufficient_role', name: 'roles', expected: ['admin'] }])
  })

  it('asks a client that came without a token for one', async () => {
    expect(await ask(requireRole('admin'), undefined)).toMatchObject({ status: 401 })
  })
})

describe('requireAnyRole', () => {
  it.each([
    [['author'], 200],
    [['editor', 'author'], 200],
    [['reader'], 403],
  ])('%j: %i', async (roles, status) => {
    expect(await ask(requireAnyRole('editor', 'author'), { roles })).toMatchObject({ status })
  })
})

describe('requirePermission', () => {
  it.each([
    [['orders:read', 'orders:write'], 200],
    [['orders:read'], 403],
    [[], 403],
  ])('%j: %i', async (permissions, status) => {
    const guard = requirePermission('orders:read', 'orders:write')
    expect(await ask(guard, { permissions })).toMatchObject({ status })
  })
})

it.each([
  ['requireRole', () => requireRole('')],
  ['requireAnyRole', () => requireAnyRole()],
  ['requirePermission', () => requirePermission('a', 7 as unknown as string)],
])('%s without a name is a mistake that is told while building', (path, build) => {
  expect(build).toThrow(expect.objectContaining({ code: 'ERR_RESOURCE_SERVER_CONFIGURATION', path }))
})
