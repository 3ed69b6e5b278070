import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { policiesOf, policyFor, readPolicies } from './policies.ts'

const text = (change: Record<string, string> = {}) => `policies:
  - name: ${change.name ?? 'one'}
    symptom: ${change.symptom ?? 'ERROR_RATE'}
    ${change.more ?? 'agents: REMOTE'}
    objective: ${change.objective ?? 'agent-answers'}
    holdsForSeconds: ${change.holds ?? '10'}
    withinSeconds: 60
    actions:
      - action: ${change.action ?? 'open-breaker'}
        withinSeconds: 20`

test.each([
  [{ action: 'pray' }, 'policies:9: policies.0.actions.0.action: '],
  [{ symptom: 'FEVER' }, 'policies:3: policies.0.symptom: '],
  [{ objective: 'world-peace' }, 'policies:5: policies.0.objective: '],
  [{ holds: '0' }, 'policies:6: policies.0.holdsForSeconds: '],
  [{ more: 'colour: red' }, 'policies:'],
  [{ name: 'Not A Name' }, 'policies:2: policies.0.name: '],
])('a policy that is wrong is refused with its line: %o', (change, line) => {
  expect(() => readPolicies(text(change), 'policies')).toThrow(line)
})

test('two policies of one name are refused', () => {
  const twice = `${text()}\n${text().replace('policies:\n', '')}`
  expect(() => readPolicies(twice, 'policies')).toThrow('policies:11: policies.1.name: one is there already')
})

test('the first policy that fits acts: by symptom, by where the agent runs, by its labels', () => {
  const policies = readPolicies(
    `${text({ name: 'gold', more: 'labels: { tier: gold }' })}\n${text().replace('policies:\n', '')}`,
    'policies',
  )
  const nameFor = (runs: 'POOL' | 'REMOTE', labels: Record<string, string> = {}) =>
    policyFor(policies, 'ERROR_RATE', { runs, labels, newVersionForMs: null })?.name ?? null
  expect([nameFor('REMOTE'), nameFor('POOL'), nameFor('POOL', { tier: 'gold' })]).toEqual([
    'one',
    null,
    'gold',
  ])
  expect(policyFor(policies, 'LATENCY', { runs: 'REMOTE', labels: {}, newVersionForMs: null })).toBeNull()
})

test('a policy for new versions acts where one has replaced another lately', async () => {
  const policies = (await policiesOf(undefined)) ?? []
  const nameFor = (newVersionForMs: number | null) =>
    policyFor(policies, 'ERROR_RATE', { runs: 'POOL', labels: {}, newVersionForMs })?.name
  expect([nameFor(1_000), nameFor(601_000), nameFor(null)]).toEqual([
    'failing-new-version',
    'failing-agent-in-a-pool',
    'failing-agent-in-a-pool',
  ])
})

test('ours are read where none are given, a file of the operator instead, and none at all by off', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'policies-'))
  try {
    await writeFile(join(folder, 'own.yaml'), text({ name: 'own' }))
    expect((await policiesOf(join(folder, 'own.yaml')))?.map(({ name }) => name)).toEqual(['own'])
    expect((await policiesOf(undefined))?.length).toBeGreaterThan(5)
    expect(await policiesOf('off')).toBeNull()
    const absent = join(folder, 'absent.yaml')
    await expect(policiesOf(absent)).rejects.toThrow(
      `INCIDENT_POLICIES: expected a file or \`off\`, ${absent} can't be read`,
    )
  } finally {
    await rm(folder, { recursive: true })
  }
})
