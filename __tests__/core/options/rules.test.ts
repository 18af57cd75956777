import { describe, expect, it } from '@jest/globals'
import { ConfigurationError } from '../../../lib/core/errors.js'
import {
  address,
  assertOption,
  assertOptions,
  either,
  flag,
  integer,
  joinOptions,
  listOf,
  oneOf,
  rule,
  secret,
  section,
  text,
  type Rule,
} from '../../../lib/core/options/rules.js'
import { misuseOf } from '../../support/misuse.js'

const anything: Rule = rule('something else', 'x', () => false)
const received = (value: unknown, expected = anything) => {
  const { message } = misuseOf(() => assertOption(value, 'a.b', expected))
  return /received (.*)\. Write a\.b: /.exec(message)?.[1]
}

describe('rules', () => {
  it.each<[string, Rule, unknown[], unknown[]]>([
    ['integer', integer(1, 5, 2), [1, 5], [0, 6, 1.5, '2', NaN, Infinity, null, 2n, [2]]],
    ['oneOf', oneOf(['a', false]), ['a', false], ['b', true, undefined, 0]],
    ['text', text, ['a', ' '], ['', 1, null, new String('a')]],
    ['flag', flag, [true, false], ['true', 1, null]],
    ['section', section, [{}, Object.create(null), new Map()], [[], null, 'x', () => 1]],
    ['listOf', listOf(text), [['a']], [[], ['a', ''], 'a', { 0: 'a', length: 1 }]],
    ['either', either(text, listOf(text)), ['a', ['a']], [[], 1]],
    [
      'address',
      address(false),
      [
        'https://a.example/x?y=1',
        'http://localhost:1/',
        'http://127.0.0.1',
        'http://[::1]',
        'http://a.localhost',
      ],
      [
        'http://a.example',
        'ftp://a.example',
        'a.example',
        'https://u:p@a.example',
        'https://u@a.example',
        '',
        1,
        'http://127.0.0.1.example',
      ],
    ],
    ['address with http', address(true), ['http://a.example'], ['ftp://a.example', 'http://u:p@a.example']],
  ])('%s', (_name, { accepts }, good, bad) => {
    for (const value of good) expect([value, accepts(value)]).toEqual([value, true])
    for (const value of bad) expect([value, accepts(value)]).toEqual([value, false])
  })
})

describe('assertOption', () => {
  it('says where, what is wanted, what was received and what to write', () => {
    const error = misuseOf(() => assertOption('5', 'introspection.timeoutMs', integer(50, 60_000, 2000)))
    expect(error.path).toBe('introspection.timeoutMs')
    expect(error.message).toBe(
      'resourceServer: introspection.timeoutMs must be a whole number from 50 to 60000, received "5". ' +
        'Write introspection.timeoutMs: 2000',
    )
  })

  it.each<[unknown, string]>([
    ['x', '"x"'],
    [1, '1'],
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [10n, '10'],
    [Symbol('s'), 'Symbol(s)'],
    [() => 1, 'a function'],
    [[], '[]'],
    [['a', 1, { secret: 'S' }, ['b'], null, 'cut'], '["a", 1, an object, a list, null]'],
    [{}, 'an object'],
    [{ clientSecret: 'S', a: 1 }, 'an object with clientSecret, a'],
    [Promise.resolve(), 'a promise'],
    [Object.create(null), 'an object'],
    ['https://user:password@a.example/@', '"https://(not shown)@a.example/@"'],
    ['y'.repeat(500), `"${'y'.repeat(120)}"`],
  ])('shows %p as %s', (value, shown) => {
    expect(received(value)).toBe(shown)
  })

  it('shows what holds itself', () => {
    const circle: unknown[] = []
    circle.push(circle)
    expect(received(circle)).toBe('[a list]')
  })

  it.each<[unknown, string]>([
    ['S3CRET', 'a string (not shown)'],
    [['S3CRET'], 'a list (not shown)'],
    [{ S3CRET: 'S3CRET' }, 'an object (not shown)'],
  ])('never shows what may be secret: %p', (value, shown) => {
    expect(received(value, secret(anything))).toBe(shown)
  })
})

describe('assertOptions', () => {
  const rules = { timeoutMs: integer(1, 9, 5), clientId: text, clientSecret: secret(text) }

  it('accepts what keeps the rules, and undefined as not given', () => {
    expect(() => assertOptions({ timeoutMs: 1, clientId: undefined }, 'a', rules)).not.toThrow()
    expect(() => assertOptions({}, '', rules)).not.toThrow()
  })

  it.each([
    ['timeoutMS', 'did you mean timeoutMs?'],
    ['timeout', 'did you mean timeoutMs?'],
    ['clientid', 'did you mean clientId?'],
    ['client_secret', 'did you mean clientSecret?'],
    ['zzz', 'known are timeoutMs, clientId, clientSecret'],
    ['__proto__x', 'known are'],
    ['constructor', 'known are'],
    ['', 'known are'],
  ])('tells of an unknown member %j: %s', (name, remedy) => {
    const error = misuseOf(() => assertOptions({ [name]: 'VALUE' }, 'a', rules))
    expect(error.path).toBe(`a.${name}`)
    expect(error.message).toContain('is no option')
    expect(error.message).toContain(remedy)
    expect(error.message).not.toContain('VALUE')
  })

  it.each([null, undefined, 'x', 1, [], () => 1])('wants an object, not %p', (value) => {
    expect(misuseOf(() => assertOptions(value, '', rules)).message).toMatch(
      /^resourceServer: options must be an object/,
    )
    expect(misuseOf(() => assertOptions(value, 'a', rules)).path).toBe('a')
  })

  it('does not take an inherited name for a rule', () => {
    expect(() => assertOptions({ toString: 'x' }, '', rules)).toThrow(ConfigurationError)
  })
})

describe('joinOptions', () => {
  it('puts the later before the earlier, but not undefined before a value', () => {
    expect(joinOptions<Record<string, number>>({ a: 1, b: 2 }, undefined, { a: 3 })).toEqual({ a: 3, b: 2 })
    expect(joinOptions<{ a: number | undefined }>({ a: 1 }, { a: undefined })).toEqual({ a: 1 })
    expect(joinOptions()).toEqual({})
  })
})
