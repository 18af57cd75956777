/** A caller's own deadline for something that others may go on waiting for. */

/**
 * @returns what `promise` brings, or a rejection with `late()` after `timeoutMs` milliseconds. The
 * promise itself is not cancelled: it is shared, and has a deadline of its own.
 */
export async function withinDeadline<T>(
  promise: T | Promise<T>,
  timeoutMs: number,
  late: () => Error,
): Promise<T> {
  if (!(promise instanceof Promise)) return promise
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), Math.max(1, timeoutMs))
    timer.unref()
  })
  try {
    return await Promise.race([promise, deadline])
  } finally {
    clearTimeout(timer)
  }
}
