import { inTransaction } from '@community/infra/postgres.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { type Acting, ActionFailed } from './acting.ts'
import { carryOut } from './actions.ts'
import { type Decision, decide, escalatedHoldsSeconds, type Measured, type Progress } from './decide.ts'
import { type Measuring, measure } from './measure.ts'
import { objectiveOf } from './objectives.ts'
import type { Policy } from './policies.ts'
import { type Entry, record } from './record.ts'
import { release } from './release.ts'
import { type Change, type IncidentRow, timelinesOf, updateProgress } from './store.ts'

export type Handling = Acting &
  Measuring & {
    policy: Policy | null
    /** Where it has just been measured. */
    measured?: Measured
  }

const actWithinMs = 30_000

/** One step with an incident: measures, decides, and does what was decided. */
export async function handle(handling: Handling): Promise<void> {
  const { policy, incident, floor } = handling
  const measured =
    handling.measured ?? (await measure(policy?.objective ?? objectiveOf[incident.symptom], handling))
  const decision = decide(incident, policy, measured, new Date())
  switch (decision.kind) {
    case 'WAIT':
      if (decision.heldSince !== incident.progress.heldSince)
        await inTransaction(floor.pool, internalSettings, (tx) =>
          updateProgress(tx, incident, { ...incident.progress, heldSince: decision.heldSince }),
        )
      return
    case 'RESOLVE':
      return await resolve(handling, measured)
    case 'ESCALATE':
      return await escalate(handling, decision.why, measured)
    case 'ACT':
      return await act(handling, decision, measured)
  }
}

async function act(
  handling: Handling,
  { index, isAgain, failed }: Extract<Decision, { kind: 'ACT' }>,
  { seen }: Measured,
): Promise<void> {
  const { policy, signal } = handling
  const action = policy?.actions[index]?.action
  if (action === undefined) throw new Error(`the policy has no action ${index}`)
  let { incident } = handling
  if (failed) {
    const before = policy?.actions[index - 1]?.action ?? null
    const text = `it did not help: ${seen}`
    incident = await write(handling, incident, { kind: 'OUTCOME', action: before, succeeded: false, text })
  }
  const begun: Progress = {
    action: index,
    actionAt: new Date().toISOString(),
    isDone: false,
    heldSince: null,
  }
  const text = isAgain ? 'begun again, as it is not known how it ended' : `begun, as ${seen}`
  incident = await write(
    handling,
    incident,
    { kind: 'ACTION', action, text },
    { status: 'MITIGATING', progress: begun },
  )
  const late = AbortSignal.timeout(actWithinMs)
  try {
    const done = await carryOut(action, { ...handling, incident, signal: AbortSignal.any([signal, late]) })
    const cause = causes[action]
    await write(
      handling,
      incident,
      { kind: 'OUTCOME', action, succeeded: true, text: done },
      { progress: { ...begun, isDone: true }, ...(cause === undefined ? {} : { cause }) },
    )
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof ActionFailed) && !late.aborted)
      handling.floor.log.warn({ err: error, action }, 'an action failed')
    const reason = error instanceof Error ? error.message : String(error)
    // Its time is over: the next one is tried at the next look.
    const progress = { ...begun, isDone: true, actionAt: new Date(0).toISOString() }
    await write(handling, incident, { kind: 'OUTCOME', action, succeeded: false, text: reason }, { progress })
  }
}

/** What it says of the cause that an action was what there was to do. */
const causes: Partial<Record<string, string>> = {
  'roll-back': 'The version that was deployed last.',
}

async function resolve(handling: Handling, { seen }: Measured): Promise<void> {
  const { floor, incident } = handling
  const now = new Date()
  await inTransaction(floor.pool, internalSettings, async (tx) => {
    await release(tx, incident.id)
    const seconds = incident.status === 'ESCALATED' ? escalatedHoldsSeconds : handling.policy?.holdsForSeconds
    const text = `it has held for ${seconds} s: ${seen}`
    const change: Change = { status: 'RESOLVED', resolvedAt: now }
    await record(tx, incident, { kind: 'RESOLVED', text }, change, now)
  })
  floor.nudge()
  floor.log.info({ incident: incident.id, symptom: incident.symptom }, 'an incident is resolved')
}

async function escalate(handling: Handling, why: string, { seen }: Measured): Promise<void> {
  const { floor, incident, seen: observed } = handling
  const now = new Date()
  await inTransaction(floor.pool, internalSettings, async (tx) => {
    const [timeline = []] = await timelinesOf(tx, [incident.id])
    const agent = observed.agents.find(({ id }) => id === incident.agentId)
    const context = {
      why,
      lastSeen: seen,
      detected: timeline.findLast(({ kind }) => kind === 'DETECTED' || kind === 'RECURRED')?.text,
      tried: timeline.flatMap(({ kind, action, succeeded, text, at }) =>
        kind === 'OUTCOME' ? [{ action, succeeded, text, at }] : [],
      ),
      agent: agent ?? null,
      pool: observed.pools.find(({ name }) => name === incident.pool) ?? null,
      run: observed.runs.find(({ id }) => id === incident.subjectId) ?? null,
    }
    const progress = { ...incident.progress, heldSince: null }
    const change: Change = { status: 'ESCALATED', escalatedAt: now, context, progress }
    await record(tx, incident, { kind: 'ESCALATED', text: why }, change, now)
  })
  floor.nudge()
  floor.log.error({ incident: incident.id, symptom: incident.symptom, why }, 'an incident is escalated')
}

async function write(
  { floor }: Handling,
  incident: IncidentRow,
  entry: Entry,
  change: Change = {},
): Promise<IncidentRow> {
  const row = await inTransaction(floor.pool, internalSettings, (tx) =>
    record(tx, incident, entry, change, new Date()),
  )
  floor.nudge()
  return row
}
