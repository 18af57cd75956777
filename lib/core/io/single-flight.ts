/** One question at a time: simultaneous callers with the same key share one answer, good or bad. */

/**
 * @returns `share(key, start)`: joins the flight of that key, or starts one. Bounded by what `start`
 * bounds: each flight needs a deadline of its own.
 */
export function createSingleFlight<T>(): (key: string, start: () => Promise<T>) => Promise<T> {
  const flights = new Map<string, Promise<T>>()

  return function share(key, start) {
    const joined = flights.get(key)
    if (joined) return joined
    const flight = start().finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }
}
