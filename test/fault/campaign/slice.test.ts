import { expect, test } from 'vitest'
import { catalogue } from './catalogue.ts'
import { runSeries } from './series.ts'

const kinds = ['pool killed', 'agent elsewhere answers errors', 'certificate about to expire']

test('a slice of the campaign: what is known is mended, nothing beside it is hurt', async () => {
  const faults = catalogue.filter(({ kind }) => kinds.includes(kind))
  const trials = await Array.fromAsync(runSeries({ faults, seeds: [1], kafka: false, policies: 'on' }))
  expect(
    trials.map(({ kind, verdict, damage }) => ({ kind, outcome: verdict.outcome, damage })),
    JSON.stringify(trials),
  ).toEqual(kinds.map((kind) => ({ kind, outcome: 'RESOLVED', damage: [] })))
  // Its callers are spared because somebody has noticed.
  expect(trials[1]?.incidents).toMatchObject([{ symptom: 'ERROR_RATE', escalated: null }])
})
