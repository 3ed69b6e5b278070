import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const ratingSchema = z.strictObject({
  listing: z.string().min(1).max(160).describe('What was rated'),
  stars: z.int().min(1).max(5).describe('1 to 5'),
  daysAgo: z.number().min(0).max(36_500).optional().describe('When; today where left out'),
})
type Weighted = { stars: number; weight: number }

/** Listings in the order of their ratings, few ratings held with caution: Bayesian mean, and Wilson's score interval. */
export const ratingAggregation = skill({
  name: 'rating-aggregation',
  configuration: z.strictObject({
    order: z.enum(['bayesian-mean', 'lower-bound']),
    /** How many ratings of the overall mean every listing is given beforehand. */
    priorWeight: z.number().min(0).max(100),
    /** Stars from here on are approval; the interval is of its share. */
    approvalFrom: z.int().min(2).max(5),
    /** Standard deviations, 1.96 for 95 %. */
    confidence: z.number().min(0.5).max(4),
    /** A rating counts half after so many days; null: all count alike. */
    halfLifeDays: z.number().positive().max(3650).nullable(),
  }),
  input: z.strictObject({
    ratings: z.array(ratingSchema).min(1).max(2000).describe('One for each user and listing'),
  }),
  output: z.strictObject({
    overallMean: z.number().describe('Of all ratings, by their weight'),
    ranking: z
      .array(
        z.strictObject({
          listing: z.string().describe('What was rated'),
          rank: z.int().describe('From 1; equals share a rank'),
          mean: z.number().describe('Bayesian mean of the stars'),
          approval: z.array(z.number()).describe("Share of approval: Wilson's lower and upper bound"),
          histogram: z.array(z.int()).describe('How many gave 1, 2, 3, 4 and 5 stars'),
        }),
      )
      .describe('Best first, at most 100'),
  }),
  run({ ratings }, { order, priorWeight, approvalFrom, confidence, halfLifeDays }) {
    const weighted = ratings.map(({ listing, stars, daysAgo = 0 }) => ({
      listing,
      stars,
      weight: halfLifeDays === null ? 1 : 0.5 ** (daysAgo / halfLifeDays),
    }))
    // Ratings so old that they weigh nothing leave a mean of nothing: all stars alike.
    const overallMean = weightedMean(weighted) ?? 3
    const scored = [...Map.groupBy(weighted, ({ listing }) => listing)].map(([listing, own]) => {
      const weight = sum(own.map((one) => one.weight))
      const stars = sum(own.map((one) => one.stars * one.weight))
      const approving = sum(own.filter((one) => one.stars >= approvalFrom).map((one) => one.weight))
      const all = priorWeight + weight
      const mean = all === 0 ? overallMean : (priorWeight * overallMean + stars) / all
      const [lower, upper] = wilson(approving, weight, confidence)
      return {
        listing,
        mean: rounded(mean, 3),
        approval: [rounded(lower), rounded(upper)],
        histogram: [1, 2, 3, 4, 5].map((step) => own.filter((one) => one.stars === step).length),
        score: rounded(order === 'bayesian-mean' ? mean : lower, 6),
      }
    })
    const sorted = scored.toSorted((a, b) => b.score - a.score || (a.listing < b.listing ? -1 : 1))
    return {
      overallMean: rounded(overallMean, 3),
      ranking: sorted.slice(0, 100).map(({ score, ...listing }) => ({
        ...listing,
        rank: 1 + sorted.findIndex((other) => other.score === score),
      })),
    }
  },
})

function weightedMean(ratings: readonly Weighted[]): number | null {
  const weight = sum(ratings.map((one) => one.weight))
  return weight < 1e-9 ? null : sum(ratings.map((one) => one.stars * one.weight)) / weight
}

/** E. B. Wilson, 1927; nothing is known of nothing. */
function wilson(successes: number, trials: number, z: number): [number, number] {
  if (trials < 1e-9) return [0, 1]
  const share = successes / trials
  const scale = 1 + z ** 2 / trials
  const centre = (share + z ** 2 / (2 * trials)) / scale
  const half = (z * Math.sqrt((share * (1 - share)) / trials + z ** 2 / (4 * trials ** 2))) / scale
  return [Math.max(0, centre - half), Math.min(1, centre + half)]
}
