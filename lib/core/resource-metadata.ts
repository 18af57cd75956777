/**
 * What this API tells clients about itself: who issues its tokens, which scopes it knows, how tokens are sent.
 *
 * @see RFC 9728 §2 for the members, §3.1 for the address
 */
import { createPrivateKey, KeyObject, type JsonWebKey } from 'node:crypto'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/** The members of the document. One that is undefined or an empty list is left out (RFC 9728 §3.2). */
export type ResourceMetadata = Readonly<Record<string, unknown>> & { readonly resource: string }

/** A key of this API's own, as a JWK with `alg`, and who signs: the `iss` of the statement. */
export interface MetadataSigner {
  readonly key: JsonWebKey | KeyObject
  /** Such as `ES256`. Default: the `alg` of the JWK. */
  readonly algorithm?: string
  /** Default: `resource`. */
  readonly issuer?: string
}

/**
 * Where the document of a resource is: the well-known part is inserted between host and path, a slash that
 * ends the path is left out, a query stays (RFC 9728 §3.1).
 */
export function resourceMetadataUrl(resource: string): string {
  const { origin, pathname, search } = new URL(resource)
  return `${origin}${WELL_KNOWN}${pathname.replace(/\/$/, '')}${search}`
}

/** An empty list says nothing, but for one: no way to send a Bearer token at all. */
export function withoutEmpty(members: ResourceMetadata): ResourceMetadata {
  const kept = Object.entries(members).filter(
    ([name, value]) =>
      value !== undefined &&
      (name === 'bearer_methods_supported' || !(Array.isArray(value) && value.length === 0)),
  )
  return Object.fromEntries(kept) as ResourceMetadata
}

/** @throws TypeError if the key is no private key or names no algorithm */
export function createMetadataSignature(
  signer: MetadataSigner,
): (members: ResourceMetadata) => Promise<string> {
  const { key } = signer
  const jwk = key instanceof KeyObject ? undefined : key
  const privateKey = key instanceof KeyObject ? key : createPrivateKey({ key, format: 'jwk' })
  const alg = signer.algorithm ?? jwk?.['alg']
  if (privateKey.type !== 'private' || typeof alg !== 'string' || alg.startsWith('HS') || alg === 'none') {
    throw new TypeError('signed metadata needs a private key and its asymmetric algorithm')
  }
  const kid = jwk?.['kid']
  const header = typeof kid === 'string' ? { alg, kid } : { alg }

  return async function sign(members) {
    // imported when first needed: it takes longer than all of ours
    const { SignJWT } = await import('jose')
    return new SignJWT({ ...members, iss: signer.issuer ?? members.resource })
      .setProtectedHeader(header)
      .setIssuedAt()
      .sign(privateKey)
  }
}
