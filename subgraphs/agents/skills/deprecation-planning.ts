import { z } from 'zod'
import { skill } from './skill.ts'

const nameSchema = z.string().min(1).max(120)
const agentSchema = z.strictObject({
  agent: nameSchema.describe('Its id'),
  dependsOn: z.array(nameSchema).max(50).describe('Agents that it calls'),
})
type Node = z.output<typeof agentSchema>

/** How to retire an agent without breaking those who rely on it: dependents in waves, and the days of each step. */
export const deprecationPlanning = skill({
  name: 'deprecation-planning',
  configuration: z.strictObject({
    /** Between the announcement and the first move. */
    noticeDays: z.int().min(0).max(365),
    daysPerWave: z.int().min(1).max(90),
    /** With both running, before the old one goes. */
    graceDays: z.int().min(0).max(365),
    agentsPerWave: z.int().min(1).max(50),
  }),
  input: z.strictObject({
    retire: nameSchema.describe('The agent that is to go'),
    successor: nameSchema.optional().describe('Who takes its place'),
    from: z.iso.date().describe('Day of the announcement'),
    agents: z.array(agentSchema).max(300).describe('Who calls whom'),
  }),
  output: z.strictObject({
    feasible: z.boolean().describe('False where something stands in the way'),
    obstacles: z.array(z.string()).describe('What must be solved first'),
    direct: z.int().describe('Agents that call it themselves'),
    indirect: z.array(z.string()).describe('Agents that reach it only through others, at most 50'),
    waves: z
      .array(
        z.strictObject({
          on: z.string().describe('Day on which the wave moves over'),
          agents: z.array(z.string()).describe('Who moves'),
        }),
      )
      .describe('Those whom fewest rely on move first'),
    retireOn: z.string().nullable().describe('Day on which the old one can go; null while not feasible'),
  }),
  run({ retire, successor, from, agents }, { noticeDays, daysPerWave, graceDays, agentsPerWave }) {
    const dependentsOf = reversed(agents)
    const affected = reachable(retire, dependentsOf)
    const direct = [...(dependentsOf.get(retire) ?? [])].filter((one) => one !== retire && one !== successor)
    const obstacles = obstaclesTo({ retire, successor, agents, direct })
    // A mistake shows where it hurts least: the blast radius grows from wave to wave.
    const radius = new Map(direct.map((agent) => [agent, reachable(agent, dependentsOf).size]))
    const order = direct.toSorted((a, b) => radius.get(a)! - radius.get(b)! || (a < b ? -1 : 1))
    const waves = Array.from({ length: Math.ceil(order.length / agentsPerWave) }, (_, wave) => ({
      on: dayAfter(from, noticeDays + wave * daysPerWave),
      agents: order.slice(wave * agentsPerWave, (wave + 1) * agentsPerWave),
    }))
    const last = noticeDays + waves.length * daysPerWave + graceDays
    return {
      feasible: obstacles.length === 0,
      obstacles,
      direct: direct.length,
      indirect: [...affected]
        .filter((agent) => agent !== retire && agent !== successor && !direct.includes(agent))
        .toSorted()
        .slice(0, 50),
      waves,
      retireOn: obstacles.length === 0 ? dayAfter(from, last) : null,
    }
  },
})

function reversed(agents: readonly Node[]): Map<string, Set<string>> {
  const dependents = new Map<string, Set<string>>()
  for (const { agent, dependsOn } of agents)
    for (const one of dependsOn) dependents.set(one, (dependents.get(one) ?? new Set()).add(agent))
  return dependents
}

/** Breadth first, without the start itself. */
function reachable(start: string, next: ReadonlyMap<string, ReadonlySet<string>>): Set<string> {
  const found = new Set<string>()
  let edge = [start]
  while (edge.length > 0) {
    edge = [...new Set(edge.flatMap((one) => [...(next.get(one) ?? [])]))].filter((one) => !found.has(one))
    for (const one of edge) found.add(one)
  }
  found.delete(start)
  return found
}

type Case = {
  retire: string
  successor: string | undefined
  agents: readonly Node[]
  direct: readonly string[]
}

function obstaclesTo({ retire, successor, agents, direct }: Case): string[] {
  if (successor === undefined)
    return direct.length > 0 ? [`${direct.length} agents call ${retire}, and nobody takes its place`] : []
  if (successor === retire) return [`${retire} can't take its own place`]
  if (!agents.some(({ agent }) => agent === successor)) return [`${successor} is none of the agents`]
  const forward = new Map(agents.map(({ agent, dependsOn }) => [agent, new Set(dependsOn)]))
  const needs = reachable(successor, forward)
  if (needs.has(retire)) return [`${successor} relies on ${retire} itself`]
  // Moved over, these would call themselves in the end.
  return direct
    .filter((one) => needs.has(one))
    .map((one) => `${successor} relies on ${one}, which would call it`)
}

const dayAfter = (day: string, days: number): string =>
  new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10)
