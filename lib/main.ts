/** What the package's name stands for: the public names, and `req.auth` on Express's request. */
import './express/augmentation.js'

export * from './index.js'
