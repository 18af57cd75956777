/** The body of a request to a handler that needs it, whether or not a parser of the app has read it. */
import type { ExpressRequest } from './request.js'

/** The body cannot be read as it was sent. */
export class BodyError extends Error {
  override readonly name = 'BodyError'
  readonly status: 400 | 413

  constructor(status: 400 | 413, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * The body's bytes.
 * @returns undefined if a parser has read it already and has kept only what it made of it
 * @throws BodyError if it is longer than `maxBytes`, or ends too soon
 */
export async function readRawBody(request: ExpressRequest, maxBytes: number): Promise<Buffer | undefined> {
  const { body } = request
  if (Buffer.isBuffer(body)) return body
  if (typeof body === 'string') return Buffer.from(body)
  if (request.readableEnded) return undefined
  const chunks: Buffer[] = []
  let size = 0
  try {
    // left undestroyed when it is too long, so that the answer can still be sent
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxBytes) break
      chunks.push(chunk)
    }
  } catch (cause) {
    // the connection broke: there is nobody to answer, but somebody waits for this promise
    throw new BodyError(
      400,
      `the body ended too soon (${cause instanceof Error ? cause.message : 'unknown'})`,
    )
  }
  if (size > maxBytes) throw new BodyError(413, 'the body is too long')
  return Buffer.concat(chunks)
}

/** A parameter of a form, wherever the form is by now. Undefined unless it is there once. */
export function formParameter(
  request: ExpressRequest,
  raw: Buffer | undefined,
  name: string,
): string | undefined {
  const { body } = request
  const values = raw
    ? new URLSearchParams(raw.toString('utf8')).getAll(name)
    : [parsedMember(body, name)].flat()
  return values.length === 1 && typeof values[0] === 'string' ? values[0] : undefined
}

function parsedMember(body: unknown, name: string): unknown {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, name)) return undefined
  return (body as Record<string, unknown>)[name]
}

/** Whether the request says that its body is of this type. */
export function hasContentType({ headers }: ExpressRequest, type: string): boolean {
  return (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() === type
}
