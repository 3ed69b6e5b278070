import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page, Slice } from '../../kit/page.ts'

/** What somebody asked; no organization: anonymously. */
export type Asked = { question: string; organizationId: string }

export type NeedRow = { question: string; asked: number; organizations: number; lastAskedAt: string }

// An organization can not crowd out what others asked, nor all of them together grow the table for ever.
const kept = { byOrganization: 200, inAll: 20_000, days: 90 }

/** Adds them up, and forgets what is too much or too old. One at a time: counts are made anew of all who asked. */
export async function noteNeeds(tx: Transaction, asked: readonly Asked[]): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('needs', 0))`)
  const organizations = asked.map(({ organizationId }) => organizationId)
  const { rows: noted } = await tx.query<{ question: string }>(
    `insert into need_asker as n (question, organization_id, asked, last_asked_at)
     select question, organization_id, count(*), now() from unnest($1::text[], $2::text[]) as each (question, organization_id)
     group by question, organization_id
     on conflict (question, organization_id)
     do update set asked = n.asked + excluded.asked, last_asked_at = excluded.last_asked_at
     returning question`,
    [asked.map(({ question }) => question), organizations],
  )
  const { rows: forgotten } = await tx.query<{ question: string }>(
    `delete from need_asker where ctid = any(array(
       select ctid from (
         select ctid, row_number() over (partition by organization_id order by last_asked_at desc, question) as place
         from need_asker where organization_id = any($1)
       ) as own where place > $2
     ) || array(
       select ctid from need_asker order by last_asked_at desc, question offset $3
     ) || array(
       select ctid from need_asker where last_asked_at < now() - make_interval(days => $4)
     ))
     returning question`,
    [organizations, kept.byOrganization, kept.inAll, kept.days],
  )
  const questions = [...new Set([...noted, ...forgotten].map(({ question }) => question))]
  await tx.query('delete from need where question = any($1)', [questions])
  await tx.query(
    `insert into need (question, asked, organizations, last_asked_at)
     select question, sum(asked), count(*) filter (where organization_id <> ''), max(last_asked_at)
     from need_asker where question = any($1) group by question`,
    [questions],
  )
}

/** Those that enough organizations have asked, by how many have; row-level security knows how many that is. */
export async function needPage(db: Db, { first, after }: Page): Promise<Slice<NeedRow>> {
  const { rows } = await db.query<Slice<NeedRow>>(
    `select (select count(*)::int from need) as "totalCount", array(
       select jsonb_build_object('question', question, 'asked', asked, 'organizations', organizations,
         'lastAskedAt', to_char(date_trunc('hour', last_asked_at) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
       from need
       where $1::int is null or (-organizations, -asked, question) > (-$1::int, -$2::int, $3::text)
       order by -organizations, -asked, question limit $4
     ) as rows`,
    [after?.[0] ?? null, after?.[1] ?? null, after?.[2] ?? null, first + 1],
  )
  return rows[0] ?? { rows: [], totalCount: 0 }
}
