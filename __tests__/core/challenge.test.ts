import { describe, expect, it } from '@jest/globals'
import { formatChallenge, isScopeToken } from '../../lib/core/challenge.js'
import { parseChallenges } from '../support/challenges.js'

describe('formatChallenge', () => {
  it('writes the parameters in a fixed order', () => {
    const value = formatChallenge('Bearer', {
      scope: ['a', 'b'],
      error_description: 'It is late',
      error: 'invalid_token',
      realm: 'api',
    })
    expect(value).toBe(
      'Bearer realm="api", error="invalid_token", error_description="It is late", scope="a b"',
    )
  })

  it('has a realm when there is nothing else to say', () => {
    expect(formatChallenge('Bearer', { realm: 'api', error: undefined, scope: [] })).toBe(
      'Bearer realm="api"',
    )
  })

  it.each([
    ['quotes', 'a"b', 'a\\"b'],
    ['backslashes', 'a\\b', 'a\\\\b'],
    ['line breaks', 'a\r\nSet-Cookie: x', 'a Set-Cookie: x'],
    ['NUL and DEL', 'a\u0000b\u007fc', 'a b c'],
    ['letters beyond ASCII', 'caf\u00e9 \u65e5\u672c', 'caf   '],
  ])('writes a realm with %s as a quoted string', (_case, realm, quoted) => {
    expect(formatChallenge('Bearer', { realm })).toBe(`Bearer realm="${quoted}"`)
  })

  it.each(['a"b', 'a\\b', 'a\r\nb', 'a\u00e9b', 'a\u65e5b'])(
    'puts a space for what a description may not hold: %j',
    (text) => {
      const [challenge] = parseChallenges(
        formatChallenge('Bearer', { realm: 'r', error: text, error_description: text }),
      )
      expect(challenge?.params).toEqual({ realm: 'r', error: 'a b', error_description: 'a b' })
    },
  )

  it('leaves out what is no scope, and scope if nothing is left', () => {
    expect(formatChallenge('Bearer', { realm: 'r', scope: ['a b', 'ok', ''] })).toBe(
      'Bearer realm="r", scope="ok"',
    )
    expect(formatChallenge('Bearer', { realm: 'r', scope: ['"'] })).toBe('Bearer realm="r"')
  })
})

describe('isScopeToken', () => {
  it.each(['a', 'orders:read', 'https://api.example.com/read', '!', '~', "#$%&'()*+,-./[]^_`{|}"])(
    '%s is one',
    (value) => {
      expect(isScopeToken(value)).toBe(true)
    },
  )
  it.each(['', 'a b', 'a"b', 'a\\b', 'a\n', '\u00e9', 'a\u007f'])('%j is none', (value) => {
    expect(isScopeToken(value)).toBe(false)
  })
})
