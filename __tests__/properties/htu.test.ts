/** Spellings of one URI are one, and URIs that differ stay apart. */
import fc from 'fast-check'
import { describe, expect, it } from '@jest/globals'
import { expectedHtus, matchesHtu, normalizeHtu } from '../../lib/core/sender-constraint/htu.js'

const SETTINGS = { origins: ['https://api.example.com'], pathPrefix: '' }
const segment = fc.stringMatching(/^(?:[A-Za-z0-9\-_~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2}){1,12}$/)
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => `/${segments.join('/')}`)
const requestTo = (target: string) => ({ headers: {}, method: 'GET', url: target })
const isNamed = (htu: string, target: string) => matchesHtu(htu, expectedHtus(requestTo(target), SETTINGS))

/** Another spelling of the same path: unreserved characters encoded or not, hex in either case. */
function respell(text: string, choices: readonly boolean[]): string {
  let index = 0
  return text.replace(/%[0-9A-Fa-f]{2}|[A-Za-z0-9\-_~]/g, (part) => {
    const flip = choices[index++ % choices.length]
    if (part.startsWith('%')) return flip ? part.toLowerCase() : part.toUpperCase()
    const code = part.charCodeAt(0).toString(16)
    return flip ? `%${code}` : part
  })
}

describe('normalizeHtu', () => {
  it('brings a normal form to itself', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (uri) => {
        const normal = normalizeHtu(uri)
        expect(normal).toBeDefined()
        expect(normalizeHtu(normal ?? '')).toBe(normal)
        expect(normal).not.toMatch(/[?#]/)
      }),
    )
  })

  it('takes any text without an error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (uri, target) => {
        expect(['string', 'undefined']).toContain(typeof normalizeHtu(uri))
        expect(isNamed(uri, target)).toBe(uri === `https://api.example.com${target}` && isNamed(uri, target))
      }),
    )
  })
})

describe('matchesHtu', () => {
  it('knows a path in every spelling', () => {
    fc.assert(
      fc.property(path, fc.array(fc.boolean(), { minLength: 1 }), fc.boolean(), (plain, choices, mixed) => {
        const origin = mixed ? 'HTTPS://Api.Example.Com:443' : 'https://api.example.com'
        fc.pre(!/\/(?:\.|%2e){1,2}(?:\/|$)/i.test(plain))
        expect(isNamed(`${origin}${respell(plain, choices)}?q#f`, `${plain}?x=1`)).toBe(true)
        expect(isNamed(`${origin}${plain}`, respell(plain, choices))).toBe(true)
      }),
    )
  })

  it('takes no path for another', () => {
    const decoded = (text: string) =>
      text.replace(/%[0-9A-Fa-f]{2}/g, (hex) => {
        const character = String.fromCharCode(Number.parseInt(hex.slice(1), 16))
        return /[A-Za-z0-9\-._~]/.test(character) ? character : hex.toUpperCase()
      })
    fc.assert(
      fc.property(path, path, (one, another) => {
        fc.pre(decoded(one) !== decoded(another) && ![one, another].some((text) => /(?:\.|%2e)/i.test(text)))
        expect(isNamed(`https://api.example.com${one}`, another)).toBe(false)
      }),
    )
  })

  it('takes no origin for another', () => {
    fc.assert(
      fc.property(fc.webUrl(), path, (uri, target) => {
        const { origin } = new URL(uri)
        fc.pre(origin !== 'https://api.example.com')
        expect(isNamed(`${origin}${target}`, target)).toBe(false)
      }),
    )
  })
})
