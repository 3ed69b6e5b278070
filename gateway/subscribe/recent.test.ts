import type { LogRecord } from '@community/infra/eventlog.ts'
import { expect, test } from 'vitest'
import { createRecent } from './recent.ts'
import { rangesOf } from './record.ts'

const record = (offset: number, key = 'a', partition = 0): LogRecord => ({
  topic: 't',
  partition,
  offset: String(offset),
  key,
  headers: { ce_type: 'x.Move' },
  value: 'x'.repeat(1_000),
})
const all = { topic: 't', type: 'Move', key: null }
const offsets = (records: LogRecord[] | null) => records?.map(({ offset }) => Number(offset))

test('what was read last is found by key or all of it, from any position', () => {
  const recent = createRecent(1_000_000)
  for (let offset = 5; offset < 10; offset++) recent.add(record(offset, offset % 2 ? 'odd' : 'even'), false)
  recent.add(record(0, 'elsewhere', 1), false)
  const found = (key: string | null, from: object, until: object) =>
    offsets(recent.within({ ...all, key }, rangesOf({ ...from }, { ...until })))
  expect(found(null, { 0: '5', 1: '0' }, { 0: '10', 1: '1' })).toEqual([5, 6, 7, 8, 9, 0])
  expect(found('odd', { 0: '6' }, { 0: '9', 1: '1' })).toEqual([7])
  expect(found('nobody', { 0: '6' }, { 0: '9' })).toEqual([])
  expect(found(null, { 0: '4' }, { 0: '9' })).toBeUndefined()
  expect(found(null, { 0: '5' }, { 0: '11' })).toBeUndefined()
  expect(found(null, { 2: '0' }, { 2: '1' })).toBeUndefined()
})

test('the oldest give way, and what is left is complete', () => {
  const recent = createRecent(20_000)
  recent.add(record(0, 'a', 1), false)
  for (let offset = 0; offset < 100; offset++) recent.add(record(offset), false)
  const from = (offset: number) => offsets(recent.within(all, rangesOf({ 0: String(offset) }, { 0: '100' })))
  const first = Array.from({ length: 100 }, (_, offset) => offset).find((offset) => from(offset))
  expect(first).toBeGreaterThan(80)
  expect(first).toBeLessThan(95)
  expect(from(first!)).toEqual(Array.from({ length: 100 - first! }, (_, index) => first! + index))
  expect(recent.within(all, rangesOf({ 1: '0' }, { 1: '1' }))).toBeNull()
})

test('what is repeated is not kept, a hole ends what is known', () => {
  const recent = createRecent(1_000_000)
  recent.add(record(0), false)
  recent.add(record(1), true)
  recent.add(record(2), false)
  expect(offsets(recent.within(all, rangesOf({ 0: '0' }, { 0: '3' })))).toEqual([0, 2])
  recent.add(record(7), false)
  expect(recent.within(all, rangesOf({ 0: '2' }, { 0: '8' }))).toBeNull()
  expect(offsets(recent.within(all, rangesOf({ 0: '7' }, { 0: '8' })))).toEqual([7])
})
