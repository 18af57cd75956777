/** Puts `auth` on Express's own `Request` type, for all of a program; `express-resource-server/unaugmented` does not. */
import type { AccessToken } from '../core/access-token.js'

declare global {
  // the name is Express's own, for exactly this purpose
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace Express {
    interface Request {
      /**
       * The access token of this request, set by `resourceServer()`. Undefined only where
       * `allowAnonymous` let a request without a token pass.
       */
      auth: AccessToken
    }
  }
}
