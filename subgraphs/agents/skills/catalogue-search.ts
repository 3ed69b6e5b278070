import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const listingSchema = z.object({
  id: z.string(),
  category: z.object({ name: z.string() }),
  rating: z.object({ average: z.number().nullable(), count: z.int() }),
  certification: z.object({ status: z.string(), level: z.string() }).nullable(),
})
const answer = z.object({
  searchListings: z.object({
    totalCount: z.int(),
    edges: z.array(z.object({ node: listingSchema })),
    facets: z.array(
      z.object({
        name: z.string(),
        values: z.array(z.object({ value: z.string(), count: z.int() })),
      }),
    ),
  }),
})

const levels = z.enum(['BRONZE', 'SILVER', 'GOLD'])

/** A search of the catalogue told in few words: the first listings, and by what the rest could be narrowed. */
export const catalogueSearch = skill({
  name: 'catalogue-search',
  configuration: z.strictObject({
    sort: z.enum(['RELEVANCE', 'RATING', 'NEWEST', 'TITLE']),
    first: z.int().min(1).max(20),
    facets: z.array(z.enum(['category', 'type', 'publisher', 'certification', 'pool'])).max(5),
    valuesEach: z.int().min(1).max(10),
  }),
  input: z.strictObject({
    query: z.string().max(300).optional().describe('Words to look for; all listings where left out'),
    type: z.string().max(30).optional().describe('An agent type in small letters'),
    publisher: z.string().max(120).optional().describe("An organization's id"),
    tag: z.string().max(100).optional().describe('A pool or a capability'),
    certificationLevel: levels.optional().describe('At least this one'),
    minimumRating: z.number().min(1).max(5).optional().describe('At least this average'),
  }),
  output: z.strictObject({
    found: z.int().describe('Listings that fit'),
    listings: z
      .array(
        z.strictObject({
          listing: z.string().describe('Its id'),
          category: z.string().describe('Where it stands'),
          stars: z.number().nullable().describe('Average; null while nobody has rated'),
          ratings: z.int().describe('How many have rated'),
          certified: z.string().nullable().describe('Level of the certificate in force'),
        }),
      )
      .describe('The first of them'),
    narrowBy: z
      .array(
        z.strictObject({
          facet: z.string().describe('What could be told more exactly'),
          values: z.record(z.string(), z.int()).describe('The most frequent, counted'),
          others: z.int().describe('Listings with another value'),
        }),
      )
      .describe('Facets that would divide the listings found'),
  }),
  async run({ query, ...filter }, { sort, first, facets, valuesEach }, context) {
    const { searchListings } = answer.parse(
      await context.graph(
        `query CatalogueSearch($query: String, $filter: ListingFilter, $sort: ListingSort, $first: Int) {
          searchListings(query: $query, filter: $filter, sort: $sort, first: $first) {
            totalCount
            edges { node { id category { name } rating { average count } certification { status level } } }
            facets { name values { value count } }
          }
        }`,
        { query, filter, sort, first },
      ),
    )
    return {
      found: searchListings.totalCount,
      listings: searchListings.edges.map(({ node: { id, category, rating, certification } }) => ({
        listing: id,
        category: category.name,
        stars: rating.average === null ? null : rounded(rating.average, 2),
        ratings: rating.count,
        certified: certification?.status === 'CERTIFIED' ? certification.level : null,
      })),
      // A facet with one value divides nothing.
      narrowBy: searchListings.facets
        .filter(({ name, values }) => facets.some((facet) => facet === name) && values.length > 1)
        .map(({ name, values }) => ({
          facet: name,
          values: Object.fromEntries(values.slice(0, valuesEach).map(({ value, count }) => [value, count])),
          others: sum(values.slice(valuesEach).map(({ count }) => count)),
        })),
    }
  },
})
