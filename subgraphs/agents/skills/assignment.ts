import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const party = z.strictObject({
  name: z.string().min(1).max(80).describe('Unique on its side'),
  organization: z.string().max(80).optional().describe('Whom it belongs to'),
})

/** One task for each agent at the best total: the Hungarian method. */
export const assignment = skill({
  name: 'assignment',
  configuration: z.strictObject({
    objective: z.enum(['lowest-total', 'highest-total']),
    forbid: z.enum(['nothing', 'same-organization']),
  }),
  input: z
    .strictObject({
      agents: z.array(party).min(1).max(40).describe('Who can take one task each'),
      tasks: z.array(party).min(1).max(40).describe('What there is to do'),
      scores: z
        .array(z.array(z.number().min(-1e6).max(1e6)).max(40))
        .max(40)
        .describe('A row per agent, a column per task'),
    })
    .refine(
      ({ agents, tasks, scores }) =>
        scores.length === agents.length && scores.every((row) => row.length === tasks.length),
      { path: ['scores'], message: 'needs a row per agent and a column per task' },
    ),
  output: z.strictObject({
    pairs: z
      .array(
        z.strictObject({
          agent: z.string().describe('Who takes it'),
          task: z.string().describe('What it takes'),
          score: z.number().describe('As given'),
        }),
      )
      .describe('In the order of the tasks'),
    total: z.number().describe('Of the pairs'),
    unassigned: z.array(z.string()).describe('Tasks that nobody takes'),
  }),
  run({ agents, tasks, scores }, { objective, forbid }) {
    const size = Math.max(agents.length, tasks.length)
    const places = Array.from({ length: size }, (_, place) => place)
    const sign = objective === 'lowest-total' ? 1 : -1
    const prohibitive = (1 + Math.max(...scores.flat().map(Math.abs))) * size * 4
    const barred = (agent: number, task: number) => {
      const [a, t] = [agents[agent]?.organization, tasks[task]?.organization]
      return forbid === 'same-organization' && a !== undefined && a === t
    }
    const cost = places.map((agent) =>
      places.map((task) => (barred(agent, task) ? prohibitive : sign * (scores[agent]?.[task] ?? 0))),
    )
    const taken = rowOfColumn(cost)
    const pairs = tasks.flatMap((task, column) => {
      const agent = agents[taken[column]!]
      if (!agent || barred(taken[column]!, column)) return []
      return [{ agent: agent.name, task: task.name, score: scores[taken[column]!]![column]! }]
    })
    return {
      pairs,
      total: rounded(sum(pairs.map((pair) => pair.score))),
      unassigned: tasks.map((task) => task.name).filter((name) => !pairs.some((pair) => pair.task === name)),
    }
  },
})

/** Kuhn and Munkres with potentials on a square matrix, O(n³): the row for each column at the lowest total. */
function rowOfColumn(cost: number[][]): number[] {
  const size = cost.length
  const zeros = (): number[] => Array(size + 1).fill(0)
  const [rowPotential, columnPotential, rowOf, cameFrom] = [zeros(), zeros(), zeros(), zeros()]
  for (let row = 1; row <= size; row++) {
    const least: number[] = Array(size + 1).fill(Number.POSITIVE_INFINITY)
    const visited = new Set<number>()
    rowOf[0] = row
    let column = 0
    do {
      visited.add(column)
      const current = rowOf[column]!
      let delta = Number.POSITIVE_INFINITY
      let next = 0
      for (let j = 1; j <= size; j++) {
        if (visited.has(j)) continue
        const reduced = cost[current - 1]![j - 1]! - rowPotential[current]! - columnPotential[j]!
        if (reduced < least[j]!) {
          least[j] = reduced
          cameFrom[j] = column
        }
        if (least[j]! < delta) {
          delta = least[j]!
          next = j
        }
      }
      for (let j = 0; j <= size; j++) {
        if (visited.has(j)) {
          rowPotential[rowOf[j]!]! += delta
          columnPotential[j]! -= delta
        } else least[j]! -= delta
      }
      column = next
    } while (rowOf[column] !== 0)
    while (column !== 0) {
      const before = cameFrom[column]!
      rowOf[column] = rowOf[before]!
      column = before
    }
  }
  return rowOf.slice(1).map((row) => row - 1)
}
