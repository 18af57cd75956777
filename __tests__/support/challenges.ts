/**
 * Reads `WWW-Authenticate` as RFC 9110 §11.6.1 defines it, knowing no scheme in particular: what we write must be
 * understood by a parser that has never heard of us.
 */

export interface Challenge {
  /** In lower case. */
  readonly scheme: string
  /** Names in lower case. A name that comes twice is an error. */
  readonly params: Readonly<Record<string, string>>
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y
const QUOTED = /"((?:[\t \x21\x23-\x5B\x5D-\x7E\x80-\xFF]|\\[\t \x21-\x7E\x80-\xFF])*)"/y
const EQUALS = /[ \t]*=[ \t]*/y
const SPACES = / +/y
const SEPARATOR = /[ \t]*(?:,[ \t]*)*/y
const COMMA = /[ \t]*(?:,[ \t]*)+/y

/** @throws Error if the fields are no list of challenges, or one of them names a parameter twice */
export function parseChallenges(fields: string | readonly string[] | undefined): Challenge[] {
  return [fields ?? []].flat().flatMap(parseField)
}

function parseField(field: string): Challenge[] {
  const reader = createReader(field)
  const challenges: Challenge[] = []
  reader.take(SEPARATOR)
  while (!reader.atEnd()) {
    const scheme = reader.need(TOKEN).toLowerCase()
    challenges.push({ scheme, params: reader.take(SPACES) === undefined ? {} : parseParameters(reader) })
    if (!reader.atEnd()) reader.need(COMMA)
  }
  return challenges
}

type Reader = ReturnType<typeof createReader>

function parseParameters(reader: Reader): Record<string, string> {
  if (reader.take(TOKEN68) !== undefined) return {}
  const params = new Map<string, string>()
  for (;;) {
    const before = reader.position()
    const separated = params.size === 0 || reader.take(COMMA) !== undefined
    const name = separated ? reader.take(TOKEN)?.toLowerCase() : undefined
    if (name === undefined || reader.take(EQUALS) === undefined) {
      // the next challenge begins here, or nothing does
      reader.back(before)
      return Object.fromEntries(params)
    }
    if (params.has(name)) throw new Error(`${name} stands twice in ${reader.field}`)
    params.set(name, reader.takeQuoted() ?? reader.need(TOKEN))
  }
}

function createReader(field: string) {
  let at = 0

  function match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = at
    const found = pattern.exec(field)
    if (!found) return undefined
    at = pattern.lastIndex
    return found
  }

  return {
    field,
    take: (pattern: RegExp) => match(pattern)?.[0],
    takeQuoted: () => match(QUOTED)?.[1]?.replace(/\\(.)/g, '$1'),
    need(pattern: RegExp): string {
      const found = match(pattern)
      if (!found) throw new Error(`no challenge at ${at} in ${JSON.stringify(field)}`)
      return found[0]
    },
    position: () => at,
    back(position: number) {
      at = position
    },
    atEnd: () => at >= field.length,
  }
}

/** The one challenge of a scheme among all that an answer holds. @throws Error unless there is exactly one */
export function challengeOf(fields: string | readonly string[] | undefined, scheme = 'bearer'): Challenge {
  const [challenge, ...others] = parseChallenges(fields).filter((one) => one.scheme === scheme)
  if (challenge && others.length === 0) return challenge
  throw new Error(`${others.length + (challenge ? 1 : 0)} ${scheme} challenges in ${JSON.stringify(fields)}`)
}
