/** A contract as cases that any test framework can run: each is named, and throws where it is not kept. */

export interface ContractCase {
  /** What is asked for, as a sentence. */
  readonly title: string
  /** @throws AssertionError (rejects) if it is not so */
  readonly run: () => Promise<void>
}

/** @returns the cases, each with something fresh that is closed after it */
export function toCases<T extends { close?(): unknown }>(
  open: () => T | Promise<T>,
  cases: Readonly<Record<string, (subject: T) => Promise<void>>>,
): readonly ContractCase[] {
  return Object.entries(cases).map(([title, check]) => ({
    title,
    async run() {
      const subject = await open()
      try {
        await check(subject)
      } finally {
        await subject.close?.()
      }
    },
  }))
}
