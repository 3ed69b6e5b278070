import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

const nameSchema = z.string().min(1).max(60)
const linkSchema = z.strictObject({
  from: nameSchema.describe('Where it begins'),
  to: nameSchema.describe('Where it ends; links go one way'),
  weight: z.number().min(0).max(1e9).describe('Its length, capacity or reliability'),
})
type Link = z.output<typeof linkSchema>

/** What a way is worth from its links, and which of two is better. All fit Dijkstra: no link improves a way. */
const measures = {
  shortest: { start: 0, join: (a: number, b: number) => a + b, better: (a: number, b: number) => a < b },
  widest: { start: Number.MAX_VALUE, join: Math.min, better: (a: number, b: number) => a > b },
  'most-reliable': {
    start: 1,
    join: (a: number, b: number) => a * Math.min(b, 1),
    better: (a: number, b: number) => a > b,
  },
}

/** The best way through a graph of agents by Dijkstra's algorithm, and a backup without a link in common. */
export const routeSearch = skill({
  name: 'route-search',
  configuration: z.strictObject({
    measure: z.enum(['shortest', 'widest', 'most-reliable']),
    backup: z.boolean(),
    maxHops: z.int().min(1).max(50),
  }),
  input: z.strictObject({
    from: nameSchema.describe('Where the way begins'),
    to: nameSchema.describe('Where it ends'),
    links: z.array(linkSchema).min(1).max(300).describe('Who can hand over to whom'),
    avoid: z.array(nameSchema).max(50).optional().describe('Where it may not pass'),
  }),
  output: z.strictObject({
    path: z.array(z.string()).describe('From first to last; empty where there is no way'),
    total: z.number().nullable().describe('Sum of lengths, smallest capacity or product of reliabilities'),
    backup: z
      .array(z.string())
      .nullable()
      .describe('The best way without any link of the first, if there is one'),
  }),
  run({ from, to, links, avoid = [] }, { measure, backup, maxHops }) {
    const open = links.filter((link) => !avoid.includes(link.from) && !avoid.includes(link.to))
    const best = bestWay(open, from, to, measures[measure])
    if (!best) return { path: [], total: null, backup: null }
    if (best.links.length > maxHops)
      throw new Error(`links: the best way takes ${best.links.length} hops, at most ${maxHops} allowed`)
    const path = (way: Link[]) => [from, ...way.map((link) => link.to)]
    const rest = backup
      ? bestWay(
          open.filter((link) => !best.links.includes(link)),
          from,
          to,
          measures[measure],
        )
      : null
    return { path: path(best.links), total: rounded(best.value), backup: rest && path(rest.links) }
  },
})

function bestWay(
  links: Link[],
  from: string,
  to: string,
  { start, join, better }: (typeof measures)[keyof typeof measures],
): { value: number; links: Link[] } | null {
  const reached = new Map([[from, { value: start, via: null as Link | null }]])
  const settled = new Set<string>()
  for (;;) {
    let next: string | null = null
    for (const [node, { value }] of reached)
      if (!settled.has(node) && (next === null || better(value, reached.get(next)!.value))) next = node
    if (next === null) return null
    if (next === to) break
    settled.add(next)
    for (const link of links.filter((one) => one.from === next)) {
      const value = join(reached.get(next)!.value, link.weight)
      const known = reached.get(link.to)
      if (!known || better(value, known.value)) reached.set(link.to, { value, via: link })
    }
  }
  const way: Link[] = []
  for (let via = reached.get(to)!.via; via; via = reached.get(via.from)!.via) way.unshift(via)
  return { value: reached.get(to)!.value, links: way }
}
