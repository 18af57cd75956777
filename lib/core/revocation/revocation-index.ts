/**
 * The small negative set: what was revoked at one issuer and may still be alive. Positive state grows with
 * traffic, this grows with revocations times the life of a token.
 *
 * Nothing is ever forgotten silently. Where a mark leaves early or does not fit in, all tokens issued up to
 * then become suspect.
 */
import { createExpiry } from './expiry.js'
import { findIssuedBefore, findListed, strongest, type Finding, type TokenTraits } from './finding.js'
import { addMark, allMarks, removeMark, type MarksByName } from './marks.js'
import type { Mark, RevocationRecord, RevocationTarget, RevocationVerdict } from './record.js'

export interface IndexLimits {
  /** Marks kept at most. */
  readonly maxEntries: number
  /** Seconds that a token lives at most, clock tolerance included. */
  readonly maxTokenLifetimeSeconds: number
}

/** `overflow`: there was no room, so all tokens issued up to then are suspect. */
export type Addition = 'added' | 'covered' | 'overflow'

export interface RevocationIndex {
  add(record: RevocationRecord): Addition
  /** What the marks say of a token of this issuer; undefined: nothing. */
  find(token: TokenTraits): Finding | undefined
  list(): IterableIterator<Mark>
  /** Drops what can touch no living token. */
  sweep(): void
  /** Whether nothing was ever added: then there is nothing to find. */
  readonly isEmpty: boolean
  readonly size: number
  readonly overflows: number
}

type Kind = RevocationTarget['kind']
interface Place {
  readonly kind: Kind
  readonly group: string
  readonly name: string
  readonly verdict: RevocationVerdict
}

const EVERYTHING = ''
const NEVER: Readonly<Record<Kind, number>> = {
  token: 0,
  session: 0,
  subject: 0,
  client: 0,
  subject_client: 0,
  claim: 0,
  issuer: 0,
}

