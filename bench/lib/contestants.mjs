/** Who takes part in what. A name is a file under `contestants/`. */
import { list, options } from './options.mjs'

/** The ground that everything stands on. `aa-express` is the reference against itself: the noise. */
export const LIMITS = ['bare-http', 'aa-express', 'noop']
/** Peers as their own documentation shows them. */
export const PEERS = [
  'jose',
  'express-oauth2-jwt-bearer',
  'express-jwt',
  'passport-jwt',
  'aws-jwt-verify',
  'okta-jwt-verifier',
  'fast-jwt',
  'fast-jwt-cached',
  'mcp-sdk-jose',
]
/** What verification by hand with node:crypto costs: one by one, and all of a turn of the event loop in a row. */
export const BY_HAND = ['node-crypto', 'node-crypto-batch']
export const PEERS_OPAQUE = [
  'opaque/naive-fetch',
  'opaque/naive-undici',
  'opaque/naive-http',
  'opaque/oauth4webapi',
  'opaque/passport-http-bearer',
  'opaque/token-introspection',
]
export const OURS = 'ours'
export const OURS_OPAQUE = 'opaque/ours'

const WITHOUT_ES256 = ['okta-jwt-verifier']
const WITHOUT_EDDSA = ['okta-jwt-verifier', 'express-jwt', 'passport-jwt']
const WITHOUT_PS256 = ['okta-jwt-verifier', 'aws-jwt-verify']
const WITHOUT = { RS256: [], ES256: WITHOUT_ES256, EdDSA: WITHOUT_EDDSA, PS256: WITHOUT_PS256 }

export const supports = (name, alg) => !WITHOUT[alg].includes(name)

/** `--only=a,b` takes part of them, `--add=FILE` one more. */
export function contestants(names) {
  return [...list('only', names).filter((name) => name !== 'bare-express'), ...list('add', [])]
}

/** Like `contestants`, for a command that measures opaque tokens beside JWTs: `--only` narrows both. */
export function contestantsOf(names) {
  if (options.only === undefined) return [...names, ...list('add', [])]
  return [...list('only', names).filter((name) => names.includes(name)), ...list('add', [])]
}
