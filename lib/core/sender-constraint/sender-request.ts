/** What is read of a request to learn who sends it. Node's `IncomingMessage` and Express's `Request` fit. */
import type { FieldSource } from '../io/field-lines.js'

export interface SenderRequest extends FieldSource {
  readonly method?: string | undefined
  readonly url?: string | undefined
  /** The address before routers took their part away, as Express keeps it. */
  readonly originalUrl?: string | undefined
  /** The connection: a TLS socket knows the client's certificate. */
  readonly socket?: unknown
}
