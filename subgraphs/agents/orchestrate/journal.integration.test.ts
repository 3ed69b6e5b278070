import { afterAll, beforeAll, expect, test } from 'vitest'
import { runsOn, type TestFloor, testFloor, until } from '../../../test/orchestrator.ts'
import { insertSubtype, upsertAgent } from '../store.ts'
import { readPlan } from './definition.ts'
import { type Journal, openJournal } from './journal.ts'
import { claimRun, insertRun, insertSteps, type NewStep, newStepRow } from './store.ts'
import type { Change } from './transition.ts'

let base: TestFloor
const { internal } = runsOn(() => base.floor)

beforeAll(async () => {
  base = await testFloor()
})
afterAll(() => base[Symbol.asyncDispose]())

const planned: NewStep = {
  phase: 'only',
  name: 'tell',
  agentId: 'teller',
  action: 'INVOKE',
  dependsOn: [],
  undoTokens: 0,
}

/** Of a run that has begun, with one step. */
async function journalOf(name: string): Promise<Journal> {
  const phases = [
    {
      name: 'only',
      description: 'Only.',
      steps: [{ name: 'tell', action: 'invoke', agent: 'teller', capability: 'tell', input: {} }],
    },
  ]
  const written = { name, description: 'Tells.', tokenBudget: 100, maxIterations: 1, phases }
  const source = JSON.stringify({ ...written, convergence: [{ name: 'failed-steps', target: 0 }] })
  const definition = { ...readPlan(source, 'source', 'source').plan, agents: {} }
  await internal((tx) => insertRun(tx, { definition, organizationId: 'ossa', startedBy: 'test' }))
  await internal((tx) => claimRun(tx, 'owner'))
  const journal = await openJournal({
    runId: name,
    owner: 'owner',
    pool: base.floor.pool,
    nudge: () => undefined,
  })
  await journal.record({
    transition: 'PLAN_STARTED',
    run: { status: 'RUNNING' },
    steps: [newStepRow(name, planned, 1)],
    apply: (tx) => insertSteps(tx, name, [planned]),
  })
  return journal
}

const told = (journal: Journal, note: string): Change => ({
  transition: 'STEP_STARTED',
  stepId: [...journal.steps.keys()][0] ?? '',
  step: { note },
})

const eventsOf = (runId: string) =>
  internal(async (tx) => {
    const { rows } = await tx.query<{ value: { step: Record<string, unknown> | null } }>(
      'select value from outbox where aggregate_id = $1 order by id',
      [runId],
    )
    return rows.map(({ value }) => value.step && { note: value.step.note, agent: value.step.agent })
  })

test('of an agent an event tells to whom it may be seen then', async () => {
  const journal = await journalOf('seen')
  await journal.record(told(journal, 'before it is registered'))
  await internal(async (tx) => {
    await insertSubtype(tx, { name: 'worker.teller', type: 'WORKER', description: 'Tells.' })
    await upsertAgent(tx, 'teller', 'ossa', {
      source: '{}',
      document: {},
      reading: { format: 'ossa/v0.5', profile: null, remarks: [], notUnderstood: [] },
      name: 'teller',
      version: '1.0.0',
      description: 'Tells.',
      namespace: null,
      labels: {},
      type: 'WORKER',
      subtype: 'worker.teller',
      visibility: 'PUBLIC',
      pool: null,
      endpoint: null,
      tokensPerCall: null,
      capabilities: [],
    })
  })
  const agent = { __typename: 'Agent', id: 'teller' }
  const moves = [
    { visibility: 'PUBLIC', agent },
    { visibility: 'PRIVATE', agent: undefined },
    { visibility: 'PRIVATE', agent: undefined },
    { visibility: 'PUBLIC', agent },
  ]
  for (const { visibility } of moves) {
    await internal((tx) => tx.query('update agent set visibility = $1', [visibility]))
    await journal.record(told(journal, visibility))
  }
  expect(await eventsOf('seen')).toEqual([
    null,
    { note: 'before it is registered', agent: null },
    ...moves.map(({ visibility, agent: seen }) => ({ note: visibility, agent: seen })),
  ])
})

test('what nobody waits for is written with what comes next, and soon by itself', async () => {
  const journal = await journalOf('noted')
  const transactions = () =>
    internal(async (tx) => {
      const { rows } = await tx.query<{ id: string }>(
        `select xmin::text as id from transition where run_id = 'noted' order by version`,
      )
      return rows.map(({ id }) => id)
    })
  journal.note(told(journal, 'one'))
  await journal.record(told(journal, 'two'))
  const [, first, second] = await transactions()
  expect(second).toBe(first)
  journal.note(told(journal, 'three'))
  expect(journal.run.version).toBe(4)
  await until(async () => (await transactions()).length === 4)
})
