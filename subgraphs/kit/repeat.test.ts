import { createLog } from '@community/infra/log.ts'
import { expect, test } from 'vitest'
import { repeat } from './repeat.ts'

function told() {
  const lines: string[] = []
  const log = createLog('test', 'silent')
  log.warn = ((_: object, line: string) => void lines.push(line)) as typeof log.warn
  return { log, lines }
}

/** Does as the outcomes say, and settles `done` when they are used up. */
function acting(outcomes: readonly ('good' | 'bad')[]) {
  const { promise: done, resolve } = Promise.withResolvers<void>()
  let turn = 0
  const act = async () => {
    const outcome = outcomes[turn++]
    if (turn >= outcomes.length) resolve()
    if (outcome === 'bad') throw new Error('no')
  }
  return { act, done, turns: () => turn }
}

test('a failure is told once until there was a success, and ends nothing', async () => {
  const { log, lines } = told()
  const { act, done } = acting(['bad', 'bad', 'good', 'bad', 'good', 'good'])
  const running = repeat({ everyMs: 1, log, problem: 'it could not be' }, act)
  await done
  await running.stop()
  expect(lines).toEqual(['it could not be: trying again', 'it could not be: trying again'])
})

test('stop aborts what is under way, waits for it, and nothing is begun after it', async () => {
  const { log, lines } = told()
  const begun = Promise.withResolvers<void>()
  let ended = 0
  let turns = 0
  const running = repeat({ everyMs: 1, log, problem: 'it could not be' }, async (signal) => {
    turns++
    begun.resolve()
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    await new Promise(setImmediate)
    ended++
    throw new Error('aborted')
  })
  await begun.promise
  await running.stop()
  expect({ ended, turns, lines }).toEqual({ ended: 1, turns: 1, lines: [] })
})
