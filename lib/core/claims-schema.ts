/**
 * Claims held to a schema of the user's: any that speaks the Standard Schema interface (zod, valibot, arktype).
 *
 * @see Standard Schema, version 1 (standardschema.dev): the interface alone, no library
 */
import { ConfigurationError } from './errors.js'

/** What a schema library offers to others. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (
      value: unknown,
    ) => StandardSchemaResult<Output> | PromiseLike<StandardSchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type StandardSchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardSchemaIssue[] }

export interface StandardSchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** A schema of claims: it puts out an object. */
export type ClaimsSchema = StandardSchema<unknown, object>

/** The type of what a schema puts out. */
export type OutputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output']

type Claims = Readonly<Record<string, unknown>>

/** The claims as the schema puts them out, or what is wrong with them, each with its path. */
export type ClaimsCheck = { readonly claims: Claims } | { readonly issues: readonly string[] }

const MAX_ISSUES = 10
const MAX_ISSUE_LENGTH = 200

/**
 * @param name of the option or guard, for errors
 * @returns `check(claims)`: what is found of one object of claims is remembered as long as that object lives, so
 * that a token is checked once. What the schema does not speak of stays as it was received.
 * @throws ConfigurationError if the schema is asynchronous or puts out anything but a plain object
 */
export function createClaimsCheck(schema: ClaimsSchema, name: string): (claims: Claims) => ClaimsCheck {
  const checked = new WeakMap<Claims, ClaimsCheck>()

  return function check(claims) {
    const known = checked.get(claims)
    if (known) return known
    const found = validate(schema, claims, name)
    checked.set(claims, found)
    return found
  }
}

export function isStandardSchema(value: unknown): value is StandardSchema {
  const standard = membersOf(membersOf(value)['~standard'])
  return standard['version'] === 1 && typeof standard['validate'] === 'function'
}

/** Some libraries make their schemas functions. */
function membersOf(value: unknown): Claims {
  const hasMembers = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return hasMembers ? (value as Claims) : {}
}

function validate(schema: ClaimsSchema, claims: Claims, name: string): ClaimsCheck {
  const result = schema['~standard'].validate(claims)
  if ('then' in result) throw asynchronous(result, name)
  if (result.issues) return { issues: result.issues.slice(0, MAX_ISSUES).map(describe) }
  if (!isPlainObject(result.value)) {
    throw new ConfigurationError(
      name,
      `${name}: the schema must put out a plain object. Write z.object({ … })`,
    )
  }
  return { claims: { ...claims, ...result.value } }
}

/** It may wait for anything, and its own failure is nobody's then. */
function asynchronous(result: PromiseLike<unknown>, name: string): ConfigurationError {
  result.then(undefined, () => undefined)
  return new ConfigurationError(
    name,
    `${name}: the schema is asynchronous, or failed while it was asked. Write one that decides at once`,
  )
}

function describe({ message, path = [] }: StandardSchemaIssue): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part))
  return `${keys.join('.') || '(claims)'}: ${message}`.slice(0, MAX_ISSUE_LENGTH)
}

function isPlainObject(value: unknown): value is Claims {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
