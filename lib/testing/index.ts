/** The kit for users' own tests: an authorization server, and the contracts of what may be brought along. */
export * from './test-issuer.js'
export { createMemoryStore, type MemoryStore } from '../core/io/memory-store.js'
export type { ContractCase } from './contract.js'
export { createMemoryLog } from './memory-log.js'
export { revocationLogContract, type RevocationLogUnderTest } from './revocation-log-contract.js'
export { storeContract, type StoreUnderTest } from './store-contract.js'
