import type { RunDefinition } from './check.ts'
import { dependenciesOf } from './dependencies.ts'
import type { FleetAgent } from './fleet.ts'
import type { NewStep } from './store.ts'

/** The rows of a run, in their order. `agents` are those that phases with actions select, by phase. */
export function plannedSteps(
  { phases, agents: ofSteps = {} }: RunDefinition,
  agents: ReadonlyMap<string, readonly FleetAgent[]>,
): NewStep[] {
  return phases.flatMap(({ name: phase, actions = [], steps = [] }): NewStep[] => [
    ...(agents.get(phase) ?? []).flatMap(({ id }) =>
      actions.map(
        (action): NewStep => ({ phase, name: null, agentId: id, action, dependsOn: [], undoTokens: 0 }),
      ),
    ),
    ...steps.flatMap((step) => {
      const { name } = step
      const action = step.action.toUpperCase() as NewStep['action']
      const dependsOn = dependenciesOf(step)
      const isOfAgents = step.action !== 'wait' && step.action !== 'approve' && step.action !== 'gate'
      const ids = isOfAgents ? (ofSteps[name] ?? []).map(({ id }) => id) : [null]
      return ids.map((agentId): NewStep => {
        const { undoTokens = 0 } = ofSteps[name]?.find(({ id }) => id === agentId) ?? {}
        return { phase, name, agentId, action, dependsOn, undoTokens }
      })
    }),
  ])
}
