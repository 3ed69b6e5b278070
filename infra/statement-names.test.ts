import { expect, test } from 'vitest'
import { statementNames } from './statement-names.ts'

test('a text has a name from its second time on, each another', () => {
  const nameOf = statementNames()
  expect(['a', 'b', 'a', 'b', 'a', 'c'].map(nameOf)).toEqual([
    undefined,
    undefined,
    's1',
    's2',
    's1',
    undefined,
  ])
})

test('of more texts than are kept those that came late have none', () => {
  const nameOf = statementNames(2)
  expect(['a', 'b', 'c', 'c', 'b'].map(nameOf)).toEqual([undefined, undefined, undefined, undefined, 's1'])
})
