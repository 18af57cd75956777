/**
 * Sends DPoP nonces, and lets pages of other origins read them.
 *
 * @see RFC 9449 §8.1, §8.2, §9
 * @see Fetch §3.3.4 (`Access-Control-Expose-Headers`)
 */
import type { ServerResponse } from 'node:http'

/** The client takes the nonce for its next proof; nobody else may get it out of a cache (§8.2). */
export function sendNonce(response: ServerResponse, nonce: string): void {
  response.setHeader('DPoP-Nonce', nonce)
  response.setHeader('Cache-Control', 'no-store')
  exposeFields(response, ['DPoP-Nonce'])
}

/** Where the app lets pages of other origins read its answers, they may read these fields too, and only there. */
export function exposeFields(response: ServerResponse, names: readonly string[]): void {
  if (!response.hasHeader('Access-Control-Allow-Origin')) return
  const earlier = [response.getHeader('Access-Control-Expose-Headers') ?? []].flat().map(String)
  const exposed = earlier.flatMap((line) => line.split(',')).map((name) => name.trim().toLowerCase())
  const missing = names.filter((name) => !exposed.includes(name.toLowerCase()))
  if (missing.length > 0)
    response.setHeader('Access-Control-Expose-Headers', [...earlier, ...missing].join(', '))
}
