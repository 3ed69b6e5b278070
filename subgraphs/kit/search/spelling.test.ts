import { expect, test } from 'vitest'
import { createSpelling, editsBetween } from './spelling.ts'

test('edits are letters put in, left out, replaced or swapped', () => {
  expect(
    ['secrets', 'secret', 'sceret', 'sekret', 'tercse'].map((word) => editsBetween('secret', word)),
  ).toEqual([1, 0, 1, 1, 4])
})

test('only terms that are known are meant, the nearest first; short words and numbers mean what they say', () => {
  const spelling = createSpelling()
  for (const term of ['forecast', 'forecastl', 'broadcast', 'cat', '2024']) spelling.add(term)
  expect(spelling.near('forcast', () => true).map(({ term }) => term)).toEqual(['forecast'])
  expect(spelling.near('forcast', (term) => term !== 'forecast')).toEqual([])
  expect(spelling.near('cut', () => true)).toEqual([])
  expect(spelling.near('2025', () => true)).toEqual([])
})

test('what is still being typed is completed to terms that are known, the shortest first', () => {
  const spelling = createSpelling()
  for (const term of ['quarantin', 'quarrel', 'quarter', 'quick', 'aquarium']) spelling.add(term)
  const completed = (term: string, isKnown: (known: string) => boolean = () => true) =>
    spelling.completing(term, isKnown).map((reading) => reading.term)
  expect(completed('quar')).toEqual(['quarrel', 'quarter', 'quarantin'])
  expect(completed('quar', (term) => term === 'quarter')).toEqual(['quarter'])
  expect(completed('qu')).toEqual([])
})
