import { expect, test } from 'vitest'
import { outcomeOf, type Seat } from './panel.ts'

const seat = (verdict: Seat['verdict'], weight = 1, declined: string | null = null): Seat => ({
  organizationId: 'any',
  verdict,
  weight,
  comment: null,
  declined,
})

test('a panel ends as soon as nothing that is still out can change it', () => {
  expect(outcomeOf([seat('APPROVE'), seat('APPROVE'), seat(null)], false)?.verdict).toBe('PASS')
  expect(outcomeOf([seat('REJECT'), seat('REJECT'), seat(null)], false)?.verdict).toBe('FAIL')
  expect(outcomeOf([seat('APPROVE'), seat('REJECT'), seat(null)], false)).toBeNull()
  expect(outcomeOf([seat('APPROVE'), seat(null), seat(null)], false)).toBeNull()
})

test('two thirds by weight are needed of those who answered', () => {
  expect(outcomeOf([seat('APPROVE'), seat('APPROVE'), seat('REJECT')], false)?.verdict).toBe('PASS')
  expect(outcomeOf([seat('APPROVE'), seat('APPROVE'), seat('REJECT', 1.5)], false)?.verdict).toBe('FAIL')
  expect(outcomeOf([seat('APPROVE', 2), seat('REJECT'), seat(null)], true)?.verdict).toBe('PASS')
  expect(outcomeOf([seat('APPROVE', 1.9), seat('REJECT'), seat(null)], true)?.verdict).toBe('FAIL')
})

test('without a quorum nothing is evaluated, whatever the one who answered said', () => {
  expect(outcomeOf([seat('APPROVE'), seat(null), seat(null)], true)?.verdict).toBe('NOT_EVALUATED')
  expect(outcomeOf([seat('APPROVE'), seat(null, 1, 'a conflict'), seat(null, 1, 'no time')], false)).toEqual({
    verdict: 'NOT_EVALUATED',
    seen: '1 of 3 reviewers answered, 2 are needed',
  })
})
