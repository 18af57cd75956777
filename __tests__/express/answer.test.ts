import { createServer, type ServerResponse } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import request from 'supertest'
import {
  InsufficientScopeError,
  InvalidTokenError,
  MissingTokenError,
  UnavailableError,
  type OAuthError,
} from '../../lib/core/errors.js'
import { answerError } from '../../lib/express/answer.js'

/** Answers one request as told, and returns the answer and what was passed on. */
async function answered(
  error: OAuthError | UnavailableError,
  errors: 'respond' | 'next' = 'respond',
  prepare: (response: ServerResponse) => void = () => undefined,
  metadataUrl?: string,
) {
  const passed: unknown[] = []
  const server = createServer((incoming, response) => {
    prepare(response)
    answerError(
      error,
      incoming,
      response,
      (reason) => {
        passed.push(reason)
        response.end()
      },
      { realm: 'api', schemes: ['Bearer'], algorithms: [], errors, metadataUrl },
    )
  })
  return { answer: await request(server).get('/'), passed }
}

describe('answerError', () => {
  it.each([
    [new MissingTokenError(), 401, 'Bearer realm="api"', { message: 'An access token is required' }],
    [
      new MissingTokenError(['a']),
      401,
      'Bearer realm="api", scope="a"',
      { message: 'An access token is required' },
    ],
    [
      new InvalidTokenError('expired', { found: 'SECRET' }),
      401,
      'Bearer realm="api", error="invalid_token", error_description="The access token is expired"',
      { error: 'invalid_token', error_description: 'The access token is expired' },
    ],
    [
      new InsufficientScopeError('insufficient_scope', {}, ['a', 'b']),
      403,
      'Bearer realm="api", error="insufficient_scope", ' +
        'error_description="The access token lacks a scope that this request needs", scope="a b"',
      {
        error: 'insufficient_scope',
        error_description: 'The access token lacks a scope that this request needs',
      },
    ],
  ])('sends status, challenge and body: %s', async (error, status, challenge, body) => {
    const { answer, passed } = await answered(error)
    expect(answer.status).toBe(status)
    expect(answer.headers).toMatchObject({
      'www-authenticate': challenge,
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(Buffer.byteLength(answer.text)),
    })
    expect(answer.body).toEqual(body)
    expect(passed).toEqual([])
  })

  it('sends an outage without a challenge and without its cause', async () => {
    const error = new UnavailableError('keys_unavailable', {
      retryAfterSeconds: 7,
      cause: new Error('SECRET'),
    })
    const { answer } = await answered(error)
    expect(answer.status).toBe(503)
    expect(answer.headers).toMatchObject({ 'retry-after': '7', 'cache-control': 'no-store' })
    expect(answer.headers).not.toHaveProperty('www-authenticate')
    expect(answer.body).toEqual({
      error: 'temporarily_unavailable',
      error_description: 'The access token cannot be checked at the moment',
    })
  })

  it.each([new InvalidTokenError('expired'), new UnavailableError('closed')])(
    'sets the fields and passes the error on where told to: %s',
    async (error) => {
      const { answer, passed } = await answered(error, 'next')
      expect(passed).toEqual([error])
      expect(answer.headers['cache-control']).toBe('no-store')
      expect('www-authenticate' in answer.headers).toBe(error.status === 401)
      expect('retry-after' in answer.headers).toBe(error.status === 503)
    },
  )

  it('only passes the error on where an answer is under way already', async () => {
    const error = new InvalidTokenError('expired')
    const { answer, passed } = await answered(error, 'respond', (response) => response.write('begun'))
    expect(passed).toEqual([error])
    expect(answer.text).toBe('begun')
    expect(answer.headers).not.toHaveProperty('www-authenticate')
  })

  it('only passes the error on where an answer was sent already', async () => {
    const { answer, passed } = await answered(new InvalidTokenError('expired'), 'respond', (response) =>
      response.end('done'),
    )
    expect(passed).toHaveLength(1)
    expect(answer).toMatchObject({ status: 200, text: 'done' })
  })

  it.each<[string | number | string[], string]>([
    ['Basic realm="x"', 'Basic realm="x", Bearer realm="api"'],
    [['Basic realm="x"', 'Negotiate'], 'Basic realm="x", Negotiate, Bearer realm="api"'],
  ])('keeps challenges set earlier: %j', async (earlier, expected) => {
    const { answer } = await answered(new MissingTokenError(), 'respond', (response) =>
      response.setHeader('www-authenticate', earlier),
    )
    expect(answer.headers['www-authenticate']).toBe(expected)
  })

  it.each([new MissingTokenError(), new InvalidTokenError('expired')])(
    'points to the metadata of the API where they are served: %s',
    async (error) => {
      const url = 'https://api.example.com/.well-known/oauth-protected-resource'
      const { answer } = await answered(error, 'respond', undefined, url)
      expect(answer.headers['www-authenticate']).toMatch(
        new RegExp(`^Bearer realm="api".*, resource_metadata="${url}"$`),
      )
    },
  )

  it('asks for no offline_access, which is between the client and the authorization server', async () => {
    const { answer } = await answered(new MissingTokenError(['a', 'offline_access']))
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="api", scope="a"')
  })

  it('replaces what was prepared for another answer', async () => {
    const { answer } = await answered(new MissingTokenError(), 'respond', (response) => {
      response.statusCode = 200
      response.setHeader('Content-Type', 'text/html')
      response.setHeader('Content-Length', 3)
      response.setHeader('Cache-Control', 'public')
    })
    expect(answer.status).toBe(401)
    expect(answer.body).toEqual({ message: 'An access token is required' })
    expect(answer.headers['cache-control']).toBe('no-store')
  })
})
