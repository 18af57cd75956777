/**
 * Named dialects of authorization servers: how each writes what RFC 9068 calls `typ`, `aud`, `scope`,
 * `client_id` and `sub`, and what tells its access tokens from its ID tokens.
 */
import type { Profile } from './profile.js'
import { AUTH0 } from './profiles/auth0.js'
import { AUTHENTIK } from './profiles/authentik.js'
import { COGNITO } from './profiles/cognito.js'
import { DUENDE } from './profiles/duende.js'
import { ENTRA } from './profiles/entra.js'
import { KEYCLOAK } from './profiles/keycloak.js'
import { OKTA } from './profiles/okta.js'
import { ORY_HYDRA } from './profiles/ory-hydra.js'
import { RFC9068 } from './profiles/rfc9068.js'
import { WSO2 } from './profiles/wso2.js'

export { EACH_AUDIENCE, type ClaimPath, type Profile } from './profile.js'

export type ProfileName =
  | 'rfc9068'
  | 'keycloak'
  | 'auth0'
  | 'okta'
  | 'entra'
  | 'cognito'
  | 'wso2'
  | 'ory-hydra'
  | 'duende'
  | 'authentik'

export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  rfc9068: RFC9068,
  keycloak: KEYCLOAK,
  auth0: AUTH0,
  okta: OKTA,
  entra: ENTRA,
  cognito: COGNITO,
  wso2: WSO2,
  'ory-hydra': ORY_HYDRA,
  duende: DUENDE,
  authentik: AUTHENTIK,
}

/** Issuer identifiers by which a server gives itself away, for hints to people only. */
const GIVEAWAYS: readonly (readonly [RegExp, ProfileName])[] = [
  [/\/realms\/[^/]+$/, 'keycloak'],
  [/^https:\/\/[^/]+\.auth0\.com\//, 'auth0'],
  [/^https:\/\/[^/]+\.(?:okta|oktapreview|okta-emea)\.com(?:\/|$)/, 'okta'],
  [/^https:\/\/(?:login\.microsoftonline\.|sts\.windows\.net|[^/]+\.ciamlogin\.com)/, 'entra'],
  [/^https:\/\/cognito-idp\./, 'cognito'],
  [/\/oauth2\/token$/, 'wso2'],
  [/^https:\/\/[^/]+\.oryapis\.com(?:\/|$)/, 'ory-hydra'],
  [/\/application\/o\/[^/]+\/$/, 'authentik'],
]

/** The dialect that an issuer of this name most likely speaks. Never decides anything. */
export function guessProfile(issuer: string): ProfileName | undefined {
  return GIVEAWAYS.find(([pattern]) => pattern.test(issuer))?.[1]
}
