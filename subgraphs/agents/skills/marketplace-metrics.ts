import { z } from 'zod'
import { type SkillContext, skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const listingSchema = z.object({
  category: z.object({ name: z.string() }),
  publisher: z.object({ id: z.string() }),
  publishedAt: z.string(),
  rating: z.object({ count: z.int(), histogram: z.array(z.int()) }),
  certification: z.object({ status: z.string(), level: z.string() }).nullable(),
})
type Listing = z.output<typeof listingSchema>
const answer = z.object({
  searchListings: z.object({
    totalCount: z.int(),
    edges: z.array(z.object({ node: listingSchema })),
    pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
  }),
})
const document = `query MarketplaceMetrics($filter: ListingFilter, $after: String) {
  searchListings(filter: $filter, sort: TITLE, first: 200, after: $after) {
    totalCount
    edges {
      node {
        category { name } publisher { id } publishedAt
        rating { count histogram } certification { status level }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}`
const maxPages = 10

/** The catalogue in figures: listings, ratings and certifications counted. */
export const marketplaceMetrics = skill({
  name: 'marketplace-metrics',
  configuration: z.strictObject({
    top: z.int().min(1).max(20),
    newWithinDays: z.int().min(1).max(366),
  }),
  input: z.strictObject({
    publisher: z.string().max(120).optional().describe('Only listings of this organization'),
    tag: z.string().max(100).optional().describe('Only listings with this pool or capability'),
    type: z.string().max(30).optional().describe('Only agents of this type, in small letters'),
  }),
  output: z.strictObject({
    listings: z.int().describe('In the catalogue'),
    counted: z.int().describe('Of these, looked at; at most 2,000'),
    newListings: z.int().describe('Published lately'),
    ratings: z
      .strictObject({
        count: z.int().describe('Given in all'),
        mean: z.number().nullable().describe('Plain mean of the stars; null where there are none'),
        ratedListings: z.int().describe('Listings with a rating'),
      })
      .describe('What users said'),
    certifications: z.record(z.string(), z.int()).describe('Listings by certificate in force, or NONE'),
    publishers: z.int().describe('Organizations that publish'),
    topCategories: z.record(z.string(), z.int()).describe('The largest, counted'),
  }),
  async run(filter, { top, newWithinDays }, context) {
    const { total, listings } = await allListings(filter, context)
    const since = context.now().getTime() - newWithinDays * 86_400_000
    const count = sum(listings.map(({ rating }) => rating.count))
    const stars = sum(
      listings.flatMap(({ rating }) => rating.histogram.map((given, index) => given * (index + 1))),
    )
    return {
      listings: total,
      counted: listings.length,
      newListings: listings.filter(({ publishedAt }) => Date.parse(publishedAt) >= since).length,
      ratings: {
        count,
        mean: count === 0 ? null : rounded(stars / count, 2),
        ratedListings: listings.filter(({ rating }) => rating.count > 0).length,
      },
      certifications: counts(listings.map(levelOf)),
      publishers: new Set(listings.map(({ publisher }) => publisher.id)).size,
      topCategories: counts(
        listings.map(({ category }) => category.name),
        top,
      ),
    }
  },
})

async function allListings(
  filter: object,
  context: SkillContext,
): Promise<{ total: number; listings: Listing[] }> {
  const listings: Listing[] = []
  let total = 0
  let after: string | null = null
  for (let page = 0; page < maxPages; page++) {
    const { searchListings } = answer.parse(await context.graph(document, { filter, after }))
    total = searchListings.totalCount
    listings.push(...searchListings.edges.map(({ node }) => node))
    after = searchListings.pageInfo.endCursor
    if (!searchListings.pageInfo.hasNextPage || after === null) break
  }
  return { total, listings }
}

const levelOf = ({ certification }: Listing) =>
  certification?.status === 'CERTIFIED' ? certification.level : 'NONE'

/** Most frequent first. */
function counts(words: readonly string[], first = words.length): Record<string, number> {
  const groups = [...Map.groupBy(words, (word) => word)].map(([word, all]) => [word, all.length] as const)
  return Object.fromEntries(groups.toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, first))
}
