import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const itemSchema = z.strictObject({
  id: z.string().min(1).max(160).describe('A listing'),
  publishedHoursAgo: z.number().min(0).max(1e6).describe('Its age'),
  uses: z
    .array(
      z.strictObject({
        hoursAgo: z.number().min(0).max(1e6).describe('When'),
        count: z.int().min(0).max(1e9).describe('How often it was used about then'),
      }),
    )
    .max(200)
    .describe('In any order'),
})
type Item = z.output<typeof itemSchema>

const configurationSchema = z.strictObject({
  /** gravity: uses against age. half-life: uses fade. surge: lately against before, in Poisson deviations. */
  method: z.enum(['gravity', 'half-life', 'surge']),
  gravity: z.number().min(0).max(5),
  halfLifeHours: z.number().positive().max(100_000),
  recentHours: z.number().positive().max(10_000),
  minimumUses: z.int().min(0).max(1_000_000),
  first: z.int().min(1).max(50),
})
type Settings = z.output<typeof configurationSchema>

/** What is on the rise: by age as news sites rank, by fading use, or by use that leaves its own past behind. */
export const trending = skill({
  name: 'trending',
  configuration: configurationSchema,
  input: z.strictObject({
    items: z.array(itemSchema).min(1).max(300).describe('Listings with their use'),
  }),
  output: z.strictObject({
    ranking: z
      .array(
        z.strictObject({
          id: z.string().describe('A listing'),
          score: z.number().describe('Comparable within one answer'),
          uses: z.number().describe('In all'),
        }),
      )
      .describe('Highest first'),
    passedOver: z.array(z.string()).describe('Listings with too few uses to tell, at most 50'),
  }),
  run({ items }, settings) {
    const usesOf = ({ uses }: Item) => sum(uses.map(({ count }) => count))
    const known = items.filter((item) => usesOf(item) >= settings.minimumUses)
    return {
      ranking: known
        .map((item) => ({
          id: item.id,
          score: rounded(methods[settings.method](item, settings)),
          uses: usesOf(item),
        }))
        .toSorted((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
        .slice(0, settings.first),
      passedOver: items
        .filter((item) => !known.includes(item))
        .map(({ id }) => id)
        .slice(0, 50),
    }
  },
})

const methods = {
  /** (points - 1) / (hours + 2)^gravity, as Hacker News is said to rank. */
  gravity: ({ publishedHoursAgo, uses }: Item, { gravity }: Settings) =>
    (sum(uses.map(({ count }) => count)) - 1) / (publishedHoursAgo + 2) ** gravity,

  'half-life': ({ uses }: Item, { halfLifeHours }: Settings) =>
    sum(uses.map(({ hoursAgo, count }) => count * 0.5 ** (hoursAgo / halfLifeHours))),

  /** What came lately less what the time before leads one to expect, in standard deviations. */
  surge({ publishedHoursAgo, uses }: Item, { recentHours }: Settings) {
    const recent = sum(uses.filter(({ hoursAgo }) => hoursAgo < recentHours).map(({ count }) => count))
    const before = sum(uses.filter(({ hoursAgo }) => hoursAgo >= recentHours).map(({ count }) => count))
    // One use more than seen: with no past at all, a single use is no surge.
    const expected = (before + 1) * (recentHours / Math.max(recentHours, publishedHoursAgo - recentHours))
    return (recent - expected) / Math.sqrt(expected)
  },
}
