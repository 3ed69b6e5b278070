import type { Db } from '@community/infra/postgres.ts'
import { refusalFor } from '../catalog-policy/refusal.ts'
import type { PlanDefinition } from './definition.ts'
import { stepsIn } from './dependencies.ts'
import type { FleetAgent } from './fleet.ts'
import { labelledAgents, type RegisteredAgent, registeredAgents } from './registered.ts'

/** What a plan may be about: an agent of the fleet, which it can deploy, or one that is registered. */
export type KnownAgent = RegisteredAgent & {
  /** Only these can be deployed, looked at, certified, listed and activated. */
  inFleet: boolean
  /** Why the organization that hands the plan in does not let it be called; of those that its steps name. */
  refusal?: string | null
  /** Of its first capability, as `health` sends it. */
  example?: { capability: string; input: unknown }
}

/** The fleet in its order, then those registered that `db` lets see and that the plan's steps name or select. */
export async function knownAgents(
  db: Db,
  fleet: ReadonlyMap<string, FleetAgent>,
  plan: PlanDefinition,
  organizationId: string,
): Promise<Map<string, KnownAgent>> {
  const known = new Map<string, KnownAgent>()
  for (const agent of fleet.values()) {
    const { id, version, labels, tokensPerCall, capabilities, capability, input } = agent
    const example = { capability, input }
    known.set(id, {
      id,
      organizationId: agent.organizationId,
      version,
      labels,
      tokensPerCall,
      capabilities,
      inFleet: true,
      example,
    })
  }
  const steps = stepsIn(plan).map(({ step }) => step)
  const ids = steps.flatMap((step) => [
    ...('agent' in step && step.agent !== undefined ? [step.agent] : []),
    ...('compensate' in step && step.compensate?.agent !== undefined ? [step.compensate.agent] : []),
  ])
  const selections = steps.flatMap((step) => ('select' in step && step.select ? [step.select] : []))
  const registered = [
    ...(ids.length > 0 ? await namedAgents(db, ids, organizationId) : []),
    ...(selections.length > 0 ? await labelledAgents(db, selections) : []),
  ]
  for (const agent of registered) if (!known.has(agent.id)) known.set(agent.id, { ...agent, inFleet: false })
  return known
}

const namedAgents = async (db: Db, ids: readonly string[], organizationId: string) =>
  (await registeredAgents(db, ids, organizationId)).map(({ standing, ...agent }) => ({
    ...agent,
    refusal: refusalFor(organizationId, agent, standing),
  }))

/** In the order of those known. */
export function selected(
  known: ReadonlyMap<string, KnownAgent>,
  labels: Record<string, string>,
): KnownAgent[] {
  const wanted = Object.entries(labels)
  return [...known.values()].filter((agent) =>
    wanted.every(([label, value]) => agent.labels[label] === value),
  )
}
