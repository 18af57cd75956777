/** The option `store`: what all nodes of one API share. */
import type { Store } from '../io/store.js'
import type { RevocationLog } from '../revocation/ports.js'
import { ConfigurationError } from '../errors.js'
import { isSection, rule, type Rule } from './rules.js'

/**
 * A memory that all nodes share, such as `redisStore(client)`: for DPoP proofs that were used, statements that
 * were received, and introspection answers. It must not drop entries before their time.
 */
export interface SharedStore extends Store {
  /** Revocations, told to all nodes. Default none: each node knows what it was told itself. */
  readonly log?: RevocationLog
  /**
   * The same memory for what only these nodes may have written: values are sealed with a secret. Default none:
   * the keys of an issuer are not kept then.
   */
  readonly sealed?: Store
  health?(): StoreHealth
}

export interface StoreHealth {
  /** `suspended`: it kept failing, and is left alone for a moment. */
  readonly state: 'working' | 'failing' | 'suspended'
  /** Failures in a row. */
  readonly failures: number
  readonly lastError: string | undefined
}

const METHODS = ['setIfAbsent', 'get', 'set', 'delete'] as const

export const store: Rule = rule('a store', 'redisStore(client)', isStore)

function isStore(value: unknown): boolean {
  return isSection(value) && METHODS.every((name) => typeof value[name] === 'function')
}

/** @throws ConfigurationError if the log may drop what could still touch a living token */
export function assertKeepsLongEnough(log: RevocationLog | undefined, maxTokenLifetimeSeconds: number): void {
  if (log?.retentionSeconds === undefined || log.retentionSeconds >= maxTokenLifetimeSeconds) return
  throw new ConfigurationError(
    'revocation.maxTokenLifetimeSeconds',
    `resourceServer: revocation.maxTokenLifetimeSeconds must be at most the retentionSeconds of the log, ` +
      `${log.retentionSeconds}, received ${maxTokenLifetimeSeconds}. Write redisStore(client, { retentionSeconds: ${maxTokenLifetimeSeconds + 3600} })`,
  )
}
