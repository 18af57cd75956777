// Starting and stopping of HTTP servers on the loopback interface.
import { once } from 'node:events'

/**
 * @param port the wished one; if it is taken any free one, unless it has to be `exactly` this
 * @returns the origin, such as `http://127.0.0.1:4000`
 */
export async function listen(server, port, { exactly = false } = {}) {
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
  } catch (error) {
    if (error.code !== 'EADDRINUSE' || exactly) throw error
    await once(server.listen(0, '127.0.0.1'), 'listening')
  }
  return `http://127.0.0.1:${server.address().port}`
}

/** Refuses new connections and closes those there are. */
export async function shut(server) {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
