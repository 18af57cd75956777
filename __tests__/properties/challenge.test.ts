/** Whatever the values are, the challenge is one that Node sends and any parser reads. */
import { validateHeaderValue } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { formatChallenge, isScopeToken } from '../../lib/core/challenge.js'
import { parseChallenges } from '../support/challenges.js'

/** One of these characters. */
const oneOf = (characters: string) => fc.constantFrom(...Array.from(characters))

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: oneOf('a "\\,=\r\n\t\u0000\u007f\u00e9\u65e5\u{1f600}') }),
)

describe('formatChallenge', () => {
  it('writes one challenge with each parameter once, and with nothing but what the RFCs allow', () => {
    fc.assert(
      fc.property(
        fc.record(
          {
            realm: anyText,
            error: anyText,
            error_description: anyText,
            scope: fc.array(anyText),
            further: fc.record({ acr_values: anyText }),
          },
          { requiredKeys: ['realm'] },
        ),
        (parameters) => {
          const value = formatChallenge('Bearer', parameters)
          expect(() => validateHeaderValue('WWW-Authenticate', value)).not.toThrow()
          const [challenge, ...others] = parseChallenges(value)
          expect(others).toEqual([])
          const {
            realm,
            error,
            error_description: description,
            scope,
            acr_values: further,
            ...unknown
          } = challenge!.params
          expect(unknown).toEqual({})
          expect(realm).toEqual(expect.any(String))
          expect(further === undefined).toBe(parameters.further === undefined)
          expect(error === undefined).toBe(parameters.error === undefined)
          for (const text of [error, description])
            expect(text ?? '').toMatch(/^[\x20\x21\x23-\x5B\x5D-\x7E]*$/)
          expect(scope?.split(' ') ?? []).toEqual((parameters.scope ?? []).filter(isScopeToken))
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('gives any printable realm back to the one who reads it', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) }),
        (realm) => {
          expect(parseChallenges(formatChallenge('Bearer', { realm }))[0]?.params['realm']).toBe(realm)
        },
      ),
    )
  })
})
