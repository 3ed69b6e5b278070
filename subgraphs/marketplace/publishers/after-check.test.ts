import { expect, test } from 'vitest'
import { afterCheck, type Proof } from './after-check.ts'

const day = 24 * 60 * 60 * 1_000
const start = new Date('2026-11-01T00:00:00Z')
const at = (ms: number) => new Date(start.getTime() + ms)
const pending: Proof = {
  status: 'PENDING',
  problem: null,
  failures: 0,
  failingSince: null,
  verifiedAt: null,
  checkAt: null,
}
const proven = afterCheck(pending, null, start, day)

test('what is found is proven, and looked at a period later', () => {
  expect(proven).toEqual({ ...pending, status: 'VERIFIED', verifiedAt: start, checkAt: at(day) })
  expect(afterCheck(proven, null, at(day), day)).toEqual({ ...proven, checkAt: at(2 * day) })
})

test('what is not found yet stays as it is, and is looked at when its owner asks', () => {
  expect(afterCheck(pending, 'nothing', start, day)).toEqual({ ...pending, problem: 'nothing' })
})

test('a proof that fails is looked at four times as often and lapses after three periods', () => {
  const states: [string, number][] = []
  let state = proven
  let now = at(day)
  while (state.checkAt !== null) {
    state = afterCheck(state, 'gone', now, day)
    states.push([state.status, (now.getTime() - start.getTime()) / day])
    now = state.checkAt ?? now
  }
  expect(states.at(-1)).toEqual(['LAPSED', 4])
  expect(states.slice(0, -1).map(([status]) => status)).toEqual(Array.from({ length: 12 }, () => 'VERIFIED'))
  expect(afterCheck(state, null, at(9 * day), day)).toMatchObject({
    status: 'VERIFIED',
    verifiedAt: at(9 * day),
  })
})

test('neither three failures at once nor three days with one make it lapse, and one success forgets them', () => {
  const often = [1, 2, 3, 4].reduce((state) => afterCheck(state, 'gone', at(day), day), proven)
  expect(often).toMatchObject({ status: 'VERIFIED', failures: 4 })
  const seldom = afterCheck(afterCheck(proven, 'gone', at(day), day), 'gone', at(9 * day), day)
  expect(seldom).toMatchObject({ status: 'VERIFIED', failures: 2 })
  expect(afterCheck(seldom, null, at(10 * day), day)).toMatchObject({ failures: 0, failingSince: null })
})
