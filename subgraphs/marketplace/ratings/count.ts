import type { Transaction } from '@community/infra/postgres.ts'
import { recountRated } from './rated.ts'

/** A rating of an organization that has not been seen to use the agent, beside one of an organization that has. */
const unverifiedWeight = 0.2

/** What all ratings that are not verified weigh together at most: as much as one organization that has used the agent. */
const mostUnverified = 1

/**
 * Counts the ratings of these listings anew, from their rows alone: how many, with which stars, what they weigh. Answers
 * with those whose figures were otherwise. Has to see all rows.
 */
export async function recount(tx: Transaction, listingIds: readonly string[]): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `with counted as (
       select listing_id, organization_id, verified, stars from rating
       where listing_id = any($1) and state = 'COUNTED' and not superseded
     ), voice as (
       select listing_id, verified, avg(stars)::float8 as mean,
         case when verified then 1 else ${unverifiedWeight} end::float8 as weight
       from counted group by listing_id, organization_id, verified
     ), side as (
       select listing_id, verified, sum(weight * mean) / sum(weight) as mean,
         case when verified then sum(weight) else least(sum(weight), ${mostUnverified}) end as weight
       from voice group by listing_id, verified
     ), score as (
       select listing_id, sum(weight) as weight, sum(weight * mean) as points from side group by listing_id
     ), tally as (
       select listing_id, count(*)::int as count, sum(stars)::int as sum,
         ${histogram('true')} as stars, ${histogram('verified')} as verified_stars
       from counted group by listing_id
     ), figures as (
       -- Rounded: the order of summands is nobody's promise.
       select asked.id, coalesce(tally.count, 0) as count, coalesce(tally.sum, 0) as sum,
         coalesce(tally.stars, ${none}) as stars, coalesce(tally.verified_stars, ${none}) as verified_stars,
         round(coalesce(score.weight, 0)::numeric, 6)::float8 as weight,
         round(coalesce(score.points, 0)::numeric, 6)::float8 as points
       from unnest($1::text[]) as asked (id)
       left join tally on tally.listing_id = asked.id
       left join score on score.listing_id = asked.id
     )
     update listing as l set rating_count = f.count, rating_sum = f.sum, stars = f.stars,
       verified_stars = f.verified_stars, rating_weight = f.weight, rating_points = f.points
     from figures as f
     where l.agent_id = f.id
       and (l.rating_count, l.rating_sum, l.stars, l.verified_stars, l.rating_weight, l.rating_points)
         is distinct from (f.count, f.sum, f.stars, f.verified_stars, f.weight, f.points)
     returning l.agent_id as id`,
    [listingIds],
  )
  return rows.map(({ id }) => id)
}

const none = `'{0,0,0,0,0}'::int[]`

const histogram = (condition: string) =>
  `array[${[1, 2, 3, 4, 5].map((stars) => `count(*) filter (where stars = ${stars} and ${condition})`).join(', ')}]::int[]`

/** All listings, a thousand at a time; how many had other figures. */
export async function recountAll(
  inTransaction: <T>(fn: (tx: Transaction) => Promise<T>) => Promise<T>,
): Promise<{ listings: number; corrected: number }> {
  const told = { listings: 0, corrected: 0 }
  for (let after = ''; ; ) {
    const page = await inTransaction(async (tx) => {
      // Locked as a rating locks its listing: none is given between the look and the figures.
      const { rows } = await tx.query<{ id: string }>(
        'select agent_id as id from listing where agent_id > $1 order by agent_id limit 1000 for no key update',
        [after],
      )
      const ids = rows.map(({ id }) => id)
      return { ids, corrected: await recount(tx, ids) }
    })
    told.listings += page.ids.length
    told.corrected += page.corrected.length
    const last = page.ids.at(-1)
    if (last === undefined) break
    after = last
  }
  await inTransaction(recountRated)
  return told
}
