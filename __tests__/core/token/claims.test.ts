/** Members of claims that came from outside, of any type. */
import { describe, expect, it } from '@jest/globals'
import { firstString, toAudience, toScopes, toSeconds } from '../../../lib/core/token/claims.js'

describe('firstString', () => {
  it.each([
    [{ a: 'x', b: 'y' }, 'x'],
    [{ b: 'y' }, 'y'],
    [{ a: '', b: 'y' }, 'y'],
    [{ a: 1, b: ['y'] }, undefined],
    [{}, undefined],
  ])('of %j is %p', (claims, expected) => {
    expect(firstString(claims, ['a', 'b'])).toBe(expected)
  })
})

describe('toAudience', () => {
  it.each([
    ['a', ['a']],
    ['', ['']],
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [[], []],
    [[1], undefined],
    [['a', null], undefined],
    [[['a']], undefined],
    [{}, undefined],
    [{ length: 1, 0: 'a' }, undefined],
    [null, undefined],
    [undefined, undefined],
    [1, undefined],
    [true, undefined],
  ])('of %j is %j', (value, expected) => {
    expect(toAudience(value)).toEqual(expected)
  })
})

describe('toScopes', () => {
  it.each([
    [{ scope: 'a b' }, ['a', 'b']],
    [{ scope: ' a  b ' }, ['a', 'b']],
    [{ scope: '' }, []],
    [{ scp: ['a', 'b'] }, ['a', 'b']],
    [{ scp: ['a', ''] }, ['a']],
    [{ scope: 'a', scp: ['b'] }, ['b']],
    [{ scope: ['a', 1] }, []],
    [{ scope: { a: true } }, []],
    [{ scope: null }, []],
    [{ scope: 1 }, []],
    [{ scope: 'a\tb' }, ['a\tb']],
    [{}, []],
  ])('of %j are %j', (claims, expected) => {
    expect(toScopes(claims, ['scp', 'scope'])).toEqual(expected)
  })
})

describe('toSeconds', () => {
  it.each([
    [0, 0],
    [1.5, 1.5],
    [-1, -1],
    [4_102_444_800, 4_102_444_800],
    [2 ** 63, 8.64e12],
    [1e308, 8.64e12],
    [Infinity, 8.64e12],
    [NaN, undefined],
    ['1', undefined],
    [true, undefined],
    [null, undefined],
    [[1], undefined],
    [{}, undefined],
    [undefined, undefined],
  ])('of %p are %p', (value, expected) => {
    expect(toSeconds(value)).toBe(expected)
  })

  it('stay within what a Date can hold', () => {
    expect(new Date((toSeconds(1e308) ?? 0) * 1000).getTime()).toBe(8.64e15)
  })
})
