/** Rules for options: each says what it wants in words, so that a wrong option explains itself. */
import { ConfigurationError, isThenable } from '../errors.js'
import { isLoopback } from '../issuer/discovery.js'

/** What an option must be, and how to write it. */
export interface Rule {
  readonly wants: string
  readonly example: string
  readonly accepts: (value: unknown) => boolean
  /** The value is not shown in the error. */
  readonly secret?: boolean
}

export type Rules = Readonly<Record<string, Rule>>

export function rule(wants: string, example: string, accepts: (value: unknown) => boolean): Rule {
  return { wants, example, accepts }
}

/** A whole number within limits, in the unit that the option's name says. */
export function integer(minimum: number, maximum: number, example: number): Rule {
  const accepts = (value: unknown) =>
    Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum
  return rule(`a whole number from ${minimum} to ${maximum}`, String(example), accepts)
}

export function oneOf(values: readonly unknown[]): Rule {
  const words = values.map((value) => JSON.stringify(value))
  return rule(`one of ${words.join(', ')}`, words[0] ?? '', (value) => values.includes(value))
}

export function listOf(member: Rule): Rule {
  const accepts = (value: unknown) => Array.isArray(value) && value.length > 0 && value.every(member.accepts)
  return rule(`a list with at least one member, each ${member.wants}`, `[${member.example}]`, accepts)
}

export function either(first: Rule, second: Rule): Rule {
  const accepts = (value: unknown) => first.accepts(value) || second.accepts(value)
  return rule(`${first.wants}, or ${second.wants}`, first.example, accepts)
}

/** An address that may be called: https, or http on this machine; http anywhere only by the named option. */
export function address(allowInsecureHttp: boolean): Rule {
  const wants = allowInsecureHttp
    ? 'an http: or https: URL without user and password'
    : 'an https: URL (http: only on the loopback interface) without user and password'
  return rule(wants, `'https://login.example.com/…'`, (value) => isAddress(value, allowInsecureHttp))
}

function isAddress(value: unknown, allowInsecureHttp: boolean): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  const { protocol, hostname, username, password } = new URL(value)
  if (username !== '' || password !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && (allowInsecureHttp || isLoopback(hostname)))
}

export function secret(base: Rule): Rule {
  return { ...base, secret: true }
}

export const text: Rule = rule(
  'a string that is not empty',
  `'…'`,
  (value) => typeof value === 'string' && value !== '',
)
export const flag: Rule = oneOf([true, false])
export const callback: Rule = rule('a function', '(…) => …', (value) => typeof value === 'function')
export const section: Rule = rule('an object', '{ … }', isSection)

export function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Joins objects of options, the later before the earlier. Undefined counts as not given. */
export function joinOptions<T extends object>(...given: readonly (Partial<T> | undefined)[]): Partial<T> {
  const members = given.flatMap((one) => Object.entries(one ?? {}).filter(([, value]) => value !== undefined))
  return Object.fromEntries(members) as Partial<T>
}

/**
 * Checks the members of one object of options. Undefined counts as not given.
 *
 * @param path where the object stands, e.g. `introspection`; empty for the outermost.
 * @throws ConfigurationError for the first member that is unknown or breaks its rule
 */
export function assertOptions(value: unknown, path: string, rules: Rules): void {
  if (!isSection(value)) throw misuse(path, section, value)
  for (const [name, member] of Object.entries(value)) {
    const at = path === '' ? name : `${path}.${name}`
    const known = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (!known) throw unknownOption(at, name, Object.keys(rules))
    if (member !== undefined && !known.accepts(member)) throw misuse(at, known, member)
  }
}

/** @throws ConfigurationError unless the value keeps the rule */
export function assertOption(value: unknown, path: string, expected: Rule): void {
  if (!expected.accepts(value)) throw misuse(path, expected, value)
}

function misuse(
  path: string,
  { wants, example, secret: isSecret }: Rule,
  value: unknown,
): ConfigurationError {
  const received = isSecret ? `${kindOf(value)} (not shown)` : show(value)
  return new ConfigurationError(
    path,
    `resourceServer: ${path || 'options'} must be ${wants}, received ${received}. Write ${path || 'options'}: ${example}`,
  )
}

function unknownOption(path: string, name: string, known: readonly string[]): ConfigurationError {
  const nearest = known
    .map((candidate) => ({
      candidate,
      distance: distanceBetween(name.toLowerCase(), candidate.toLowerCase()),
    }))
    .sort((a, b) => a.distance - b.distance)[0]
  const isNear = nearest !== undefined && nearest.distance <= Math.max(2, Math.floor(name.length / 3))
  const remedy = isNear ? `did you mean ${nearest.candidate}?` : `known are ${known.join(', ')}`
  return new ConfigurationError(path, `resourceServer: ${path} is no option; ${remedy}`)
}

/** Of objects the names only: a secret may stand in any member. Never throws, whatever it is given. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(withoutUserInfo(value).slice(0, 120))
  if (Array.isArray(value)) return `[${value.slice(0, 5).map(showMember).join(', ')}]`
  if (typeof value !== 'object' || value === null) return kindOf(value)
  const names = Object.keys(value).slice(0, 5).join(', ')
  return names === '' || isThenable(value) ? kindOf(value) : `an object with ${names.slice(0, 120)}`
}

function showMember(value: unknown): string {
  return typeof value === 'string' ? show(value) : kindOf(value)
}

function withoutUserInfo(text: string): string {
  return text.replace(/\/\/[^/?#]*@/, '//(not shown)@')
}

function kindOf(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'function') return `a ${typeof value}`
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value)) return 'a list'
  return isThenable(value) ? 'a promise' : 'an object'
}

/** Names here end with their unit; one that was written without it is near. */
function distanceBetween(name: string, candidate: string): number {
  return name.length > 2 && candidate.startsWith(name) ? 0 : editDistance(name, candidate)
}

/** Levenshtein's: how many letters to change, to add or to leave out. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= b.length; column += 1) {
      const change = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(change, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
