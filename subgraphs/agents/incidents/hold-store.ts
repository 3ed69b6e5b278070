import type { Transaction } from '@community/infra/postgres.ts'
import type { AgentStatus } from '../schema.generated.ts'
import type { ObservedMessage } from './detect.ts'

export type HoldRow = { kind: 'BREAKER' | 'MESSAGE' | 'QUARANTINE'; subjectId: string; reason: string }

/** A message is kept back for a day: who sent it has long given up. */
export async function currentHolds(tx: Transaction): Promise<HoldRow[]> {
  const { rows } = await tx.query<HoldRow>(
    `select kind, subject_id as "subjectId", reason from hold
     where kind = 'BREAKER' or (kind = 'MESSAGE' and since > now() - interval '1 day')`,
  )
  return rows
}

/** Once for a thing: the first incident's stands. */
export async function insertHold(
  tx: Transaction,
  hold: HoldRow & { incidentId: string; previousStatus?: AgentStatus },
): Promise<void> {
  const { kind, subjectId, incidentId, reason, previousStatus = null } = hold
  await tx.query(
    `insert into hold (kind, subject_id, incident_id, reason, previous_status) values ($1, $2, $3, $4, $5)
     on conflict (kind, subject_id) do nothing`,
    [kind, subjectId, incidentId, reason, previousStatus],
  )
}

/** Ends an incident's breaker and quarantine; what has to become of which agent. A message stays kept back. */
export async function deleteHolds(
  tx: Transaction,
  incidentId: string,
): Promise<{ agentId: string; previousStatus: AgentStatus }[]> {
  const { rows } = await tx.query<{ kind: string; agentId: string; previousStatus: AgentStatus | null }>(
    `delete from hold where incident_id = $1 and kind in ('BREAKER', 'QUARANTINE')
     returning kind, subject_id as "agentId", previous_status as "previousStatus"`,
    [incidentId],
  )
  return rows.flatMap(({ kind, agentId, previousStatus }) =>
    kind === 'QUARANTINE' && previousStatus !== null ? [{ agentId, previousStatus }] : [],
  )
}

export async function isHeld(tx: Transaction, kind: HoldRow['kind'], subjectId: string): Promise<boolean> {
  const { rowCount } = await tx.query('select from hold where kind = $1 and subject_id = $2', [
    kind,
    subjectId,
  ])
  return rowCount === 1
}

export async function noteUnanswered(
  tx: Transaction,
  messageId: string,
  agentId: string,
  error: string,
): Promise<void> {
  await tx.query('insert into unanswered (message_id, agent_id, error) values ($1, $2, $3)', [
    messageId,
    agentId,
    error,
  ])
}

export async function noteAnswered(tx: Transaction, messageId: string): Promise<void> {
  await tx.query('delete from unanswered where message_id = $1', [messageId])
}

/** Of the last ten minutes, those sent at least so often that are not kept back already. */
export async function unansweredMessages(tx: Transaction, least: number): Promise<ObservedMessage[]> {
  const { rows } = await tx.query<ObservedMessage>(
    `select one.message_id as "messageId", one.agent_id as "agentId", count(*)::int as times,
       (array_agg(one.error order by one.at desc))[1] as error,
       (select count(*)::int from (
          select from unanswered as other
          where other.agent_id = one.agent_id and other.message_id <> one.message_id
            and other.at > now() - interval '10 minutes'
          group by other.message_id having count(*) >= 2
        ) as twice) as others
     from unanswered as one
     where one.at > now() - interval '10 minutes' and not exists (
       select from hold where hold.kind = 'MESSAGE' and hold.subject_id = one.message_id
     )
     group by one.message_id, one.agent_id having count(*) >= $1 limit 100`,
    [least],
  )
  return rows
}

export async function forgetUnanswered(tx: Transaction): Promise<void> {
  await tx.query(`delete from unanswered where at < now() - interval '1 hour'`)
}
