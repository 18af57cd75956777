/** What a store must do to be shared by several nodes; for adapters of other databases too. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Store } from '../core/io/store.js'
import { toCases, type ContractCase } from './contract.js'

/** One store as two nodes see it. */
export interface StoreUnderTest {
  readonly store: Store
  /** The same entries through another connection. Default: `store` itself, which is right for one in memory. */
  readonly other?: Store
  close?(): unknown
}

const LONG_MS = 60_000
const SHORT_MS = 40

/**
 * The contract of `Store`, as cases that throw. They use keys that are new each time.
 *
 * @example
 * for (const { title, run } of storeContract(() => ({ store: myStore() }))) it(title, run)
 */
export function storeContract(open: () => StoreUnderTest | Promise<StoreUnderTest>): readonly ContractCase[] {
  return toCases(open, {
    'has nothing under a new key': async ({ store }) => {
      assert.equal(await store.get(randomUUID()), undefined)
    },
    'gives back what was set, to the other node too': async ({ store, other = store }) => {
      const key = randomUUID()
      await store.set(key, 'a value with ünïcödé, "quotes"\nand lines', LONG_MS)
      assert.equal(await other.get(key), 'a value with ünïcödé, "quotes"\nand lines')
    },
    'tells an empty value from none': async ({ store, other = store }) => {
      const key = randomUUID()
      await store.set(key, '', LONG_MS)
      assert.equal(await other.get(key), '')
    },
    'replaces a value': async ({ store, other = store }) => {
      const key = randomUUID()
      await store.set(key, 'first', LONG_MS)
      await other.set(key, 'second', LONG_MS)
      assert.equal(await store.get(key), 'second')
    },
    'deletes a value, and bears it when there is none': async ({ store, other = store }) => {
      const key = randomUUID()
      await store.set(key, 'value', LONG_MS)
      await other.delete(key)
      await other.delete(key)
      assert.equal(await store.get(key), undefined)
    },
    'sets what is absent, and says so': async ({ store, other = store }) => {
      const key = randomUUID()
      assert.equal(await store.setIfAbsent(key, 'first', LONG_MS), true)
      assert.equal(await other.setIfAbsent(key, 'second', LONG_MS), false)
      assert.equal(await other.get(key), 'first')
    },
    'lets one of many win who set at once': async ({ store, other = store }) => {
      const key = randomUUID()
      const racing = Array.from({ length: 50 }, async (_, index) =>
        (index % 2 ? store : other).setIfAbsent(key, String(index), LONG_MS),
      )
      const won = await Promise.all(racing)
      assert.equal(won.filter(Boolean).length, 1)
      assert.equal(await store.get(key), String(won.indexOf(true)))
    },
    'forgets when the time of an entry is over': async ({ store, other = store }) => {
      const [set, once] = [randomUUID(), randomUUID()]
      await store.set(set, 'value', SHORT_MS)
      assert.equal(await store.setIfAbsent(once, '', SHORT_MS), true)
      await untilTrue(async () => (await other.get(set)) === undefined)
      await untilTrue(async () => other.setIfAbsent(once, '', LONG_MS))
    },
    'takes a new time when an entry is set again': async ({ store, other = store }) => {
      const key = randomUUID()
      await store.set(key, 'first', LONG_MS)
      await store.set(key, 'second', SHORT_MS)
      await untilTrue(async () => (await other.get(key)) === undefined)
    },
  })
}

/** @throws AssertionError (rejects) if it has not become true within five seconds */
export async function untilTrue(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 5000
  while (!(await isTrue())) {
    assert.ok(Date.now() < end, 'it did not come about within five seconds')
    await pause(10)
  }
}
