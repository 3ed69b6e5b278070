import { z } from 'zod'
import { GraphError } from '../../kit/graph.ts'
import type { Floor } from '../../kit/subgraph.ts'
import { askFor } from './ask.ts'
import type { Measure } from './definition.ts'
import type { Criterion, StepRow } from './store.ts'

/** An agent, in the version that is meant. */
export type Reviewed = { id: string; organizationId: string; version: string }

type Seen = { active: boolean; healthy: boolean; listed: boolean; certified: boolean }

/** Measures a run's criteria: agents through the graph, as anybody would see them, in the versions that the run is for. */
export async function review(
  floor: Floor,
  agents: readonly Reviewed[],
  steps: readonly StepRow[],
  criteria: readonly Criterion[],
  signal: AbortSignal,
): Promise<Criterion[]> {
  const isAsked = criteria.some(({ name }) => name !== 'failed-steps')
  const seen = await look(floor, isAsked ? agents : [], signal).catch((error: unknown) => {
    signal.throwIfAborted()
    // What could not be measured is not met.
    if (error instanceof GraphError) return null
    throw error
  })
  const failed = steps.filter(({ status }) => status !== 'SUCCEEDED' && status !== 'SKIPPED').length
  return criteria.map(({ name, target }) => {
    const actual = name === 'failed-steps' ? failed : seen && measured(name as Measure, seen, agents.length)
    const met = actual !== null && (name === 'failed-steps' ? actual <= target : actual >= target)
    return { name, target, actual, met }
  })
}

/** What of a criterion is not met. */
export const told = ({ name, target, actual }: Criterion) =>
  `${name}: ${actual ?? 'not measured'}, expected ${name === 'failed-steps' ? 'at most' : 'at least'} ${target}`

function measured(name: Measure, seen: readonly Seen[], expected: number): number {
  const count = (fits: (agent: Seen) => boolean) => seen.filter(fits).length
  if (name === 'active-agents') return count(({ active }) => active)
  if (name === 'certified-agents') return count(({ certified }) => certified)
  if (name === 'listed-agents') return count(({ listed }) => listed)
  return expected === 0 ? 0 : count(({ healthy }) => healthy) / expected
}

const query = `query ($organizationId: ID!, $after: String) {
  agents(filter: { organizationId: $organizationId }, first: 200, after: $after) {
    edges { node { id status health deployedVersion listing { id } certification { status agentVersion } } }
    pageInfo { hasNextPage endCursor }
  }
}`

const page = z.object({
  agents: z.object({
    edges: z.array(
      z.object({
        node: z.object({
          id: z.string(),
          status: z.string(),
          health: z.string(),
          deployedVersion: z.string().nullable(),
          listing: z.object({ id: z.string() }).nullable(),
          certification: z.object({ status: z.string(), agentVersion: z.string().nullable() }).nullable(),
        }),
      }),
    ),
    pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
  }),
})

async function look(floor: Floor, agents: readonly Reviewed[], signal: AbortSignal): Promise<Seen[]> {
  const versions = new Map(agents.map(({ id, version }) => [id, version]))
  const seen: Seen[] = []
  for (const organizationId of new Set(agents.map((agent) => agent.organizationId))) {
    let after: string | null = null
    do {
      const answer = await askFor(floor, organizationId, query, { organizationId, after }, signal)
      const { edges, pageInfo }: z.output<typeof page>['agents'] = page.parse(answer).agents
      for (const { node } of edges) {
        const version = versions.get(node.id)
        if (version === undefined) continue
        const { status, health, deployedVersion, listing, certification } = node
        seen.push({
          active: status === 'ACTIVE' && deployedVersion === version,
          healthy: health === 'HEALTHY',
          listed: listing !== null,
          certified: certification?.status === 'CERTIFIED' && certification.agentVersion === version,
        })
      }
      after = pageInfo.hasNextPage ? pageInfo.endCursor : null
    } while (after !== null)
  }
  return seen
}
