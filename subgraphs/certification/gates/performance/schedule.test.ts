import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { percentile, runSchedule } from './schedule.ts'

const { signal } = new AbortController()

test('who waits for a call that stalls is counted, each from when it was due', async () => {
  // One place, and the first call keeps it: the others are late by what is left of it.
  const schedule = { perSecond: 100, calls: 5, concurrency: 1, maxMs: 10_000, signal }
  const { samples } = await runSchedule(schedule, (index) => (index === 0 ? sleep(400) : Promise.resolve()))
  const latencies = samples.map(({ latencyMs }) => latencyMs)
  expect(latencies).toHaveLength(5)
  expect(Math.min(...latencies)).toBeGreaterThan(300)
})

test('no call begins when the time is over, and the first that fails ends it', async () => {
  const late = { perSecond: 100, calls: 50, concurrency: 1, maxMs: 200, signal }
  const { samples } = await runSchedule(late, () => sleep(150))
  expect(samples.length).toBeLessThan(5)
  const failing = runSchedule({ ...late, maxMs: 10_000 }, async (index) => {
    if (index === 3) throw new Error('the lease is lost')
  })
  await expect(failing).rejects.toThrow('the lease is lost')
})

test('a percentile is a value that was measured', () => {
  const sorted = Array.from({ length: 20 }, (_, index) => index + 1)
  expect([50, 90, 95, 99, 100].map((percent) => percentile(sorted, percent))).toEqual([10, 18, 19, 20, 20])
  expect(percentile([], 95)).toBe(0)
})
