import { createHash } from 'node:crypto'
import { z } from 'zod'
import { skill } from './skill.ts'

const nodeSchema = z.strictObject({
  name: z.string().min(1).max(80).describe('Where a key may go'),
  weight: z.number().positive().max(1000).describe('Its share of the keys, relative to the others'),
})
type Node = z.output<typeof nodeSchema>

/** The same place for the same key, and few moves when places come or go: weighted rendezvous hashing. */
export const rendezvousHashing = skill({
  name: 'rendezvous-hashing',
  configuration: z.strictObject({
    /** How many places each key gets. */
    copies: z.int().min(1).max(5),
    /** Keys under different names are placed independently. */
    space: z.string().min(1).max(40),
  }),
  input: z.strictObject({
    keys: z.array(z.string().min(1).max(120)).min(1).max(100).describe('What must be placed'),
    nodes: z.array(nodeSchema).min(1).max(50).describe('Where it may be placed'),
  }),
  output: z.strictObject({
    placements: z
      .array(
        z.strictObject({
          key: z.string().describe('What was placed'),
          nodes: z.array(z.string()).describe('Where, the first choice first'),
        }),
      )
      .describe('In the order of the keys'),
    load: z.record(z.string(), z.int()).describe('Keys per place, first choices and copies'),
  }),
  run({ keys, nodes }, { copies, space }) {
    const placements = keys.map((key) => ({
      key,
      nodes: nodes
        .map((node) => ({ name: node.name, score: score(space, key, node) }))
        .toSorted((a, b) => b.score - a.score)
        .slice(0, copies)
        .map(({ name }) => name),
    }))
    const placed = placements.flatMap((placement) => placement.nodes)
    return {
      placements,
      load: Object.fromEntries(
        nodes.map(({ name }) => [name, placed.filter((other) => other === name).length]),
      ),
    }
  },
})

/** Weight over an exponentially distributed draw: the highest falls on a node in proportion to its weight. */
function score(space: string, key: string, node: Node): number {
  const digest = createHash('sha256')
    .update(JSON.stringify([space, key, node.name]))
    .digest()
  const uniform = (digest.readUIntBE(0, 6) + 0.5) / 2 ** 48
  return -node.weight / Math.log(uniform)
}
