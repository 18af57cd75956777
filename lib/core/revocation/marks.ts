/**
 * Marks under names: what was revoked under a name, and what is suspect under it. Both are kept apart, so
 * that a suspicion never softens a revocation.
 */
import { isCovered, mergeMarks, type Mark, type RevocationVerdict } from './record.js'

export interface NamedMarks {
  revoked: Mark | undefined
  suspect: Mark | undefined
}

export type MarksByName = Map<string, NamedMarks>

/** @returns whether it says something that was not known */
export function addMark(marks: MarksByName, name: string, mark: Mark): boolean {
  const { verdict } = mark.record
  const known = marks.get(name)
  const former = known?.[verdict]
  if (isCovered(former, mark)) return false
  if (known) known[verdict] = mergeMarks(former, mark)
  else if (verdict === 'revoked') marks.set(name, { revoked: mark, suspect: undefined })
  else marks.set(name, { revoked: undefined, suspect: mark })
  return true
}

export function removeMark(marks: MarksByName, name: string, verdict: RevocationVerdict): void {
  const known = marks.get(name)
  if (!known) return
  known[verdict] = undefined
  if (!known.revoked && !known.suspect) marks.delete(name)
}

/** All marks of the maps. */
export function* allMarks(maps: Iterable<MarksByName>): Generator<Mark> {
  for (const marks of maps) {
    for (const { revoked, suspect } of marks.values()) {
      if (revoked) yield revoked
      if (suspect) yield suspect
    }
  }
}
