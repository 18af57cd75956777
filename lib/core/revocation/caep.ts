/**
 * What each kind of security event means for tokens that were issued before it.
 *
 * @see OpenID CAEP 1.0 §3
 * @see OpenID RISC Profile 1.0 §2
 */
import type { RevocationVerdict } from './record.js'

/** `ignore`: it says nothing about tokens. */
export type EventMeaning = RevocationVerdict | 'ignore'

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/'
const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/'

export const VERIFICATION = `${SSF}verification`
export const STREAM_UPDATED = `${SSF}stream-updated`

/** An event after which tokens may carry what is no longer true makes them suspect: nothing widens rights. */
const MEANINGS: Readonly<Record<string, EventMeaning>> = {
  [`${CAEP}session-revoked`]: 'revoked',
  [`${CAEP}credential-change`]: 'suspect',
  [`${CAEP}token-claims-change`]: 'suspect',
  [`${CAEP}assurance-level-change`]: 'suspect',
  [`${CAEP}device-compliance-change`]: 'suspect',
  [`${CAEP}risk-level-change`]: 'suspect',
  [`${CAEP}session-established`]: 'ignore',
  [`${CAEP}session-presented`]: 'ignore',
  [`${RISC}account-disabled`]: 'revoked',
  [`${RISC}account-purged`]: 'revoked',
  [`${RISC}sessions-revoked`]: 'revoked',
  [`${RISC}account-credential-change-required`]: 'suspect',
  [`${RISC}credential-compromise`]: 'suspect',
  [`${RISC}identifier-changed`]: 'suspect',
  [`${RISC}identifier-recycled`]: 'suspect',
  [`${RISC}recovery-activated`]: 'suspect',
  [`${RISC}recovery-information-changed`]: 'suspect',
  [`${RISC}account-enabled`]: 'ignore',
  [`${RISC}opt-in`]: 'ignore',
  [`${RISC}opt-out-initiated`]: 'ignore',
  [`${RISC}opt-out-cancelled`]: 'ignore',
  [`${RISC}opt-out-effective`]: 'ignore',
}

/** @returns undefined for an event that nobody here has heard of */
export function meaningOf(
  type: string,
  own: Readonly<Record<string, EventMeaning>>,
): EventMeaning | undefined {
  if (Object.hasOwn(own, type)) return own[type]
  return Object.hasOwn(MEANINGS, type) ? MEANINGS[type] : undefined
}

/** The short name, for people. */
export function nameOf(type: string): string {
  return type.slice(type.lastIndexOf('/') + 1).slice(0, 100)
}

/**
 * Seconds since the epoch at which it happened: `event_timestamp`, or else the `iat` of its token. Drafts
 * counted in milliseconds; no second of this age has that many digits.
 */
export function happenedAt(payload: Readonly<Record<string, unknown>>, iat: number): number {
  const stated = payload['event_timestamp']
  if (typeof stated !== 'number' || !Number.isFinite(stated) || stated < 0) return iat
  return stated > 1e11 ? stated / 1000 : stated
}
