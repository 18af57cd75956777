/**
 * Whom a security event speaks of, as far as tokens can be told by it.
 *
 * @see RFC 9493 §3.2 for the formats
 * @see OpenID Shared Signals Framework 1.0 §3.2 for complex subjects
 */
import { memberOf, type JsonObject } from '../issuer/jwt-format.js'
import { isObject } from './claims.js'
import type { RevocationTarget } from './record.js'

/** Tokens that an event means. `isExact` is false where it means fewer than match. */
export interface SubjectMatch {
  readonly issuer: string
  readonly targets: readonly { readonly target: RevocationTarget; readonly isExact: boolean }[]
}

/** Finds the `sub` of somebody known otherwise, such as by an email address. */
export type ResolveSubject = (subject: JsonObject) => string | undefined | Promise<string | undefined>

export interface SubjectContext {
  /** The configured issuers whose tokens these events may touch; the first where they name none. */
  readonly tokenIssuers: readonly string[]
  readonly findIssuer: (name: string) => string | undefined
  readonly resolveSubject: ResolveSubject | undefined
  /** Members of complex subjects without which an event must not be acted upon. */
  readonly criticalMembers: readonly string[]
}

/** Members of complex subjects by which tokens can be told apart here. */
const MATCHED_MEMBERS = ['user', 'session', 'application']
const NARROWING_MEMBERS = ['device', 'tenant', 'org_unit', 'group']

/** @returns undefined if the event means no tokens that could be told here */
export async function matchSubject(
  subject: unknown,
  context: SubjectContext,
): Promise<SubjectMatch | undefined> {
  if (!isObject(subject)) return undefined
  const format = memberOf(subject, 'format')
  if (format === 'complex' || format === undefined) return matchComplex(subject, context)
  if (format !== 'aliases') return matchSimple(subject, context)
  const identifiers = memberOf(subject, 'identifiers')
  const matches = await Promise.all(
    (Array.isArray(identifiers) ? identifiers.slice(0, 20) : []).map((alias) => matchAlias(alias, context)),
  )
  const found = matches.filter((match) => match !== undefined)
  const issuer = found[0]?.issuer
  if (issuer === undefined) return undefined
  return {
    issuer,
    targets: found.filter((match) => match.issuer === issuer).flatMap(({ targets }) => targets),
  }
}

/** §3.2.8: aliases do not nest. */
async function matchAlias(alias: unknown, context: SubjectContext): Promise<SubjectMatch | undefined> {
  return isObject(alias) && memberOf(alias, 'format') !== 'aliases' ? matchSimple(alias, context) : undefined
}

async function matchSimple(subject: JsonObject, context: SubjectContext): Promise<SubjectMatch | undefined> {
  const text = (name: string) => textMember(subject, name)
  const issuer = context.tokenIssuers[0]
  switch (memberOf(subject, 'format')) {
    case 'iss_sub':
      return exactly(
        issuerOf(text('iss'), context),
        text('sub') && { kind: 'subject', subject: text('sub') ?? '' },
      )
    case 'jwt_id':
      return exactly(issuerOf(text('iss'), context), text('jti') && { kind: 'token', jti: text('jti') ?? '' })
    case 'opaque':
      return exactly(issuer, text('id') && { kind: 'subject', subject: text('id') ?? '' })
    case 'email':
      return matchByClaim('email', subject, context)
    case 'phone_number':
      return matchByClaim('phone_number', subject, context)
    default:
      // account, uri, did and what is yet to come: only the user knows whose they are
      return matchResolved(subject, context)
  }
}

function exactly(
  issuer: string | undefined,
  target: RevocationTarget | '' | undefined,
): SubjectMatch | undefined {
  return issuer !== undefined && target ? { issuer, targets: [{ target, isExact: true }] } : undefined
}

async function matchByClaim(
  name: 'email' | 'phone_number',
  subject: JsonObject,
  context: SubjectContext,
): Promise<SubjectMatch | undefined> {
  const resolved = await matchResolved(subject, context)
  const value = textMember(subject, name)
  if (resolved || value === undefined) return resolved
  return exactly(context.tokenIssuers[0], { kind: 'claim', name, value })
}

async function matchResolved(
  subject: JsonObject,
  context: SubjectContext,
): Promise<SubjectMatch | undefined> {
  const sub = await context.resolveSubject?.(subject)
  if (typeof sub !== 'string' || sub === '') return undefined
  return exactly(context.tokenIssuers[0], { kind: 'subject', subject: sub })
}

/** All members must hold together; members by which tokens cannot be told make the match a wider one. */
async function matchComplex(subject: JsonObject, context: SubjectContext): Promise<SubjectMatch | undefined> {
  const unknown = context.criticalMembers.filter((name) => !MATCHED_MEMBERS.includes(name))
  if (unknown.some((name) => Object.hasOwn(subject, name))) return undefined
  const isNarrowed = NARROWING_MEMBERS.some((name) => Object.hasOwn(subject, name))
  const user = Object.hasOwn(subject, 'user') ? await matchSubject(subject['user'], context) : undefined
  if (Object.hasOwn(subject, 'user') && !user) return undefined
  const sessionId = idOf(subject['session'])
  const clientId = idOf(subject['application'])
  const issuer = user?.issuer ?? context.tokenIssuers[0]
  if (issuer === undefined) return undefined
  const targets = combine(user, sessionId, clientId)
  if (targets.length === 0) return undefined
  return { issuer, targets: targets.map((one) => ({ ...one, isExact: one.isExact && !isNarrowed })) }
}

function combine(
  user: SubjectMatch | undefined,
  sessionId: string | undefined,
  clientId: string | undefined,
): SubjectMatch['targets'] {
  if (sessionId !== undefined) {
    const session = { target: { kind: 'session', sessionId }, isExact: clientId === undefined } as const
    return [session, ...(user?.targets ?? []).flatMap(({ target }) => sessionless(target))]
  }
  if (!user) return clientId === undefined ? [] : [{ target: { kind: 'client', clientId }, isExact: true }]
  if (clientId === undefined) return user.targets
  return user.targets.map(({ target, isExact }) =>
    target.kind === 'subject'
      ? { target: { kind: 'subject_client', subject: target.subject, clientId }, isExact }
      : { target, isExact: false },
  )
}

/** Tokens of the user that name no session may be of the one that is meant. */
function sessionless(target: RevocationTarget): SubjectMatch['targets'] {
  if (target.kind !== 'subject') return [{ target, isExact: false }]
  return [{ target: { kind: 'subject', subject: target.subject, sessionless: true }, isExact: false }]
}

function idOf(member: unknown): string | undefined {
  return isObject(member) ? (textMember(member, 'id') ?? textMember(member, 'sub')) : undefined
}

function issuerOf(
  name: string | undefined,
  { findIssuer, tokenIssuers }: SubjectContext,
): string | undefined {
  const issuer = name === undefined ? undefined : findIssuer(name)
  return issuer !== undefined && tokenIssuers.includes(issuer) ? issuer : undefined
}

function textMember(subject: JsonObject, name: string): string | undefined {
  const value = memberOf(subject, name)
  return typeof value === 'string' && value !== '' ? value : undefined
}
