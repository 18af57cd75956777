/** Several guards in one handler, whose refusal is one challenge that names everything missing. */
import {
  ConfigurationError,
  InsufficientScopeError,
  InsufficientUserAuthenticationError,
  OAuthError,
  refuse,
} from '../core/errors.js'
import { createGuard, GUARD, isGuard, type Guard, type GuardedRequest } from './guard.js'
import { isAccepted } from './request.js'

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
    const answers = guards.map((guard) => ask(guard, guarded))
    if (answers.some((answer) => answer instanceof Promise)) return validateRenewed(guards, guarded, answers)
    throwJoined(answers.filter((answer) => answer instanceof OAuthError))
  })
}

type Answer = OAuthError | undefined

/** The refusal, if there is one. An outage or a fault is a rejection, so that no other guard goes unwatched. */
function ask(guard: Guard, guarded: GuardedRequest): Answer | Promise<Answer> {
  try {
    const outcome = guard[GUARD].validate(guarded)
    return outcome instanceof Promise ? outcome.then(() => undefined, toRefusal) : undefined
  } catch (error) {
    if (error instanceof OAuthError) return error
    return Promise.reject(error)
  }
}

function toRefusal(error: unknown): OAuthError {
  if (error instanceof OAuthError) return error
  throw error
}

/** Where a guard has put a newer token on the request, those that answered at once have judged the older one. */
async function validateRenewed(
  guards: readonly Guard[],
  guarded: GuardedRequest,
  answers: readonly (Answer | Promise<Answer>)[],
): Promise<void> {
  const settled = await all(answers)
  const { request, accessToken: former } = guarded
  const accessToken = isAccepted(request) ? request.auth : former
  const judgeAgain = (guard: Guard, index: number) =>
    answers[index] instanceof Promise ? settled[index] : ask(guard, { ...guarded, accessToken })
  const final = accessToken === former ? settled : await all(guards.map(judgeAgain))
  throwJoined(final.filter((answer) => answer !== undefined))
}

function all(answers: readonly (Answer | Promise<Answer>)[]): Promise<Answer[]> {
  return Promise.all(answers.map((answer) => Promise.resolve(answer)))
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
