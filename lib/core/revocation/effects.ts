/** What became of each revocation, for operators: published, and told to a listener. Holds no token. */
import { channel } from 'node:diagnostics_channel'
import type { RevocationRecord } from './record.js'

/**
 * `listed`: it counts from now on. `covered`: it says nothing new. `overflow`: the index was full, so all
 * tokens issued up to now are suspect. `unmatched`: an event that names no tokens this API could know.
 */
export type RevocationOutcome = 'listed' | 'covered' | 'overflow' | 'unmatched'

export type RevocationEvent =
  | { readonly kind: 'revocation'; readonly outcome: RevocationOutcome; readonly record: RevocationRecord }
  /** A suspect token was asked about: the authorization server's word. */
  | { readonly kind: 'suspect'; readonly outcome: 'cleared' | 'revoked'; readonly issuer: string }
  | {
      readonly kind: 'feed'
      readonly feed: string
      readonly outcome: 'failed' | 'recovered' | 'unmatched'
      readonly detail: string
    }

/** Told of every effect. Must not throw; what it throws becomes a process warning. */
export type OnRevocation = (event: RevocationEvent) => void

/** The name of the diagnostics channel on which effects are published. */
export const REVOCATION_CHANNEL = 'express-resource-server:revocation'

/** @returns `tell(event)` */
export function createRevocationReport(listener: OnRevocation | undefined): OnRevocation {
  const published = channel(REVOCATION_CHANNEL)

  return function tell(event) {
    if (published.hasSubscribers) published.publish(event)
    if (!listener) return
    try {
      listener(event)
    } catch (error) {
      // a revocation counts whether or not somebody could be told of it
      process.emitWarning(error instanceof Error ? error : String(error))
    }
  }
}
