import type { EventLog, Positions } from '@community/infra/eventlog.ts'
import { expect, onTestFinished, test } from 'vitest'
import { watchOutage } from './outage.ts'

test('a log that answers is away while the tail does not read, or stays behind, and back when it has caught up', async () => {
  const positions: Positions = { t: { 0: '5' } }
  let end = '5'
  let isReading = false
  const told: boolean[] = []
  const stopped = new AbortController()
  const log: Pick<EventLog, 'ends'> = { ends: () => Promise.resolve({ t: { 0: end } }) }
  const watched = watchOutage({
    eventLog: log as EventLog,
    topics: ['t'],
    positions: () => positions,
    isReading: () => isReading,
    signal: stopped.signal,
    onReadable: (isReadable) => told.push(isReadable),
    onBegunAnew: () => expect.unreachable(),
  })
  onTestFinished(async () => {
    stopped.abort()
    await watched
  })
  const until = (...all: boolean[]) => expect.poll(() => told, { timeout: 10_000 }).toEqual(all)
  await until(false)
  isReading = true
  await until(false, true)
  end = '6'
  await until(false, true, false)
  positions.t = { 0: '6' }
  await until(false, true, false, true)
})
