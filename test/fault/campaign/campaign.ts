/**
 * `pnpm faults [--kinds a,b] [--seeds N] [--policies on|off] [--kafka] [--json FILE]`: injects faults of every kind, and looks
 * from outside what becomes of them.
 */
import { appendFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { countOf } from '../../bench/options.ts'
import { catalogue } from './catalogue.ts'
import { report } from './report.ts'
import { runSeries } from './series.ts'
import type { Trial } from './trial.ts'

const { faults, seeds, from, kafka, policies, json } = readOptions()
const trials: Trial[] = []
for await (const trial of runSeries({ faults, seeds, kafka, policies })) {
  trials.push(trial)
  const { kind, seed, verdict, what, damage, incidents } = trial
  const { outcome, detected, restored } = verdict
  const told = incidents.map(({ symptom, subject, status, actions }) =>
    [symptom, subject, status, ...actions].join(' '),
  )
  console.log(
    `${kind} ${seed}: ${outcome}, detected ${detected ?? '–'}, restored ${restored ?? '–'} ms; ${[what, ...told, ...damage].join('; ')}`,
  )
  if (json !== undefined) await appendFile(json, `${JSON.stringify({ policies, ...trial })}\n`)
}
console.log(`\npolicies ${policies}, seeds ${from} to ${from + seeds.length - 1}\n\n${report(trials)}`)

function readOptions() {
  const { values } = parseArgs({
    options: {
      kinds: { type: 'string' },
      seeds: { type: 'string', default: '10' },
      'first-seed': { type: 'string', default: '1' },
      policies: { type: 'string', default: 'on' },
      kafka: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  })
  const names = values.kinds?.split(',').map((name) => name.trim())
  const unknown = names?.filter((name) => !catalogue.some(({ kind }) => kind === name)) ?? []
  if (unknown.length > 0)
    throw new Error(`--kinds ${unknown.join()}: expected of ${catalogue.map(({ kind }) => kind).join(', ')}`)
  const policies = (['on', 'off'] as const).find((each) => each === values.policies)
  if (!policies) throw new Error(`--policies ${values.policies}: expected on or off`)
  const from = countOf('first-seed', values['first-seed'])
  return {
    faults: catalogue.filter(({ kind }) => !names || names.includes(kind)),
    from,
    seeds: Array.from({ length: countOf('seeds', values.seeds) }, (_, place) => from + place),
    kafka: values.kafka,
    policies,
    json: values.json,
  }
}
