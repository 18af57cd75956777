/** Holds the claims of good tokens to the schema of this API, once a token. */
import { deepFreeze, type TokenFacts } from '../access-token.js'
import { createClaimsCheck, type ClaimsSchema } from '../claims-schema.js'
import { invalidToken, InvalidTokenError } from '../errors.js'
import type { Introspection, Verdict } from './introspection.js'

/**
 * The same facts with the claims as the schema puts them out.
 * @throws InvalidTokenError `claims_mismatch`, with what is wrong for the operator alone
 */
export type RefineClaims = (facts: TokenFacts) => TokenFacts

export function createClaimsRefinement(schema: ClaimsSchema): RefineClaims {
  const check = createClaimsCheck(schema, 'claims')
  const refined = new WeakMap<TokenFacts, TokenFacts>()

  return function refineClaims(facts) {
    const known = refined.get(facts)
    if (known) return known
    const found = check(facts.claims)
    if ('issues' in found) {
      const reason = facts.format === 'jwt' ? 'claims_mismatch' : 'opaque_claims_mismatch'
      throw invalidToken(reason, { issuer: facts.issuer, name: 'claims', found: found.issues })
    }
    const result = deepFreeze({ ...facts, claims: { ...found.claims, ...asReceived(facts.claims) } })
    refined.set(facts, result)
    return result
  }
}

/** By these a token is found to be revoked: a schema has no say in them. */
const KEPT = ['jti', 'sid', 'status', 'cnf']

function asReceived(claims: TokenFacts['claims']): Record<string, unknown> {
  return Object.fromEntries(
    KEPT.flatMap((name) => (Object.hasOwn(claims, name) ? [[name, claims[name]]] : [])),
  )
}

/** Introspection whose answers are good only if the schema says so too. */
export function withRefinedClaims(introspection: Introspection, refineClaims: RefineClaims): Introspection {
  function refineVerdict(verdict: Verdict): Verdict {
    if (!('facts' in verdict)) return verdict
    const { facts, ...rest } = verdict
    try {
      return { ...rest, facts: refineClaims(facts) }
    } catch (error) {
      if (!(error instanceof InvalidTokenError)) throw error
      return { ...rest, refusal: error }
    }
  }

  return {
    ...introspection,
    recall(digest) {
      const known = introspection.recall(digest)
      return known && refineVerdict(known)
    },
    ask: async (...question) => refineVerdict(await introspection.ask(...question)),
  }
}
