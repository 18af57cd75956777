/** The lines of one header field, as many as were received: Node joins some and drops others (RFC 9110 §5.2). */

export interface FieldSource {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Names and values in turn, as received. Absent or empty where the request did not come through Node. */
  readonly rawHeaders?: readonly string[] | undefined
}

/** @param name in lower case */
export function fieldLines({ headers, rawHeaders = [] }: FieldSource, name: string): readonly string[] {
  const lines: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (isNamed(rawHeaders[index] ?? '', name)) lines.push(rawHeaders[index + 1] ?? '')
  }
  if (lines.length > 0) return lines
  return Object.keys(headers)
    .filter((candidate) => isNamed(candidate, name))
    .flatMap((found) => headers[found] ?? [])
}

function isNamed(candidate: string, name: string): boolean {
  return candidate.length === name.length && candidate.toLowerCase() === name
}
