import type { Db, Transaction } from '@community/infra/postgres.ts'

const mostVersions = 100

/** Counts an agent's installations anew, of other organizations than the owner. Has to see all rows, with the listing locked. */
export async function countInstallations(tx: Transaction, agentId: string): Promise<void> {
  await tx.query(
    `merge into installed_version as v
     using (
       select agent_id, pinned_version as version, count(*)::int as count from installation
       where agent_id = $1 and state = 'INSTALLED' and organization_id <> owner_id group by agent_id, pinned_version
     ) as counted on v.agent_id = counted.agent_id and v.version = counted.version
     when matched then update set count = counted.count
     when not matched then insert (agent_id, version, count) values (counted.agent_id, counted.version, counted.count)
     when not matched by source and v.agent_id = $1 then delete`,
    [agentId],
  )
  await tx.query(
    `update listing set install_count =
       (select coalesce(sum(count), 0) from installed_version where agent_id = $1)
     where agent_id = $1`,
    [agentId],
  )
}

/** Counts for owners what of the last 7 and 30 days is known of the use by others. */
export async function countUseByOthers(tx: Transaction): Promise<void> {
  const thisWeek = `u.day > (now() at time zone 'utc')::date - 7`
  await tx.query(
    `merge into listing_use as r
     using (
       select u.agent_id, coalesce(sum(u.calls) filter (where ${thisWeek}), 0) as week_calls,
         (count(distinct u.organization_id) filter (where ${thisWeek}))::int as week_organizations,
         sum(u.calls) as month_calls, count(distinct u.organization_id)::int as month_organizations
       from agent_use as u join listing as l on l.agent_id = u.agent_id and l.organization_id <> u.organization_id
       where u.day > (now() at time zone 'utc')::date - 30 group by u.agent_id
     ) as used on r.agent_id = used.agent_id
     when matched and (r.week_calls, r.week_organizations, r.month_calls, r.month_organizations)
         is distinct from (used.week_calls, used.week_organizations, used.month_calls, used.month_organizations)
       then update set week_calls = used.week_calls, week_organizations = used.week_organizations,
         month_calls = used.month_calls, month_organizations = used.month_organizations
     when not matched then insert values (used.agent_id, used.week_calls, used.week_organizations, used.month_calls,
       used.month_organizations)
     when not matched by source then delete`,
  )
}

type Use = { calls: number; organizations: number }
export type Report = { installations: { version: string; count: number }[]; last7Days: Use; last30Days: Use }

/** Of own listings; of others' nothing is seen. In the order of `ids`. */
export async function reportsOf(db: Db, ids: readonly string[]): Promise<Report[]> {
  const { rows } = await db.query<Report>(
    `select array(
         select jsonb_build_object('version', v.version, 'count', v.count) from installed_version as v
         where v.agent_id = asked.id order by v.count desc, v.version limit ${mostVersions}
       ) as installations,
       jsonb_build_object('calls', coalesce(u.week_calls, 0), 'organizations', coalesce(u.week_organizations, 0))
         as "last7Days",
       jsonb_build_object('calls', coalesce(u.month_calls, 0), 'organizations', coalesce(u.month_organizations, 0))
         as "last30Days"
     from unnest($1::text[]) with ordinality as asked (id, number) left join listing_use as u on u.agent_id = asked.id
     order by number`,
    [ids],
  )
  return rows
}

const leastRatings = 3

/** The share of 4 and 5 stars, of how many gave 1 to 5. */
export function satisfactionOf(stars: readonly number[]): number | null {
  const all = stars.reduce((sum, count) => sum + count, 0)
  if (all < leastRatings) return null
  return Math.round((((stars[3] ?? 0) + (stars[4] ?? 0)) / all) * 10_000) / 10_000
}
