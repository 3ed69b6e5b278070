import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const nameSchema = z.string().min(1).max(120)

/** What goes with what one uses already: item-to-item collaborative filtering, after Sarwar et al. */
export const itemRecommendation = skill({
  name: 'item-recommendation',
  configuration: z.strictObject({
    /** cosine: who uses both, against how many use each. lift: how much oftener than by chance both are used. */
    similarity: z.enum(['cosine', 'lift']),
    /** Fewer users in common are no evidence. */
    minimumTogether: z.int().min(1).max(1000),
    /** With lift, 1 is chance. */
    above: z.number().min(0).max(100),
    first: z.int().min(1).max(30),
  }),
  input: z.strictObject({
    uses: z
      .array(
        z.strictObject({
          user: nameSchema.describe('Who'),
          items: z.array(nameSchema).min(1).max(60).describe('What it uses'),
        }),
      )
      .min(1)
      .max(400)
      .describe('One entry per user'),
    have: z.array(nameSchema).min(1).max(40).describe('What the one to be advised uses already'),
  }),
  output: z.strictObject({
    recommendations: z
      .array(
        z.strictObject({
          item: z.string().describe('What might be wanted'),
          score: z.number().describe('Likeness to all that is used, summed'),
          because: z.array(z.string()).describe('What it goes with, closest first'),
        }),
      )
      .describe('Best first'),
    unknown: z.array(z.string()).describe('Of what is used already, what nobody else uses'),
  }),
  run({ uses, have }, { similarity, minimumTogether, above, first }) {
    const users = new Map<string, Set<number>>()
    for (const [user, { items }] of uses.entries())
      for (const item of items) users.set(item, (users.get(item) ?? new Set()).add(user))
    const owned = new Set(have)
    const recommendations = [...users]
      .filter(([item]) => !owned.has(item))
      .map(([item, own]) => {
        const ties = [...owned]
          .map((one) => ({
            one,
            like: likeness(own, users.get(one), uses.length, similarity, minimumTogether),
          }))
          .filter(({ like }) => like > above)
          .toSorted((a, b) => b.like - a.like || (a.one < b.one ? -1 : 1))
        return {
          item,
          score: rounded(sum(ties.map(({ like }) => like))),
          because: ties.slice(0, 5).map(({ one }) => one),
        }
      })
      .filter(({ score }) => score > 0)
    return {
      recommendations: recommendations
        .toSorted((a, b) => b.score - a.score || (a.item < b.item ? -1 : 1))
        .slice(0, first),
      unknown: [...owned].filter((item) => !users.has(item)),
    }
  },
})

function likeness(
  a: ReadonlySet<number>,
  b: ReadonlySet<number> | undefined,
  all: number,
  similarity: 'cosine' | 'lift',
  minimumTogether: number,
): number {
  const together = b ? a.intersection(b).size : 0
  if (!b || together < minimumTogether) return 0
  if (similarity === 'cosine') return together / Math.sqrt(a.size * b.size)
  return (together * all) / (a.size * b.size)
}
