import type { Transaction } from '@community/infra/postgres.ts'
import type { RunDefinition } from './check.ts'
import { stepsIn } from './dependencies.ts'

/** Agents that what a run says may be about, but for those that its phases select when it begins. */
export const agentsNamed = (definition: RunDefinition): string[] => [
  ...Object.values(definition.agents ?? {}).flatMap((agents) => agents.map(({ id }) => id)),
  ...stepsIn(definition).flatMap(({ step }) =>
    'compensate' in step && step.compensate?.agent !== undefined ? [step.compensate.agent] : [],
  ),
]

/** From now on the run is for nobody who may not see these; triggers narrow it, now and when an agent comes to be for fewer. */
export async function nameAgents(tx: Transaction, runId: string, agentIds: readonly string[]): Promise<void> {
  if (agentIds.length === 0) return
  await tx.query(
    `insert into run_agent (run_id, agent_id) select $1, id from unnest($2::text[]) as named (id)
     on conflict do nothing`,
    [runId, [...new Set(agentIds)]],
  )
}
