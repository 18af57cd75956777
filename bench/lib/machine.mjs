/** How busy this machine is with other things: a window that others disturbed does not count. */
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/** A tick of /proc/stat lasts 10 ms on every Linux that Node runs on. */
const TICK_MS = 10
const QUIET_CORES = Number(process.env.BENCH_QUIET ?? 0.15)
const MAX_WAIT_MS = 120_000

/** Milliseconds of work done by all cores, interrupts included; NaN where /proc is missing. */
export function busyTime() {
  try {
    const [user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
      .split('\n', 1)[0]
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number)
    return { at: performance.now(), ms: (user + nice + system + irq + softirq) * TICK_MS }
  } catch {
    return { at: performance.now(), ms: NaN }
  }
}

/** Cores at work on average between two readings. */
export const coresBetween = (before, after) => (after.ms - before.ms) / (after.at - before.at)

/** Waits until this machine has next to nothing else to do, though not for ever. */
export async function quiet() {
  const giveUpAt = performance.now() + MAX_WAIT_MS
  while (performance.now() < giveUpAt) {
    const before = busyTime()
    await sleep(400)
    if (!(coresBetween(before, busyTime()) > QUIET_CORES)) return
    await sleep(1000)
  }
}
