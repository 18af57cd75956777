/**
 * One bit or a few per token, in a compressed list: reads what a list says of an index.
 *
 * @see draft-ietf-oauth-status-list-21 §4 for the list, §7.1 for what a status means
 */
import { inflate } from 'node:zlib'
import { promisify } from 'node:util'

/** A decompressed list. */
export interface StatusList {
  readonly bits: 1 | 2 | 4 | 8
  readonly bytes: Uint8Array
}

/** What a token says about its status. */
export interface StatusReference {
  readonly uri: string
  readonly idx: number
}

const BITS = [1, 2, 4, 8] as const
const inflateAsync = promisify(inflate)

/**
 * @param maxBytes of the decompressed list; a short list may unfold into a very long one
 * @returns undefined if the value is no status list
 */
export async function parseStatusList(value: unknown, maxBytes: number): Promise<StatusList | undefined> {
  if (typeof value !== 'object' || value === null) return undefined
  const { bits: wanted, lst } = value as { bits?: unknown; lst?: unknown }
  const bits = BITS.find((candidate) => candidate === wanted)
  if (bits === undefined || typeof lst !== 'string') return undefined
  const compressed = Buffer.from(lst, 'base64url')
  if (lst === '' || compressed.toString('base64url') !== lst) return undefined
  const bytes = await decompress(compressed, maxBytes)
  return bytes && { bits, bytes }
}

/** ZLIB (RFC 1950) and nothing after it. */
async function decompress(compressed: Buffer, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    // with `info` comes the engine, which knows how much it has read; the types do not say so
    const options = { maxOutputLength: maxBytes, info: true }
    const { buffer, engine } = (await inflateAsync(compressed, options)) as unknown as {
      buffer: Uint8Array
      engine: { bytesWritten: number }
    }
    return engine.bytesWritten === compressed.length ? buffer : undefined
  } catch (error) {
    // Z_DATA_ERROR, Z_BUF_ERROR, ERR_BUFFER_TOO_LARGE: the library's ways to say "no such thing"
    if (typeof error === 'object' && error !== null && 'code' in error) return undefined
    throw error
  }
}

/** The status at an index, least significant bits first; undefined beyond the end. */
export function statusAt({ bits, bytes }: StatusList, idx: number): number | undefined {
  const byte = bytes[Math.floor((idx * bits) / 8)]
  if (byte === undefined) return undefined
  return (byte >> ((idx * bits) % 8)) & (2 ** bits - 1)
}

/** The reference in a token's `status` claim. Undefined: it names no list. Null: it names one, but wrongly. */
export function toStatusReference(status: unknown): StatusReference | null | undefined {
  if (typeof status !== 'object' || status === null || !Object.hasOwn(status, 'status_list')) return undefined
  const reference = (status as { status_list: unknown }).status_list
  if (typeof reference !== 'object' || reference === null) return null
  const { idx, uri } = reference as { idx?: unknown; uri?: unknown }
  const isIndex = typeof idx === 'number' && Number.isSafeInteger(idx) && idx >= 0
  return isIndex && typeof uri === 'string' && URL.canParse(uri) ? { idx, uri } : null
}
