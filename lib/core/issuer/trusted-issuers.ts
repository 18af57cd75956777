/**
 * The authorization servers this API trusts, each with metadata and keys of its own.
 *
 * @see RFC 9068 §4, RFC 8725 §3.8: a key is good for the issuer that publishes it, and for no other
 */
import { UnavailableError } from '../errors.js'
import type { SendRequest } from '../io/http.js'
import type { Store } from '../io/store.js'
import type { RefreshedValue, RefreshedValueHealth } from '../io/refreshed-value.js'
import { createDiscovery, type IssuerMetadata, type MetadataSettings } from './discovery.js'
import type { KeySet } from './key-set.js'
import { createKeyArchive } from './key-archive.js'
import { createFixedKeys, createJwks, type JwksSettings, type KeySource } from './jwks.js'

export interface IssuerSettings {
  /** Compared code point by code point with `iss` and with the metadata's `issuer`. */
  readonly issuer: string
  /** Further values of `iss` under which this server issues with the same keys. */
  readonly aliases: readonly string[]
  readonly metadata: MetadataSettings
  /** `uri`: instead of the discovered one. `keys`: nothing is fetched. */
  readonly jwks: JwksSettings & { readonly uri: string | undefined; readonly keys: KeySet | undefined }
  readonly allowInsecureHttp: boolean
}

export interface TrustedIssuer<S extends IssuerSettings> {
  readonly settings: S
  readonly keys: KeySource
  /** The metadata; rejects with the outage. Fetched only if something needs it. */
  metadata(): IssuerMetadata | Promise<IssuerMetadata>
  metadataHealth(): RefreshedValueHealth
  close(): void
}

/** Who is trusted under which name, and open at this moment. */
export interface IssuerDirectory<T> {
  /**
   * The issuer that goes by this name; undefined if none does. A listed one is found at once.
   * @throws UnavailableError (or rejects with it) if it could not be found out
   */
  find(iss: string): T | undefined | Promise<T | undefined>
  readonly open: readonly T[]
  close(): Promise<void>
}

/** Names are compared exactly: a trailing slash, another case or a default port is another issuer. */
export function createListedIssuers<S extends IssuerSettings, T extends { close(): unknown }>(
  listed: readonly S[],
  openIssuer: (settings: S) => T,
): IssuerDirectory<T> {
  const byName = new Map<string, T>()
  const open = listed.map((settings) => {
    const issuer = openIssuer(settings)
    for (const name of namesOf(settings)) byName.set(name, issuer)
    return issuer
  })
  return {
    find: (iss) => byName.get(iss),
    open,
    async close() {
      await Promise.all(open.map((issuer) => issuer.close()))
    },
  }
}

/** Every value of `iss` that means this issuer. */
export function namesOf({ issuer, aliases }: IssuerSettings): readonly string[] {
  return [issuer, ...aliases]
}

/** @param sealed a store that only these nodes can write; the keys are kept there for worse times */
export function createTrustedIssuer<S extends IssuerSettings>(
  settings: S,
  send: SendRequest,
  sealed?: Store,
): TrustedIssuer<S> {
  const discovery = createDiscovery({ ...settings, send })
  const keys = createKeys(settings, { discovery, send, sealed })
  return {
    settings,
    keys,
    metadata: () => discovery.get(),
    metadataHealth: () => discovery.health(),
    close() {
      discovery.close()
      keys.close()
    },
  }
}

interface KeySurroundings {
  readonly discovery: RefreshedValue<IssuerMetadata>
  readonly send: SendRequest
  readonly sealed: Store | undefined
}

function createKeys(
  { issuer, jwks }: IssuerSettings,
  { discovery, send, sealed }: KeySurroundings,
): KeySource {
  if (jwks.keys) return createFixedKeys(issuer, jwks.keys)
  return createJwks({
    issuer,
    jwks,
    send,
    archive: sealed && createKeyArchive(sealed, { issuer, ...jwks }),
    jwksUri: () => jwks.uri ?? discoverJwksUri(issuer, discovery),
    isUriMissing: isMetadataOutage,
    onFailure: () => discovery.expire(),
  })
}

/** Metadata that is there but names no keys is not being fetched again. */
function isMetadataOutage(error: unknown): boolean {
  if (!(error instanceof UnavailableError)) return false
  const { reason, evidence } = error
  return reason === 'metadata_unavailable' || (reason === 'metadata_unusable' && evidence.name !== 'jwks_uri')
}

async function discoverJwksUri(issuer: string, discovery: RefreshedValue<IssuerMetadata>): Promise<string> {
  const { jwksUri } = await discovery.get()
  if (jwksUri !== undefined) return jwksUri
  throw new UnavailableError('metadata_unusable', { issuer, name: 'jwks_uri', expected: 'an https: address' })
}
