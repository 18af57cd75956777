/** The public names, nothing else. */
export { resourceServer, type ResourceServer, type ResourceServerHealth } from './express/resource-server.js'
export type { Guard, Requirement } from './express/guard.js'
export { allOf, anyOf, requireAnyScope, requireClaim, requireScopes } from './express/guards.js'
export {
  authorizationDetailsOf,
  requireAuthorizationDetails,
  requireStepUp,
} from './express/authorization-guards.js'
export { requireAll } from './express/require-all.js'
export { auditRoutes, type RouteAudit, type RoutesAudit } from './express/audit-routes.js'
export { protectedResourceMetadata, type ResourceMetadataOptions } from './express/resource-metadata.js'
export { backchannelLogout, type BackchannelLogoutOptions } from './express/backchannel-logout.js'
export {
  pollSecurityEvents,
  securityEvents,
  type PollOptions,
  type SecurityEventsHandler,
  type SecurityEventsOptions,
  type TransmitterOptions,
} from './express/security-events.js'
export { wso2Events, type Wso2EventsOptions } from './express/wso2-events.js'
export type { Answer } from './express/answer.js'
export { requireFresh } from './express/require-fresh.js'
export { requireSenderConstrained } from './express/require-sender-constrained.js'
export type { ExpressRequest, Handler, Next } from './express/request.js'
export type {
  AccessToken,
  Confirmation,
  RevocationKnowledge,
  TokenFormat,
  TokenScheme,
  TokenSource,
} from './core/access-token.js'
export { requireClaims } from './express/claims-guard.js'
export { accessTokenOf, type TypedRequests } from './express/typed-request.js'
export { requireAnyRole, requirePermission, requireRole } from './express/role-guards.js'
export type {
  ClaimsSchema,
  OutputOf,
  StandardSchema,
  StandardSchemaIssue,
  StandardSchemaResult,
} from './core/claims-schema.js'
export type { IssuerHealth } from './core/authenticate.js'
export type {
  AuthorizationDetail,
  AuthorizationDetailPattern,
  MatchesDetail,
} from './core/authorization/authorization-details.js'
export type { AuthenticationRequirement } from './core/authorization/step-up.js'
export type { ImpliedScopes, ScopeExpression } from './core/authorization/scopes.js'
export type { MetadataSigner } from './core/resource-metadata.js'
export type { ClaimExpectation } from './core/authorization/claims.js'
export {
  ConfigurationError,
  InsufficientScopeError,
  InsufficientUserAuthenticationError,
  InvalidRequestError,
  InvalidTokenError,
  MissingTokenError,
  OAuthError,
  UnavailableError,
  type Evidence,
  type OAuthErrorCode,
  type OutageReason,
  type RefusalReason,
} from './core/errors.js'
export {
  OUTAGE_CHANNEL,
  REFUSAL_CHANNEL,
  type OnRefusal,
  type OutageEvent,
  type RefusalEvent,
  type ResourceServerEvent,
} from './core/events.js'
export type { EventMeaning } from './core/revocation/caep.js'
export { StoreError, type Store } from './core/io/store.js'
export { REVOCATION_CHANNEL, type OnRevocation, type RevocationEvent } from './core/revocation/effects.js'
export type { FeedHealth } from './core/revocation/feeds.js'
export type { LogFollower, RevocationLog, SeenOnce } from './core/revocation/ports.js'
export type { RevocationRecord, RevocationTarget, RevocationVerdict } from './core/revocation/record.js'
export type { RevocationHealth } from './core/revocation/revocation.js'
export type {
  ListedRevocation,
  Revocation,
  Revocations,
  RevocationStats,
} from './core/revocation/revocations.js'
export type { FeedControls, RevocationFeed } from './core/revocation/run-feed.js'
export type { ResolveSubject } from './core/revocation/subject-identifiers.js'
export type { ClaimPath, Profile, ProfileName } from './core/issuer/profiles.js'
export type { DpopOptions } from './core/options/dpop-options.js'
export type { IntrospectionOptions, SignedResponseOptions } from './core/options/introspection-options.js'
export type { IssuerOptions, IssuerResolver, SharedIssuerOptions } from './core/options/issuer-options.js'
export type { JwksOptions, MetadataOptions } from './core/options/jwks-options.js'
export type { JwtOptions } from './core/options/jwt-options.js'
export type { CertificateField, MtlsOptions } from './core/options/mtls-options.js'
export type { ProfileOptions } from './core/options/profile-options.js'
export type { ResourceServerOptions } from './core/options/options.js'
export type { SecurityProfile } from './core/options/security-profile.js'
export type { RevocationOptions, StatusListOptions } from './core/options/revocation-options.js'
export type { SharedStore, StoreHealth } from './core/options/store-options.js'
export { InvalidDpopProofError, UseDpopNonceError } from './core/sender-constraint/dpop-errors.js'
export type { FetchTokenRequest, TokenLocation, TokenRequest } from './core/token/extraction.js'
export type { RouteOpaque } from './core/token/opaque.js'
