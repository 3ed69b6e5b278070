import { expect, test } from 'vitest'
import { follows, updateOf } from './update-policy.ts'

const policies = ['PINNED', 'PATCH', 'MINOR', 'LATEST'] as const

test.each([
  ['1.2.3', '1.2.3', []],
  ['1.2.3', '1.2.4', ['PATCH', 'MINOR', 'LATEST']],
  ['1.2.3', '1.3.0', ['MINOR', 'LATEST']],
  ['1.2.3', '2.0.0', ['LATEST']],
  ['0.2.3', '0.3.0', ['MINOR', 'LATEST']],
  // The agent was rolled back, and runs nothing else.
  ['1.2.4', '1.2.3', ['PATCH', 'MINOR', 'LATEST']],
  ['1.3.0', '1.2.9', ['MINOR', 'LATEST']],
  // Before a release.
  ['1.2.3', '1.2.4-beta.1', []],
  ['1.2.4-beta.1', '1.2.4-beta.2', ['PATCH', 'MINOR', 'LATEST']],
  ['1.2.4-beta.2', '1.2.4', ['PATCH', 'MINOR', 'LATEST']],
  // No semantic versions.
  ['1.2', '1.3', []],
  ['1.2.3', 'spring', []],
])('from %s to %s go those that take %j', (pinned, now, taken) => {
  expect(policies.filter((policy) => follows(policy, pinned, now))).toEqual(taken)
})

test.each([
  ['1.2.3', '1.2.4', '1.2.4'],
  ['1.2.3', '2.0.0', '2.0.0'],
  ['1.2.3', '1.2.2', null],
  ['1.2.3', '1.2.3', null],
  ['1.2.3', '1.3.0-rc.1', null],
  ['1.3.0-rc.1', '1.3.0-rc.2', '1.3.0-rc.2'],
  ['1.2.3', null, null],
])('an update of %s where the agent has %s: %s', (pinned, now, update) => {
  expect(updateOf(pinned, now)).toBe(update)
})
