/** What is sealed can be read, and can have been written, only by who has the key. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { createSeal } from '../../../lib/core/io/seal.js'

const key = randomBytes(32)
const seal = createSeal(key)

describe('createSeal', () => {
  it.each(['', 'a', 'ünïcödé "quotes"\nlines', 'x'.repeat(10_000)])('opens what it sealed: %.12j', (text) => {
    expect(seal.open(seal.seal(text, 'here'), 'here')).toBe(text)
  })

  it('seals the same text differently each time, and texts of nearly one length alike long', () => {
    expect(seal.seal('text', 'here')).not.toBe(seal.seal('text', 'here'))
    expect(seal.seal('{"active":false}', 'here')).toHaveLength(seal.seal('x'.repeat(200), 'here').length)
  })

  it('opens nothing that was sealed with another key or for another place', () => {
    expect(createSeal(randomBytes(32)).open(seal.seal('text', 'here'), 'here')).toBeUndefined()
    expect(seal.open(seal.seal('text', 'here'), 'there')).toBeUndefined()
  })

  it('opens nothing in which a single byte was changed', () => {
    const bytes = Buffer.from(seal.seal('text', 'here'), 'base64url')
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(seal.open(changed.toString('base64url'), 'here')).toBeUndefined()
    }
  })

  it.each(['', 'short', 'not base64 at all, but long enough to hold a tag and more'])(
    'opens no %j',
    (text) => {
      expect(seal.open(text, 'here')).toBeUndefined()
    },
  )
})
