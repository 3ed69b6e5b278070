import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'

const id = z.string().min(1).max(300)

/** What is read of a record of the usage topic. */
export const usageBatch = z.object({
  source: id,
  sequence: z.number().int().min(1),
  samples: z.array(
    z.object({
      agentId: id,
      caller: id,
      callerOrganization: id.nullish(),
      purpose: z.string().optional(),
      outcome: z.string(),
      at: z.iso.datetime(),
    }),
  ),
})

/** An agent that has answered somebody of an organization as it should, for the first time that day. */
export type Used = { agentId: string; organizationId: string }

const keptDays = 90

/**
 * Counts the calls of a batch by agent, calling organization, subject and day (UTC). Only those made in an organization's name for USE count; a batch that was counted before changes nothing.
 */
export async function countUse(
  tx: Transaction,
  { source, sequence, samples }: z.output<typeof usageBatch>,
): Promise<Used[]> {
  const moved = await tx.query(
    `insert into usage_source (source, sequence) values ($1, $2)
     on conflict (source) do update set sequence = excluded.sequence, at = now()
     where usage_source.sequence < excluded.sequence`,
    [source, sequence],
  )
  const uses = samples.filter(({ purpose, callerOrganization }) => purpose === 'USE' && callerOrganization)
  if (moved.rowCount === 0 || uses.length === 0) return []
  const { rows } = await tx.query<Used & { answered: boolean }>(
    `insert into agent_use as u (agent_id, organization_id, subject, day, calls, ok_calls)
     select "agentId", "callerOrganization", caller, day, count(*), count(*) filter (where outcome = 'OK')
     from jsonb_to_recordset($1::jsonb)
         as sample ("agentId" text, "callerOrganization" text, caller text, outcome text, at timestamptz),
       lateral (select (least(at, now()) at time zone 'utc')::date as day) as dated
     where ${isKept}
     group by 1, 2, 3, 4
     on conflict (agent_id, organization_id, subject, day)
     do update set calls = u.calls + excluded.calls, ok_calls = u.ok_calls + excluded.ok_calls
     returning agent_id as "agentId", organization_id as "organizationId",
       new.ok_calls > 0 and coalesce(old.ok_calls, 0) = 0 as answered`,
    [JSON.stringify(uses)],
  )
  return rows.flatMap(({ answered, ...used }) => (answered ? [used] : []))
}

const isKept = `day >= (now() at time zone 'utc')::date - ${keptDays}`

/** What is older than 90 days. */
export async function forgetUse(tx: Transaction): Promise<void> {
  await tx.query(`delete from agent_use where not (${isKept})`)
  // A day longer than the log keeps its records: no older batch comes again.
  await tx.query(`delete from usage_source where at < now() - interval '8 days'`)
}
