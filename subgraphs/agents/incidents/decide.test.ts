import { expect, test } from 'vitest'
import { decide, type Progress } from './decide.ts'
import { readPolicies } from './policies.ts'

const [policy = null] = readPolicies(
  `
policies:
  - name: p
    symptom: ERROR_RATE
    objective: agent-answers
    holdsForSeconds: 10
    withinSeconds: 100
    actions:
      - { action: open-breaker, withinSeconds: 20 }
      - { action: quarantine, withinSeconds: 20 }`,
  'policies',
)
const begin = Date.parse('2026-11-25T00:00:00.000Z')
const at = (second: number) => new Date(begin + second * 1_000)
const good = { holds: true, seen: 'fine' }
const bad = { holds: false, seen: 'broken' }
const fresh: Progress = { action: -1, actionAt: null, isDone: true, heldSince: null }
const during = (action: number, since: number, change: Partial<Progress> = {}): Progress => ({
  action,
  actionAt: at(since).toISOString(),
  isDone: true,
  heldSince: null,
  ...change,
})
const open = { status: 'OPEN', progress: fresh, beganAt: at(0), recurrences: 0 } as const
const going = (progress: Progress) => ({ ...open, status: 'MITIGATING' as const, progress })

test('what no policy covers is escalated at once', () => {
  expect(decide(open, null, bad, at(0))).toEqual({ kind: 'ESCALATE', why: 'no policy covers it' })
})

test('the first action begins at once, the next when its time is over, and when none is left a person is asked', () => {
  expect(decide(open, policy, bad, at(0))).toEqual({ kind: 'ACT', index: 0, isAgain: false, failed: false })
  expect(decide(going(during(0, 1)), policy, bad, at(20))).toEqual({ kind: 'WAIT', heldSince: null })
  expect(decide(going(during(0, 1)), policy, bad, at(21))).toEqual({
    kind: 'ACT',
    index: 1,
    isAgain: false,
    failed: true,
  })
  expect(decide(going(during(1, 21)), policy, bad, at(41))).toEqual({
    kind: 'ESCALATE',
    why: 'none of its actions helped: broken',
  })
})

test('an action whose process died is begun again', () => {
  expect(decide(going(during(0, 1, { isDone: false })), policy, good, at(5))).toEqual({
    kind: 'ACT',
    index: 0,
    isAgain: true,
    failed: false,
  })
})

test('it is resolved when the objective has held without a break, and not before', () => {
  const since = at(5).toISOString()
  expect(decide(going(during(0, 1)), policy, good, at(5))).toEqual({ kind: 'WAIT', heldSince: since })
  const held = during(0, 1, { heldSince: since })
  expect(decide(going(held), policy, good, at(14))).toEqual({ kind: 'WAIT', heldSince: since })
  expect(decide(going(held), policy, bad, at(14))).toEqual({ kind: 'WAIT', heldSince: null })
  expect(decide(going(held), policy, good, at(15))).toEqual({ kind: 'RESOLVE' })
})

test('the time of the whole ends all actions, but not a window in which the objective holds', () => {
  expect(decide(going(during(1, 90)), policy, bad, at(100))).toMatchObject({ kind: 'ESCALATE' })
  expect(decide(going(during(1, 90)), policy, good, at(100))).toMatchObject({ kind: 'WAIT' })
})

test('what keeps coming back is escalated instead of mended once more', () => {
  expect(decide({ ...open, recurrences: 3 }, policy, bad, at(0))).toMatchObject({ kind: 'ACT' })
  expect(decide({ ...open, recurrences: 4 }, policy, bad, at(0))).toMatchObject({ kind: 'ESCALATE' })
})

test('what a person was asked about ends by itself when it has held for a while, and nothing more is done', () => {
  const asked = (progress: Progress) => ({ ...open, status: 'ESCALATED' as const, progress })
  expect(decide(asked(during(1, 21)), policy, bad, at(500))).toEqual({ kind: 'WAIT', heldSince: null })
  expect(decide(asked(fresh), null, good, at(30))).toEqual({ kind: 'WAIT', heldSince: at(30).toISOString() })
  const held = { ...fresh, heldSince: at(30).toISOString() }
  expect(decide(asked(held), null, good, at(49))).toMatchObject({ kind: 'WAIT' })
  expect(decide(asked(held), null, good, at(50))).toEqual({ kind: 'RESOLVE' })
})

test('nothing is done about what is well when it is looked at', () => {
  expect(decide(open, policy, good, at(1))).toEqual({ kind: 'WAIT', heldSince: at(1).toISOString() })
  const held = { ...open, progress: { ...fresh, heldSince: at(1).toISOString() } }
  expect(decide(held, policy, good, at(11))).toEqual({ kind: 'RESOLVE' })
  expect(decide(held, policy, bad, at(2))).toMatchObject({ kind: 'ACT', index: 0 })
})
