/**
 * Is a proof for this URI? Both sides are brought to one spelling before they are compared, without query
 * and fragment. Where this API is comes from its options, never from what the request says of itself.
 *
 * @see RFC 9449 §4.3 (9)
 * @see RFC 3986 §6.2.2, §6.2.3 for the spelling
 */
import type { SenderRequest } from './sender-request.js'

export interface HtuSettings {
  /** Where clients reach this API: scheme, host and port, in the spelling of `URL.origin`. */
  readonly origins: readonly string[]
  /** What a proxy takes off the path before the request arrives here; empty, or `/…` without a slash at its end. */
  readonly pathPrefix: string
}

/** Printable, and nothing that parsers of URLs take off or turn into something else. */
const PLAIN = /^[^\s\p{Cc}\\]+$/u
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:\/|$)/i
const ABSOLUTE_FORM = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i

/**
 * @returns the URI in its normal form without query and fragment: scheme, host and percent-encodings in one
 * case, no default port, no needless percent-encoding, no dot segments, `/` for an empty path.
 * Undefined if it is no http(s) URI.
 */
export function normalizeHtu(uri: string): string | undefined {
  if (!PLAIN.test(uri) || !URL.canParse(uri)) return undefined
  const { protocol, origin, pathname, username, password } = new URL(uri)
  if (protocol !== 'https:' && protocol !== 'http:') return undefined
  // a name before the host is where one URI is made to look like another
  if (username !== '' || password !== '') return undefined
  return origin + normalizePath(pathname)
}

/** RFC 3986 §6.2.2.1, §6.2.2.2. What is reserved keeps its encoding: `%2F` is no `/`. */
function normalizePath(path: string): string {
  if (!path.includes('%')) return path
  return path.replace(/%[0-9a-f]{2}/gi, (encoded) => {
    const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : encoded.toUpperCase()
  })
}

/**
 * @returns the URIs, one for each origin, that a proof for this request may name: as they would be written if
 * the client wrote them plainly. None if the request's path cannot be named by a URI in normal form.
 */
export function expectedHtus(request: SenderRequest, { origins, pathPrefix }: HtuSettings): string[] {
  const path = pathOf(request.originalUrl ?? request.url ?? '')
  // an app routes such a path as it stands, so it is not the resource that its normal form names
  if (!path.startsWith('/') || DOT_SEGMENT.test(path)) return []
  return origins.map((origin) => origin + pathPrefix + path)
}

/** Whether a proof with this `htu` is for one of these URIs. */
export function matchesHtu(htu: string, expected: readonly string[]): boolean {
  if (expected.includes(htu)) return true
  const normal = normalizeHtu(htu)
  return normal !== undefined && expected.some((uri) => normalizeHtu(uri) === normal)
}

/** Of a request's target in origin-form or absolute-form (RFC 9112 §3.2), whose host says nothing. */
function pathOf(target: string): string {
  const path = target.replace(ABSOLUTE_FORM, '')
  const end = path.search(/[?#]/)
  const alone = end === -1 ? path : path.slice(0, end)
  return alone === '' && target !== '' ? '/' : alone
}
