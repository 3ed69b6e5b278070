import type { Transaction } from '@community/infra/postgres.ts'

// `rated` has rows that add up to what the ratings of public listings weigh and give together; triggers of `listing` write them.

/** Makes one row of all. Has to see all rows. */
export async function gatherRated(tx: Transaction): Promise<void> {
  await tx.query(
    `with gone as (
       delete from rated where (select count(*) from rated) > 1 returning weight, points
     )
     insert into rated (weight, points) select sum(weight), sum(points) from gone having count(*) > 0`,
  )
}

/** Adds all listings up anew; whoever changes one meanwhile waits. Has to see all rows. */
export async function recountRated(tx: Transaction): Promise<void> {
  await tx.query('lock table rated in share row exclusive mode')
  await tx.query('delete from rated')
  await tx.query(
    `insert into rated (weight, points)
     select coalesce(sum(rating_weight::numeric), 0), coalesce(sum(rating_points::numeric), 0)
     from listing where published_at is not null and visibility = 'PUBLIC'`,
  )
}
