import { expect, test } from 'vitest'
import { openTurns } from './turns.ts'

test('tasks of one key follow each other, also after one that fails; those of another do not wait', async () => {
  const inTurn = openTurns(10)
  const told: string[] = []
  const first = Promise.withResolvers<void>()
  const ended = Promise.allSettled([
    inTurn('a', async () => {
      await first.promise
      told.push('a1')
      throw new Error('it failed')
    }),
    inTurn('a', async () => void told.push('a2')),
  ])
  await inTurn('b', async () => void told.push('b1'))
  first.resolve()
  expect((await ended).map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  expect(told).toEqual(['b1', 'a1', 'a2'])
})

test('where too many wait the last is refused, and when they have gone it is not', async () => {
  const inTurn = openTurns(2)
  const gate = Promise.withResolvers<void>()
  const waiting = [inTurn('a', () => gate.promise), inTurn('a', async () => undefined)]
  await expect(inTurn('a', async () => undefined)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  gate.resolve()
  await Promise.all(waiting)
  expect(await inTurn('a', async () => 'done')).toBe('done')
})
