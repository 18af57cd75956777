/** Several guards in one handler, whose refusal is one challenge that names everything missing. */
import {
  ConfigurationError,
  InsufficientScopeError,
  InsufficientUserAuthenticationError,
  OAuthError,
  refuse,
} from '../core/errors.js'
import { createGuard, GUARD, isGuard, type Guard, type GuardedRequest } from './guard.js'

/**
 * Lets requests pass that all of these guards let pass. Guards on a route one after another refuse one after
 * another; here all are asked, and one challenge tells what all of them need: the scopes of every guard, and
 * how the user must authenticate. 401 comes before 403.
 *
 * @throws ConfigurationError while building, if there is none or one is no guard of this package
 * @see RFC 9470 §3 for scopes and authentication in one challenge
 * @example app.post('/transfers', requireAll(requireScopes('transfer'), requireStepUp({ maxAgeSeconds: 300 })), transfer)
 */
export function requireAll(...guards: Guard[]): Guard {
  if (guards.length === 0 || !guards.every(isGuard)) {
    throw new ConfigurationError(
      'requireAll',
      `requireAll: needs guards made by this package. Write requireAll(requireScopes('a'), requireStepUp({ … }))`,
    )
  }
  const requirements = guards.flatMap((guard) => guard[GUARD].requirements)

  return createGuard(requirements, function validateAll(guarded) {
    const refusals: OAuthError[] = []
    const pending = guards.flatMap((guard) => ask(guard, guarded, refusals) ?? [])
    if (pending.length > 0) return Promise.all(pending).then(() => throwJoined(refusals))
    throwJoined(refusals)
  })
}

/** Refusals are collected; an outage or a fault of a guard is thrown at once. */
function ask(guard: Guard, guarded: GuardedRequest, refusals: OAuthError[]): Promise<void> | undefined {
  const collect = (error: unknown) => {
    if (!(error instanceof OAuthError)) throw error
    refusals.push(error)
  }
  try {
    const outcome = guard[GUARD].validate(guarded)
    return outcome instanceof Promise ? outcome.catch(collect) : undefined
  } catch (error) {
    collect(error)
    return undefined
  }
}

function throwJoined(refusals: readonly OAuthError[]): void {
  const [first] = [...refusals].sort((a, b) => a.status - b.status)
  if (!first) return
  if (refusals.length === 1) throw first
  const scope = [...new Set(refusals.flatMap((refusal) => refusal.scope))]
  if (first instanceof InsufficientUserAuthenticationError) {
    const parameters = Object.assign({}, ...refusals.map((refusal) => refusal.parameters)) as Record<
      string,
      string
    >
    throw refuse(() => new InsufficientUserAuthenticationError(first.evidence, parameters, scope))
  }
  if (!(first instanceof InsufficientScopeError)) throw first
  throw refuse(() => new InsufficientScopeError(first.reason, first.evidence, scope))
}
