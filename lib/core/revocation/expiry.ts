/** What leaves when: marks in the order of the minutes in which their time is over. */

const SLICE_MS = 60_000

export interface Expiry<T> {
  add(item: T, untilMs: number): void
  /** Hands out, once each, the items of the slices that are over. */
  take(nowMs: number): T[]
}

/** Slices instead of a sorted list: adding and taking cost the same however many there are. */
export function createExpiry<T>(): Expiry<T> {
  const slices = new Map<number, T[]>()

  return {
    add(item, untilMs) {
      const slice = Math.ceil(untilMs / SLICE_MS)
      const items = slices.get(slice)
      if (items) items.push(item)
      else slices.set(slice, [item])
    },
    take(nowMs) {
      const over = [...slices.keys()].filter((slice) => slice * SLICE_MS <= nowMs)
      return over.flatMap((slice) => {
        const items = slices.get(slice) ?? []
        slices.delete(slice)
        return items
      })
    },
  }
}