export function createRevocationIndex({ maxEntries, maxTokenLifetimeSeconds }: IndexLimits): RevocationIndex {
  const tokens: MarksByName = new Map()
  const sessions: MarksByName = new Map()
  const subjects: MarksByName = new Map()
  const sessionless: MarksByName = new Map()
  const clients: MarksByName = new Map()
  const everything: MarksByName = new Map()
  /** Subject, then client; and claim, then value. */
  const subjectClients = new Map<string, MarksByName>()
  const claims = new Map<string, MarksByName>()
  /** When a mark of a kind was last heard of: opaque tokens of which too little is known go by it. */
  const lastHeard: Record<Kind, number> = { ...NEVER }
  /** Stands for marks that are no longer here or never were. */
  const horizon = { issuedBefore: -Infinity, heardAt: 0 }
  const expiry = createExpiry<RevocationRecord>()
  let size = 0
  let overflows = 0
  let isEmpty = true

  function mapOf({ kind, group }: Place): MarksByName | undefined {
    switch (kind) {
      case 'token':
        return tokens
      case 'session':
        return sessions
      case 'subject':
        return group === 'sessionless' ? sessionless : subjects
      case 'client':
        return clients
      case 'subject_client':
        return subjectClients.get(group)
      case 'claim':
        return claims.get(group)
      case 'issuer':
        return everything
    }
  }

  function add(record: RevocationRecord): Addition {
    const now = Date.now()
    const end = record.expiresAt ?? record.issuedBefore + maxTokenLifetimeSeconds
    const mark: Mark = { record, heardAt: now, until: end * 1000 }
    const place = placeOf(record)
    isEmpty = false
    lastHeard[place.kind] = now
    if (size >= maxEntries) sweep()
    if (size >= maxEntries && !knownAt(place)) {
      overflows += 1
      raiseHorizon(Math.max(record.issuedBefore, now / 1000), now)
      return 'overflow'
    }
    const before = knownAt(place)
    if (!addMark(mapOf(place) ?? openGroup(place), place.name, mark)) return 'covered'
    if (!before) {
      size += 1
      expiry.add(record, mark.until)
    }
    return 'added'
  }

  const knownAt = (place: Place) => mapOf(place)?.get(place.name)?.[place.verdict]

  function openGroup({ kind, group }: Place): MarksByName {
    const opened: MarksByName = new Map()
    const groups = kind === 'claim' ? claims : subjectClients
    groups.set(group, opened)
    return opened
  }

  function raiseHorizon(issuedBefore: number, heardAt: number): void {
    horizon.issuedBefore = Math.max(horizon.issuedBefore, issuedBefore)
    horizon.heardAt = Math.max(horizon.heardAt, heardAt)
  }

  function sweep(): void {
    const now = Date.now()
    for (const record of expiry.take(now)) {
      const place = placeOf(record)
      const mark = knownAt(place)
      if (!mark) continue
      if (mark.until > now) expiry.add(mark.record, mark.until)
      else drop(place, mark)
    }
  }

  function drop(place: Place, mark: Mark): void {
    const marks = mapOf(place)
    if (marks) removeMark(marks, place.name, place.verdict)
    size -= 1
    if (place.kind === 'subject_client') prune(subjectClients, place.group)
    if (place.kind === 'claim') prune(claims, place.group)
    // no token should be that old; one that is might be meant
    if (mark.record.expiresAt === undefined) raiseHorizon(mark.record.issuedBefore, mark.heardAt)
  }

  function find(token: TokenTraits): Finding | undefined {
    const { issuedAt, claims: members } = token
    let finding = findMarked(token, text(members['jti']), text(members['sid']))
    if (finding?.verdict === 'revoked') return finding
    if ((issuedAt ?? -Infinity) <= horizon.issuedBefore) {
      finding = strongest(finding, { verdict: 'suspect', since: horizon.heardAt })
    }
    return token.format === 'opaque' ? strongest(finding, findUnnamed(token)) : finding
  }

  function findMarked(
    token: TokenTraits,
    jti: string | undefined,
    sid: string | undefined,
  ): Finding | undefined {
    const { subject, clientId, issuedAt } = token
    let finding: Finding | undefined
    if (tokens.size > 0 && jti !== undefined) finding = findListed(tokens.get(jti))
    if (sessions.size > 0 && sid !== undefined) finding = strongest(finding, findListed(sessions.get(sid)))
    if (subject !== undefined) finding = strongest(finding, findOfSubject(subject, sid === undefined, token))
    if (clients.size > 0) finding = strongest(finding, findIssuedBefore(clients.get(clientId), issuedAt))
    if (everything.size > 0) {
      finding = strongest(finding, findIssuedBefore(everything.get(EVERYTHING), issuedAt))
    }
    return claims.size > 0 ? strongest(finding, findByClaims(token)) : finding
  }

  function findOfSubject(subject: string, isSessionless: boolean, { clientId, issuedAt }: TokenTraits) {
    let finding: Finding | undefined
    if (subjects.size > 0) finding = findIssuedBefore(subjects.get(subject), issuedAt)
    if (isSessionless && sessionless.size > 0) {
      finding = strongest(finding, findIssuedBefore(sessionless.get(subject), issuedAt))
    }
    if (subjectClients.size === 0) return finding
    return strongest(finding, findIssuedBefore(subjectClients.get(subject)?.get(clientId), issuedAt))
  }

  /** A token without the claim may be of the one that is meant: it is suspect. */
  function findByClaims({ claims: members, issuedAt }: TokenTraits): Finding | undefined {
    let finding: Finding | undefined
    for (const [name, marks] of claims) {
      const value = text(members[name])
      const found =
        value === undefined
          ? ({ verdict: 'suspect', since: lastHeard.claim } as const)
          : findIssuedBefore(marks.get(value), issuedAt)
      finding = strongest(finding, found)
    }
    return finding
  }

  /** An introspection answer need not say whose the token is: what might be meant is asked about again. */
  function findUnnamed({ subject, clientId, claims: members }: TokenTraits): Finding | undefined {
    let since = 0
    if (text(members['jti']) === undefined) since = Math.max(since, lastHeard.token)
    if (text(members['sid']) === undefined) since = Math.max(since, lastHeard.session)
    if (subject === undefined) since = Math.max(since, lastHeard.subject, lastHeard.subject_client)
    if (clientId === '') since = Math.max(since, lastHeard.client, lastHeard.subject_client)
    return since > 0 ? { verdict: 'suspect', since } : undefined
  }

  return {
    add,
    find,
    sweep,
    *list() {
      const plain = [tokens, sessions, subjects, sessionless, clients, everything]
      yield* allMarks([...plain, ...subjectClients.values(), ...claims.values()])
    },
    get isEmpty() {
      return isEmpty
    },
    get size() {
      return size
    },
    get overflows() {
      return overflows
    },
  }
}

function placeOf({ target, verdict }: RevocationRecord): Place {
  const { kind } = target
  switch (kind) {
    case 'token':
      return { kind, group: '', name: target.jti, verdict }
    case 'session':
      return { kind, group: '', name: target.sessionId, verdict }
    case 'subject':
      return { kind, group: target.sessionless ? 'sessionless' : '', name: target.subject, verdict }
    case 'client':
      return { kind, group: '', name: target.clientId, verdict }
    case 'subject_client':
      return { kind, group: target.subject, name: target.clientId, verdict }
    case 'claim':
      return { kind, group: target.name, name: target.value, verdict }
    case 'issuer':
      return { kind, group: '', name: EVERYTHING, verdict }
  }
}

function prune(maps: Map<string, MarksByName>, group: string): void {
  if (maps.get(group)?.size === 0) maps.delete(group)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
