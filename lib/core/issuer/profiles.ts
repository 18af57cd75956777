/**
 * Named dialects of authorization servers: how each writes what RFC 9068 calls `typ`, `aud`, `scope`,
 * `client_id` and `sub`, and what tells its access tokens from its ID tokens.
 *
 * @see RFC 9068 §2 for the strict default; each other entry names the documentation it follows.
 */

export interface Profile {
  /** Accepted JOSE `typ` values, in lower case and without `application/`; `''` stands for an absent one. */
  readonly types: readonly string[]
  /** Claims that must be there. `iss` and `exp` are required whatever stands here. */
  readonly requiredClaims: readonly string[]
  /** The claim that names the audience. */
  readonly audienceClaim: string
  /** Claims that may hold the scopes; the first one present counts. */
  readonly scopeClaims: readonly string[]
  /** Claims that may name the client; the first one present counts. */
  readonly clientIdClaims: readonly string[]
  /** Claims that may name the subject; the first one present counts. */
  readonly subjectClaims: readonly string[]
  /** The claim by which this server marks access tokens. */
  readonly tokenUse?: { readonly claim: string; readonly value: string }
}

export type ProfileName = 'rfc9068' | 'keycloak' | 'auth0' | 'okta' | 'entra' | 'cognito' | 'wso2'

const RFC9068: Profile = {
  types: ['at+jwt'],
  requiredClaims: ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'],
  audienceClaim: 'aud',
  scopeClaims: ['scope'],
  clientIdClaims: ['client_id'],
  subjectClaims: ['sub'],
}

export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  rfc9068: RFC9068,
  // Keycloak writes `typ: JWT` in the header and `typ: Bearer` in the claims (`ID`, `Refresh` for the others).
  keycloak: {
    ...RFC9068,
    types: ['jwt', 'at+jwt'],
    requiredClaims: ['iss', 'exp', 'aud', 'iat', 'jti'],
    clientIdClaims: ['azp', 'client_id'],
    tokenUse: { claim: 'typ', value: 'Bearer' },
  },
  // Auth0's own token profile; its RFC 9068 profile is taken as well. The audience keeps ID tokens out.
  auth0: {
    ...RFC9068,
    types: ['jwt', 'at+jwt'],
    requiredClaims: ['iss', 'exp', 'aud', 'sub', 'iat'],
    clientIdClaims: ['azp', 'client_id'],
  },
  // Okta custom authorization servers: no `typ`, scopes as a list in `scp`, the client in `cid`.
  okta: {
    ...RFC9068,
    types: ['', 'jwt', 'at+jwt', 'okta-internal-at+jwt'],
    requiredClaims: ['iss', 'exp', 'aud', 'sub', 'iat', 'jti', 'cid'],
    scopeClaims: ['scp', 'scope'],
    clientIdClaims: ['cid', 'client_id'],
  },
  // Microsoft Entra ID, v1 and v2 access tokens: `scp` for users, `roles` for applications.
  entra: {
    ...RFC9068,
    types: ['jwt', 'at+jwt'],
    requiredClaims: ['iss', 'exp', 'aud', 'sub', 'iat'],
    scopeClaims: ['scp'],
    clientIdClaims: ['azp', 'appid'],
  },
  // Amazon Cognito: no `aud` in access tokens, so the audience is the client; `token_use` marks them.
  cognito: {
    ...RFC9068,
    types: ['', 'jwt'],
    requiredClaims: ['iss', 'exp', 'sub', 'client_id', 'iat', 'jti'],
    audienceClaim: 'client_id',
    tokenUse: { claim: 'token_use', value: 'access' },
  },
  // WSO2 Identity Server marks self-contained access tokens by `at+jwt` since 5.12 and names the user type in `aut`.
  wso2: {
    ...RFC9068,
    types: ['at+jwt', 'jwt'],
    requiredClaims: ['iss', 'exp', 'aud', 'sub', 'iat', 'jti'],
    clientIdClaims: ['client_id', 'azp'],
  },
}
