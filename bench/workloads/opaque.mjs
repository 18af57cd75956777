/** W5: opaque tokens, one that comes again and ones that never do. */
import { contestants, OURS_OPAQUE, PEERS_OPAQUE } from '../lib/contestants.mjs'
import { throughput } from '../lib/throughput.mjs'

/** More than any contestant can ask about in a window. */
const PER_WINDOW = 12_000

export async function opaque() {
  const names = contestants([OURS_OPAQUE, 'aa-express', ...PEERS_OPAQUE])
  const hot = { tokens: ['opaque-1'] }
  await throughput({
    id: 'W5-hot',
    title: 'One opaque token again and again',
    names,
    referenceJob: hot,
    warm: hot,
    job: () => hot,
  })

  let minted = 0
  const nextToken = () => `opaque-${(minted++).toString(36).padStart(10, '0')}-9f86d081884c7d65`
  const fresh = () => ({ tokens: Array.from({ length: PER_WINDOW }, nextToken), order: 'once' })
  await throughput({
    id: 'W5-cold',
    title: 'Every opaque token new',
    names,
    referenceJob: hot,
    warm: fresh(),
    job: fresh,
  })
}
