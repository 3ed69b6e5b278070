import { expect, test } from 'vitest'
import { createBell } from './bell.ts'

const never = new AbortController().signal
const longMs = 60_000

test('a ring ends the wait under way', async () => {
  const bell = createBell()
  const waiting = bell.wait(longMs, never)
  bell.ring()
  expect(await waiting).toBe(true)
})

test('a ring that nobody waited for ends the next wait, once', async () => {
  const bell = createBell()
  bell.ring()
  bell.ring()
  expect(await bell.wait(longMs, never)).toBe(true)
  expect(await bell.wait(1, never)).toBe(false)
})

test('an abort ends the wait', async () => {
  const bell = createBell()
  const aborting = new AbortController()
  const waiting = bell.wait(longMs, aborting.signal)
  aborting.abort()
  expect(await waiting).toBe(false)
  expect(await bell.wait(longMs, aborting.signal)).toBe(false)
})
