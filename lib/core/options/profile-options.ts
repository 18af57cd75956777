/** The option `profile`: a named dialect, or an object that differs from one. */
import { PROFILES, type Profile, type ProfileName } from '../issuer/profiles.js'
import {
  assertOption,
  assertOptions,
  either,
  joinOptions,
  listOf,
  oneOf,
  rule,
  section,
  text,
  type Rules,
} from './rules.js'

/**
 * A dialect of one's own: what is not written is as in the named one. Danger: each `types`, `requiredClaims`,
 * `accessTokenClaims` or `idTokenClaims` that is looser than the server needs may let its ID or refresh
 * tokens pass.
 */
export interface ProfileOptions extends Partial<Profile> {
  /** Default `'rfc9068'`. */
  readonly extends?: ProfileName
}

const profileName = oneOf(Object.keys(PROFILES))
const anyText = rule('a string', `''`, (value) => typeof value === 'string')
const names = rule('a list of claim names', `['iss', 'exp']`, isListOf(text.accepts))
const paths = rule(
  'a list of claim names or of lists of names',
  `['roles', ['realm_access', 'roles']]`,
  isListOf((value) => text.accepts(value) || listOf(text).accepts(value)),
)
const mark = either(text, listOf(text))

export const PROFILE_RULE = either(profileName, section)

const PROFILE_RULES: Rules = {
  extends: profileName,
  types: listOf(anyText),
  requiredClaims: names,
  audienceClaim: text,
  scopeClaims: listOf(text),
  clientIdClaims: listOf(text),
  subjectClaims: listOf(text),
  tokenUse: section,
  accessTokenClaims: names,
  idTokenClaims: names,
  roleClaims: paths,
  permissionClaims: paths,
  introspectionTokenTypes: names,
}

/** @throws ConfigurationError */
export function resolveProfile(given: ProfileName | ProfileOptions, path: string): Profile {
  if (typeof given === 'string') return PROFILES[given]
  assertOptions(given, path, PROFILE_RULES)
  if (given.tokenUse) assertTokenUse(given.tokenUse, `${path}.tokenUse`)
  const { extends: base = 'rfc9068', ...own } = given
  const profile: Profile = { ...PROFILES[base], ...joinOptions<Profile>(own) }
  return {
    ...profile,
    types: profile.types.map((type) => type.toLowerCase().replace(/^application\//, '')),
    ...(profile.introspectionTokenTypes && {
      introspectionTokenTypes: profile.introspectionTokenTypes.map((type) => type.toLowerCase()),
    }),
  }
}

/** Half of it would be a check that always says yes. */
function assertTokenUse(given: NonNullable<Profile['tokenUse']>, path: string): void {
  assertOptions(given, path, { claim: text, value: mark })
  assertOption(given.claim, `${path}.claim`, text)
  assertOption(given.value, `${path}.value`, mark)
}

function isListOf(accepts: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => Array.isArray(value) && value.every(accepts)
}
