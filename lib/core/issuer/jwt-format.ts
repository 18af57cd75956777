/**
 * Is this string a JWT, and if so, is it a well-formed one? Nothing is believed yet.
 *
 * @see RFC 7515 §2, §7.1, RFC 7516 §7.1, RFC 7519 §7.2
 */
import { invalidToken } from '../errors.js'

export type JsonObject = Readonly<Record<string, unknown>>

/** The three parts of a JSON Web Signature in compact form, decoded and unverified. */
export interface DecodedJwt {
  readonly header: JsonObject
  readonly claims: JsonObject
  readonly encodedHeader: string
  readonly encodedClaims: string
  readonly signature: string
}

/** RFC 8259 §9 allows a limit: whoever walks through the claims later must not run out of stack. */
const MAX_DEPTH = 64

/** An own member: names such as `constructor` mean nothing unless the issuer wrote them. */
export function memberOf(claims: JsonObject, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Tells self-contained tokens from opaque ones: `jws` has three parts and `jwe` five, and the first is a
 * JOSE header. Dots alone prove nothing: some servers issue opaque tokens with dots.
 * Decides leniently, so that a misspelt JWT is refused here as one and not sent anywhere.
 */
export function recognizeJwt(token: string): 'jws' | 'jwe' | undefined {
  const parts = countDots(token) + 1
  if (parts !== 3 && parts !== 5) return undefined
  const header = parseObject(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString())
  if (!header || !Object.hasOwn(header, 'alg')) return undefined
  if (parts === 3) return 'jws'
  return Object.hasOwn(header, 'enc') ? 'jwe' : undefined
}

/**
 * Decodes a token that `recognizeJwt` called `jws`.
 *
 * @throws InvalidTokenError `malformed_token` unless all parts are base64url in its only spelling and
 * header and claims are JSON objects in UTF-8, nested at most 64 deep
 */
export function decodeJwt(token: string): DecodedJwt {
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  const encodedHeader = token.slice(0, first)
  const encodedClaims = token.slice(first + 1, second)
  const signature = token.slice(second + 1)
  if (!isBase64url(signature)) throw invalidToken('malformed_token', { name: 'signature' })
  return {
    header: decodeObject(encodedHeader, 'header'),
    claims: decodeObject(encodedClaims, 'claims'),
    encodedHeader,
    encodedClaims,
    signature,
  }
}

function decodeObject(encoded: string, name: string): JsonObject {
  const value = isBase64url(encoded) ? parseObject(decodeUtf8(encoded)) : undefined
  if (!value) throw invalidToken('malformed_token', { name, expected: 'a JSON object in base64url' })
  if (!isShallow(value, MAX_DEPTH)) throw invalidToken('malformed_token', { name, expected: 'less nesting' })
  return value
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((member) => isShallow(member, levels - 1))
}

/** Two spellings of one token must not be two tokens: no padding, no other alphabet, no spare bits. */
function isBase64url(encoded: string): boolean {
  return Buffer.from(encoded, 'base64url').toString('base64url') === encoded
}

function decodeUtf8(encoded: string): string | undefined {
  try {
    return strictUtf8.decode(Buffer.from(encoded, 'base64url'))
  } catch {
    // a TypeError is the decoder's way to say "not UTF-8"
    return undefined
  }
}

function parseObject(json: string | undefined): JsonObject | undefined {
  if (json === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    // a SyntaxError is the parser's way to say "not JSON"
    return undefined
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined
}

function countDots(token: string): number {
  let dots = 0
  for (let at = token.indexOf('.'); at !== -1 && dots < 5; at = token.indexOf('.', at + 1)) dots += 1
  return dots
}
