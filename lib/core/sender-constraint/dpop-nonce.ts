/**
 * Nonces of this server, without a memory of them: a nonce is a keyed hash of the time, so whoever has the
 * secret knows it again. It makes proofs that were made ahead of time worthless.
 *
 * @see RFC 9449 §8, §9, §11.3
 */
import { createHmac } from 'node:crypto'

export interface NonceSettings {
  /** The first makes nonces, all are good to check them: so a secret can be changed without a gap. */
  readonly secrets: readonly Uint8Array[]
  /** A nonce is good for at least half as long, and at most for this long. */
  readonly lifetimeSeconds: number
}

export interface Nonces {
  /** The nonce to be used from now on. */
  current(): string
  /** `renew`: still good, but a newer one should be sent along with the answer. */
  judge(nonce: string): 'good' | 'renew' | 'unknown'
}

/** What is hashed is nobody else's: the secret may serve other purposes. */
const PURPOSE = 'express-resource-server DPoP nonce'

export function createNonces({ secrets, lifetimeSeconds }: NonceSettings): Nonces {
  const periodMs = lifetimeSeconds * 500
  let known = toKnown(secrets, -1)

  function atNow(): KnownNonces {
    const period = Math.floor(Date.now() / periodMs)
    if (known.period !== period) known = toKnown(secrets, period)
    return known
  }

  return {
    current: () => atNow().current,
    judge(nonce) {
      const { fresh, aging } = atNow()
      // nothing is told by how long this takes: a nonce is no secret, every client is given the same
      if (fresh.includes(nonce)) return 'good'
      return aging.includes(nonce) ? 'renew' : 'unknown'
    },
  }
}

/** The nonces that are good in one period of time. */
interface KnownNonces {
  readonly period: number
  readonly current: string
  /** Of this period; and of the next, from a process whose clock is ahead. */
  readonly fresh: readonly string[]
  /** Of the period before, or made with a former secret. */
  readonly aging: readonly string[]
}

function toKnown(secrets: readonly Uint8Array[], period: number): KnownNonces {
  const [first = new Uint8Array(), ...former] = secrets
  const current = nonceOf(first, period)
  const aging = former.flatMap((secret) => [-1, 0, 1].map((offset) => nonceOf(secret, period + offset)))
  return {
    period,
    current,
    fresh: [current, nonceOf(first, period + 1)],
    aging: [nonceOf(first, period - 1), ...aging],
  }
}

function nonceOf(secret: Uint8Array, period: number): string {
  return createHmac('sha256', secret).update(`${PURPOSE} ${period}`).digest('base64url')
}
