import { create } from './node-crypto.mjs'
export default (config) => create(config, { batch: true })
