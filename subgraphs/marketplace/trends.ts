import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { type Repeated, repeat } from '../kit/repeat.ts'
import { type Floor, internalSettings } from '../kit/subgraph.ts'
import { countUseByOthers } from './installs/report.ts'
import { gatherRated } from './ratings/rated.ts'
import { forgetUse } from './use.ts'

const everyMs = 60_000

/** Keeps with each listing how much it is used, and how that grows, to sort by. */
export const keepTrends = ({ pool, log }: Pick<Floor, 'pool' | 'log'>): Repeated =>
  repeat({ everyMs, log, problem: 'it could not be counted how much listings are used' }, () =>
    inTransaction(pool, internalSettings, countTrends),
  )

// A week of so many calls counts as no growth; of one organization no more than so many a day.
const smoothing = 20
const mostADay = 100

/**
 * Calls of the last 30 days, by others than the owner; and, where there were some within seven days, the logarithm of that
 * week's calls by those of a week of the three before, both with 20 more. No change of the listing: nobody is told.
 */
export async function countTrends(tx: Transaction): Promise<void> {
  // Another process is at it.
  if (!(await claim(tx))) return
  await tx.query(
    `with day_of_use as (
       select u.agent_id, u.day, u.organization_id, sum(u.calls) as calls
       from agent_use as u join listing as l on l.agent_id = u.agent_id and l.organization_id <> u.organization_id
       where u.day > (now() at time zone 'utc')::date - 30
       group by u.agent_id, u.day, u.organization_id
     ), weeks as (
       select agent_id, sum(calls) as calls,
         coalesce(sum(least(calls, $1)) filter (where day > (now() at time zone 'utc')::date - 7), 0)::float8 as week,
         coalesce(sum(least(calls, $1)) filter (where day between (now() at time zone 'utc')::date - 27
           and (now() at time zone 'utc')::date - 7), 0)::float8 / 3 as before
       from day_of_use group by agent_id
     ), now_used as (
       select agent_id, w.calls::bigint as calls_lately,
         case when w.week > 0 then ln((w.week + $2) / (w.before + $2)) end as trend
       from weeks as w full join (
         select agent_id from listing where calls_lately is not null or trend is not null
       ) as used_before using (agent_id)
     )
     update listing as l set calls_lately = u.calls_lately, trend = u.trend
     from now_used as u
     where l.agent_id = u.agent_id and (l.calls_lately, l.trend) is distinct from (u.calls_lately, u.trend)`,
    [mostADay, smoothing],
  )
  await countUseByOthers(tx)
  await gatherRated(tx)
  await forgetUse(tx)
}

async function claim(tx: Transaction): Promise<boolean> {
  const { rows } = await tx.query<{ claimed: boolean }>(
    `select pg_try_advisory_xact_lock(hashtextextended('trends', 0)) as claimed`,
  )
  return rows[0]?.claimed ?? false
}
