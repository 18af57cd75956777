/**
 * Small jobs of one turn of the event loop, done back to back. The processor keeps their code and data at
 * hand then: a signature checked right after another costs a fraction of one checked between other work.
 * A job that is alone waits for the end of its turn, which nobody can see.
 */

/** Milliseconds after which the loop is given back to sockets and timers; the rest is done in its next turn. */
const MAX_BLOCKING_MS = 3

/** @returns `enqueue(job)`: what the job returns, or a rejection with what it throws */
export function createBatch<T>(): (job: () => T) => Promise<T> {
  let waiting: (() => void)[] = []
  let isScheduled = false

  function work(): void {
    const until = performance.now() + MAX_BLOCKING_MS
    let done = 0
    while (done < waiting.length && performance.now() < until) waiting[done++]?.()
    waiting = waiting.slice(done)
    isScheduled = waiting.length > 0
    if (isScheduled) setImmediate(work)
  }

  return function enqueue(job) {
    return new Promise<T>((resolve, reject) => {
      waiting.push(() => {
        try {
          resolve(job())
        } catch (error) {
          reject(error)
        }
      })
      if (isScheduled) return
      isScheduled = true
      setImmediate(work)
    })
  }
}
