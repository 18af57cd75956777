/** What every answer of a resource server must be, whatever the request was. */
import { expect } from '@jest/globals'
import { challengeOf, parseChallenges, type Challenge } from './challenges.js'

/** An answer as supertest and `sendRaw` give it: names of fields in lower case. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly text?: string
}

const ERROR_PARAMETERS = ['error', 'error_description', 'error_uri']

/** 401 without an error code: there were no credentials that we know. */
export function expectNoCredentials(answer: Answer): Challenge {
  expect(answer.status).toBe(401)
  const challenge = expectWellFormedRefusal(answer)
  expect(Object.keys(challenge.params)).not.toEqual(expect.arrayContaining([expect.stringMatching(/^error/)]))
  expect(bodyOf(answer)).not.toHaveProperty('error')
  return challenge
}

/** A refusal with this status and error code, in the challenge and in the body. */
export function expectRefusal(
  answer: Answer,
  status: 400 | 401 | 403,
  error: 'invalid_request' | 'invalid_token' | 'insufficient_scope',
): Challenge {
  expect({ status: answer.status, text: answer.text }).toMatchObject({ status })
  const challenge = expectWellFormedRefusal(answer)
  expect(challenge.params['error']).toBe(error)
  if (answer.text) expect(bodyOf(answer)).toMatchObject({ error })
  return challenge
}

/** 503 that says when to come again, and nothing about the token. */
export function expectOutage(answer: Answer): void {
  expect(answer.status).toBe(503)
  expect(answer.headers['retry-after']).toMatch(/^\d+$/)
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(parseChallenges(answer.headers['www-authenticate'])).toEqual([])
  expect(answer.text ?? '').not.toContain('invalid_token')
}

/** A challenge with at least one parameter, a realm, descriptions in the allowed characters, and no caching. */
export function expectWellFormedRefusal({ headers }: Answer): Challenge {
  const challenge = challengeOf(headers['www-authenticate'])
  expect(challenge.params['realm']).toEqual(expect.any(String))
  for (const name of ERROR_PARAMETERS) {
    expect(challenge.params[name] ?? '').toMatch(/^[\x20\x21\x23-\x5B\x5D-\x7E]*$/)
  }
  expect(headers['cache-control']).toBe('no-store')
  return challenge
}

function bodyOf({ text }: Answer): Record<string, unknown> {
  return text ? (JSON.parse(text) as Record<string, unknown>) : {}
}
