import { ConfigurationError } from '../../lib/core/errors.js'

/** The ConfigurationError that building something throws. @throws Error if it throws none, or another */
export function misuseOf(build: () => unknown): ConfigurationError {
  try {
    build()
  } catch (error) {
    if (error instanceof ConfigurationError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
