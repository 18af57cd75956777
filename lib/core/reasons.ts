/**
 * Why a request was not accepted: the reasons that operators see, and the sentences that clients are told.
 *
 * @see RFC 6750 §3 for what a sentence may hold
 */

/** Why a client's request was refused. A reason never changes its meaning; new ones may be added. */
export type RefusalReason = keyof typeof DESCRIPTIONS

/** Why a request could not be decided. None of them says anything about the token. */
export type OutageReason =
  | 'metadata_unavailable'
  | 'metadata_unusable'
  | 'keys_unavailable'
  | 'key_not_checked'
  | 'introspection_unavailable'
  | 'introspection_answer_unusable'
  | 'introspection_credentials_refused'
  | 'introspection_credentials_unavailable'
  | 'introspection_endpoint_unknown'
  | 'introspection_suspended'
  | 'introspection_overloaded'
  | 'revocation_not_checked'
  | 'revocation_stale'
  | 'revocation_log_unavailable'
  | 'status_list_unavailable'
  | 'issuer_unresolved'
  | 'issuer_unusable'
  | 'replay_memory_full'
  | 'replay_memory_unavailable'
  | 'closed'

/** One answer for every opaque token that is not good, so that it tells nothing (RFC 7662 §4). */
const NOT_ACTIVE = 'The access token is unknown, expired, revoked or not meant for this API'

/** The sentence a client is told, by reason. Fixed: nothing of the request goes into them. */
export const DESCRIPTIONS = {
  missing_token: 'An access token is required',
  malformed_credentials: 'The credentials must be Bearer or DPoP, one space and one access token',
  multiple_authorization_fields: 'There must be only one Authorization header field',
  multiple_tokens: 'The access token must be sent once and in one way only',
  token_too_long: 'The access token is longer than this API accepts',
  malformed_token: 'The access token is malformed',
  token_type_mismatch: 'The token is not an access token of the accepted type',
  algorithm_not_allowed: 'The signature algorithm of the access token is not accepted',
  critical_header_unsupported: 'The access token demands an extension that is not supported',
  untrusted_issuer: 'The issuer of the access token is not trusted by this API',
  missing_claim: 'The access token lacks a required claim',
  malformed_claim: 'A claim of the access token is malformed',
  expired: 'The access token is expired',
  not_yet_valid: 'The access token is not valid yet',
  issued_in_future: 'The access token was issued in the future',
  too_old: 'The access token is older than this API accepts',
  revoked: 'The access token is revoked',
  status_not_valid: 'The access token is revoked or suspended',
  audience_mismatch: 'The access token is meant for another audience',
  unknown_key: 'The key that signed the access token is not published by its issuer',
  invalid_signature: 'The signature of the access token is not valid',
  encrypted_token: 'Encrypted access tokens are not accepted by this API',
  not_encrypted: 'This API accepts encrypted access tokens only',
  decryption_failed: 'The access token could not be decrypted',
  opaque_not_accepted: 'Opaque access tokens are not accepted by this API',
  jwt_not_accepted: 'Self-contained access tokens are not accepted by this API',
  claims_mismatch: 'The claims of the access token are not those that this API needs',
  inactive: NOT_ACTIVE,
  audience_missing: NOT_ACTIVE,
  issuer_mismatch: NOT_ACTIVE,
  opaque_expired: NOT_ACTIVE,
  opaque_revoked: NOT_ACTIVE,
  opaque_not_yet_valid: NOT_ACTIVE,
  opaque_audience_mismatch: NOT_ACTIVE,
  opaque_token_type_mismatch: NOT_ACTIVE,
  opaque_malformed_member: NOT_ACTIVE,
  opaque_claims_mismatch: NOT_ACTIVE,
  sender_constraint_unsupported:
    'The access token is bound to its sender in a way that this API cannot check',
  sender_constraint_missing: 'This API accepts only access tokens that are bound to their sender',
  dpop_required: 'The access token must be bound to a key and sent with the DPoP scheme',
  dpop_not_bound: 'An access token that is bound to no key must not be sent with the DPoP scheme',
  dpop_key_mismatch: 'The access token is bound to another key',
  dpop_proof_missing: 'There must be a DPoP proof',
  dpop_proof_multiple: 'There must be only one DPoP header field',
  dpop_proof_malformed: 'The DPoP proof is malformed',
  dpop_type_mismatch: 'The DPoP proof is not of the type dpop+jwt',
  dpop_algorithm_not_allowed: 'The signature algorithm of the DPoP proof is not accepted',
  dpop_key_not_allowed: 'The key in the DPoP proof is not a public key of an accepted kind',
  dpop_method_mismatch: 'The DPoP proof is for another method',
  dpop_uri_mismatch: 'The DPoP proof is for another URI',
  dpop_proof_expired: 'The DPoP proof is too old',
  dpop_proof_in_future: 'The DPoP proof was made in the future',
  dpop_token_mismatch: 'The DPoP proof is for another access token',
  dpop_signature_invalid: 'The signature of the DPoP proof is not valid',
  dpop_proof_replayed: 'The DPoP proof has been used before',
  dpop_nonce_missing: 'This API requires a nonce in the DPoP proof',
  dpop_nonce_invalid: 'This API requires a recent nonce in the DPoP proof',
  certificate_missing: 'The access token is bound to a client certificate, and there is none',
  certificate_mismatch: 'The access token is bound to another client certificate',
  certificate_malformed: 'The client certificate cannot be read',
  certificate_untrusted: 'A client certificate is accepted only from a known proxy',
  insufficient_scope: 'The access token lacks a scope that this request needs',
  claim_mismatch: 'The access token does not permit this request',
  authorization_details_mismatch: 'The access token does not permit this request',
  insufficient_user_authentication: 'The request needs another or a more recent authentication of the user',
  insufficient_role: 'The access token does not permit this request',
  insufficient_permission: 'The access token does not permit this request',
} as const satisfies Record<string, string>
