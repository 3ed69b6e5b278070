import type { EventLog } from '@community/infra/eventlog.ts'
import { createLog } from '@community/infra/log.ts'
import { afterEach, expect, test, vi } from 'vitest'
import { createReplays } from './replay.ts'

afterEach(() => {
  vi.useRealTimers()
})

test('a log that says nothing for half a minute fails those who wait for it, and nobody else', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] })
  const aborted: unknown[] = []
  const silent: Pick<EventLog, 'tail'> = {
    tail: ({ signal }) =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => {
          aborted.push(signal.reason)
          reject(new Error('stopped'))
        })
      }),
  }
  const replays = createReplays(silent as EventLog, createLog('test', 'error'))
  const leaving = new AbortController()
  const request = {
    address: { topic: 't', type: 'Move', key: 'a' },
    from: { 0: '0' },
    until: { 0: '1' },
    atMost: 10,
    signal: new AbortController().signal,
  }
  const one = expect(replays.read(request)).rejects.toMatchObject({
    message: expect.stringContaining('30 s'),
    extensions: { code: 'OVERLOADED' },
  })
  const other = expect(replays.read({ ...request, signal: leaving.signal })).rejects.toThrow('left')
  await new Promise((turn) => setImmediate(turn))
  leaving.abort(new Error('left'))
  await other
  expect(aborted).toEqual([])
  vi.advanceTimersByTime(60_000)
  await one
  await vi.waitFor(() => expect(aborted).toHaveLength(1))
  const stopped = expect(replays.read(request)).rejects.toThrow('reads no more')
  replays.stop()
  await stopped
})
