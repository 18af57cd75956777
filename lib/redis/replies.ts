/** Replies of Redis, in the shapes that clients give them in RESP2 and RESP3. */

/** An entry of a stream. */
export interface Entry {
  readonly id: string
  readonly fields: Readonly<Record<string, string>>
}

export function toText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return Buffer.isBuffer(value) ? value.toString('utf8') : undefined
}

/** The reply to XREAD of one stream: null, pairs of a name and entries, or a map. */
export function toReadEntries(reply: unknown): readonly Entry[] {
  if (reply === null || reply === undefined) return []
  if (Array.isArray(reply)) {
    const [first] = reply as unknown[]
    // a map may also come flat: name, entries
    return toEntries(Array.isArray(first) ? (first as unknown[])[1] : (reply as unknown[])[1])
  }
  const values: unknown[] = reply instanceof Map ? [...reply.values()] : Object.values(reply)
  return toEntries(values[0])
}

/** The reply to XRANGE. @throws TypeError if it is none: nothing may be taken for empty that is not */
export function toEntries(reply: unknown): readonly Entry[] {
  if (!Array.isArray(reply)) throw new TypeError('The reply of Redis is no list of stream entries')
  return (reply as unknown[]).map((entry) => {
    const [id, fields] = Array.isArray(entry) ? (entry as unknown[]) : []
    const name = toText(id)
    if (name === undefined) throw new TypeError('The reply of Redis holds an entry without an id')
    return { id: name, fields: toFields(fields) }
  })
}

function toFields(fields: unknown): Readonly<Record<string, string>> {
  const flat = Array.isArray(fields) ? (fields as unknown[]) : Object.entries(fields ?? {}).flat()
  const found: Record<string, string> = {}
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const [name, value] = [toText(flat[at]), toText(flat[at + 1])]
    if (name !== undefined && value !== undefined) found[name] = value
  }
  return found
}

export const STREAM_START = '0-0'

/** The milliseconds since the epoch, by Redis's clock, at which an entry was appended. */
export function timeOf(id: string): number {
  return Number(id.split('-')[0])
}

export function laterOf(a: string, b: string): string {
  const [aTime = 0, aNumber = 0] = a.split('-').map(Number)
  const [bTime = 0, bNumber = 0] = b.split('-').map(Number)
  const isLater = aTime === bTime ? aNumber > bNumber : aTime > bTime
  return isLater ? a : b
}
