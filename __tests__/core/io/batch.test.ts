/** Jobs of one turn are done back to back, and no turn is blocked for long. */
import { once } from 'node:events'
import { describe, expect, it, jest } from '@jest/globals'
import { createBatch } from '../../../lib/core/io/batch.js'

describe('createBatch', () => {
  it('does the jobs of one turn back to back, in order, after the turn', async () => {
    const enqueue = createBatch<number>()
    const seen: string[] = []
    const answers = [1, 2, 3].map((job) =>
      enqueue(() => {
        seen.push(`job ${job}`)
        return job
      }).then((answer) => seen.push(`answer ${answer}`)),
    )
    seen.push('end of turn')
    await Promise.all(answers)
    expect(seen).toEqual(['end of turn', 'job 1', 'job 2', 'job 3', 'answer 1', 'answer 2', 'answer 3'])
  })

  it('rejects with what a job throws, and does the others', async () => {
    const enqueue = createBatch<number>()
    const answers = await Promise.allSettled([
      enqueue(() => {
        throw new RangeError('no')
      }),
      enqueue(() => 2),
    ])
    expect(answers).toMatchObject([
      { status: 'rejected', reason: { message: 'no' } },
      { status: 'fulfilled', value: 2 },
    ])
  })

  it('takes jobs that a job brings', async () => {
    const enqueue = createBatch<number>()
    const inner = await enqueue(() => 1).then(async (first) => first + (await enqueue(() => 2)))
    expect(inner).toBe(3)
  })

  it('gives the loop back in between when the jobs take long', async () => {
    const enqueue = createBatch<string>()
    const clock = jest.spyOn(performance, 'now')
    let now = 0
    clock.mockImplementation(() => now)
    const seen: string[] = []
    const job = (name: string) =>
      enqueue(() => {
        now += 2
        seen.push(name)
        return name
      })
    const target = new EventTarget()
    const other = once(target, 'turn').then(() => seen.push('something else'))
    const answers = ['a', 'b', 'c', 'd'].map(job)
    setImmediate(() => target.dispatchEvent(new Event('turn')))
    await Promise.all([...answers, other])
    clock.mockRestore()
    expect(seen).toEqual(['a', 'b', 'something else', 'c', 'd'])
  })
})
