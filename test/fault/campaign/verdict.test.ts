import { expect, test } from 'vitest'
import { judge, type Observed, type Told } from './verdict.ts'

const samples = (text: string) =>
  text.split('').map((mark, place) => ({ at: place * 1_000, held: mark === '+', seen: '' }))
const observed = (text: string, more: Partial<Observed> = {}) =>
  judge({ samples: samples(text), incidents: [], damage: [], within: 4_000, ...more })
const told = (more: Partial<Told> = {}): Told => ({
  id: 'i',
  symptom: 'SILENT',
  subject: 'pool:a',
  detected: 1_500,
  escalated: null,
  hasContext: false,
  ...more,
})

test('restored in time and for good is resolved, with or without an incident', () => {
  expect(observed('+--+++', { incidents: [told()] })).toEqual({
    outcome: 'RESOLVED',
    detected: 1_500,
    restored: 3_000,
    recurred: false,
    escalatedAfter: null,
    hasContext: false,
  })
  expect(observed('+--+++')).toMatchObject({ outcome: 'RESOLVED', detected: null })
})

test('too late is missed', () => {
  expect(observed('-----+++')).toMatchObject({ outcome: 'MISSED', restored: 5_000 })
  expect(observed('-----')).toMatchObject({ outcome: 'MISSED', restored: null })
})

test('what comes back in the window is not resolved', () => {
  expect(observed('-++++-+')).toMatchObject({ outcome: 'MISSED', restored: 1_000, recurred: true })
})

test('what comes and goes is restored when it has gone', () => {
  expect(observed('-+-+++')).toMatchObject({ outcome: 'RESOLVED', restored: 3_000, recurred: false })
})

test('damage beside the fault outweighs its mending', () => {
  expect(observed('--++', { damage: ['another agent'] }).outcome).toBe('DAMAGED')
})

test('who calls a person has not resolved it, whatever came of it', () => {
  const escalated = told({ escalated: 1_700, hasContext: true })
  expect(observed('--+++', { incidents: [escalated] })).toMatchObject({
    outcome: 'ESCALATED',
    escalatedAfter: 200,
    hasContext: true,
  })
  expect(observed('-----', { incidents: [told(), escalated] })).toMatchObject({
    outcome: 'ESCALATED',
    detected: 1_500,
  })
})

test('a fault that breaks nothing is none', () => {
  expect(observed('++++', { incidents: [told()] }).outcome).toBe('NO_FAULT')
})
