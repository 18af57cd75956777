/** Equal values of many tokens are kept once, and stay equal. */
import { describe, expect, it } from '@jest/globals'
import { createCommonValues } from '../../../lib/core/token/common-values.js'

describe('createCommonValues', () => {
  it('gives equal lists the same frozen list, and others another', () => {
    const common = createCommonValues()
    const list = common.shareList(['a', 'b'])
    expect(list).toEqual(['a', 'b'])
    expect(Object.isFrozen(list)).toBe(true)
    expect(common.shareList(['a', 'b'])).toBe(list)
    for (const other of [['a b'], ['a,b'], ['b', 'a'], ['a'], [], ['a","b']]) {
      expect(common.shareList(other)).toEqual(other)
      expect(common.shareList(other)).not.toBe(list)
    }
  })

  it('leaves claims as they are', () => {
    const common = createCommonValues()
    const received = {
      iss: 'https://as.example',
      aud: ['a'],
      scope: 'a b',
      sub: 'alice',
      exp: 1,
      client_id: null,
    }
    for (let times = 0; times < 2; times += 1) {
      const claims = structuredClone(received)
      common.shareClaims(claims)
      expect(claims).toEqual(received)
    }
  })

  it('adds nothing, and is not misled by names that every object has', () => {
    const common = createCommonValues()
    const claims = JSON.parse('{"__proto__":"x","sub":"alice"}') as Record<string, unknown>
    common.shareClaims(claims)
    expect(Object.keys(claims)).toEqual(['__proto__', 'sub'])
    expect(common.shareList(['__proto__', 'constructor'])).toEqual(['__proto__', 'constructor'])
  })

  it('stays right beyond what it remembers', () => {
    const common = createCommonValues()
    const long = 'x'.repeat(5000)
    for (let index = 0; index < 2500; index += 1) {
      expect(common.shareList([`scope-${index}`, long])).toEqual([`scope-${index}`, long])
      expect(common.shareList([`scope-${index}`])).toEqual([`scope-${index}`])
    }
  })
})
