import { expect, test } from 'vitest'
import { titleOf, typeOf } from './category.ts'

test.each([
  ['worker.pii-redaction', 'PII redaction', 'worker'],
  ['orchestrator.marketplace-coordinator', 'Marketplace coordinator', 'orchestrator'],
  ['worker.a2a', 'A2A', 'worker'],
  ['judge.ranking.pairwise', 'Ranking pairwise', 'judge'],
  ['worker', 'worker', 'worker'],
])('%s is called %s, of the type %s', (name, title, type) => {
  expect([titleOf(name), typeOf(name)]).toEqual([title, type])
})
