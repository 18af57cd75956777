/**
 * A memory that several processes may share: what must be known to all of them, and only for a while.
 * Every operation may answer at once or later; a store that cannot answer says so, it never guesses.
 */

export interface Store {
  /**
   * Sets a value unless the key has one. Checking and setting are one step for all who share the store.
   * @param ttlMs milliseconds after which the entry is gone
   * @returns whether it was set
   * @throws StoreError (or rejects with it) if the store is full or cannot be reached
   */
  setIfAbsent(key: string, value: string, ttlMs: number): boolean | Promise<boolean>
  /** @throws StoreError */
  get(key: string): string | undefined | Promise<string | undefined>
  /** @throws StoreError */
  set(key: string, value: string, ttlMs: number): void | Promise<void>
  /** @throws StoreError */
  delete(key: string): void | Promise<void>
}

/** The store could not do what it was asked: whoever asked must not go on as if it had. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: 'full' | 'unavailable'

  constructor(code: 'full' | 'unavailable', options?: ErrorOptions) {
    super(code === 'full' ? 'The store is full' : 'The store cannot be reached', options)
    this.code = code
  }
}
