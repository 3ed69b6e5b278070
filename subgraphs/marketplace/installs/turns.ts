import type { Transaction } from '@community/infra/postgres.ts'

/** The agent's installations are gone through: something of it is otherwise. Has to see all rows, with the listing locked. */
export async function askForTurn(tx: Transaction, agentId: string): Promise<void> {
  await tx.query(
    `insert into installation_turn (agent_id)
     select $1 where exists (select from installation where agent_id = $1 and state in ('REQUESTED', 'INSTALLED'))
     on conflict (agent_id) do update set after = null, at = least(installation_turn.at, now())`,
    [agentId],
  )
}

/** As `askForTurn`, of all that an organization shows to its partners. */
export async function askForPartners(tx: Transaction, organizationId: string): Promise<void> {
  await tx.query(
    `insert into installation_turn (agent_id)
     select l.agent_id from listing as l
     where l.organization_id = $1 and l.visibility = 'PARTNERS' and exists (
       select from installation as i where i.agent_id = l.agent_id and i.state in ('REQUESTED', 'INSTALLED'))
     order by l.agent_id
     on conflict (agent_id) do update set after = null, at = least(installation_turn.at, now())`,
    [organizationId],
  )
}

/** The organization's policy is otherwise: what of it waits for the version that its agent has is gone through. Has to see all rows. */
export async function askForPolicy(tx: Transaction, organizationId: string): Promise<void> {
  await tx.query(
    `insert into policy_turn (organization_id) values ($1) on conflict (organization_id) do update set after = null`,
    [organizationId],
  )
}

/** Of the organization that has waited longest the next agents have a turn, at most so many. Whether one waited. */
export async function askForNext(tx: Transaction, limit: number): Promise<boolean> {
  const { rows } = await tx.query<{ organizationId: string; after: string | null }>(
    `select organization_id as "organizationId", after from policy_turn order by at limit 1 for update skip locked`,
  )
  const [next] = rows
  if (!next) return false
  const { organizationId, after } = next
  const waiting = await tx.query<{ agentId: string }>(
    `select agent_id as "agentId" from installation as i join listing as l using (agent_id)
     where i.organization_id = $1 and i.state = 'INSTALLED' and i.owner_id <> $1 and i.update_policy <> 'PINNED'
       and i.settled_version is distinct from l.agent_version and ($2::text is null or agent_id > $2)
     order by agent_id limit $3`,
    [organizationId, after, limit],
  )
  const agentIds = waiting.rows.map(({ agentId }) => agentId)
  await tx.query(
    `insert into installation_turn (agent_id) select agent_id from unnest($1::text[]) as asked (agent_id)
     on conflict (agent_id) do update set after = null, at = least(installation_turn.at, now())`,
    [agentIds],
  )
  if (agentIds.length < limit)
    await tx.query('delete from policy_turn where organization_id = $1', [organizationId])
  else
    await tx.query('update policy_turn set after = $2, at = now() where organization_id = $1', [
      organizationId,
      agentIds.at(-1),
    ])
  return true
}

export type Turn = {
  agentId: string
  /** The last installation that was gone through. */
  after: string | null
  organizationId: string
  /** In small letters. */
  type: string
  license: string | null
  region: string | null
  level: 'BRONZE' | 'SILVER' | 'GOLD' | null
  agentVersion: string | null
  isRetired: boolean
}

/** The agent that has waited longest, for 5 s: another's turn comes where this one fails, and this one's again. */
export async function nextAgent(tx: Transaction): Promise<string | null> {
  const { rows } = await tx.query<{ agentId: string }>(
    `update installation_turn set at = now() + interval '5 s'
     where agent_id = (
       select agent_id from installation_turn where at <= now() order by at limit 1 for update skip locked
     ) returning agent_id as "agentId"`,
  )
  return rows[0]?.agentId ?? null
}

/** With the listing locked; null where it is over. Never waits for a lock: whoever has one may wait for this turn. */
export async function takeTurn(tx: Transaction, agentId: string): Promise<Turn | null> {
  const { rows } = await tx.query<Turn>(
    `select t.agent_id as "agentId", t.after, l.organization_id as "organizationId", l.type, l.license, l.region,
       l.certification_level as level, l.agent_version as "agentVersion", l.published_at is null as "isRetired"
     from listing as l join installation_turn as t using (agent_id)
     where t.agent_id = $1 for update of t skip locked for no key update of l skip locked`,
    [agentId],
  )
  return rows[0] ?? null
}

/** It goes on behind the others after the one given, or is over. */
export async function endTurn(tx: Transaction, agentId: string, after: string | null): Promise<void> {
  if (after === null) await tx.query('delete from installation_turn where agent_id = $1', [agentId])
  else
    await tx.query('update installation_turn set after = $2, at = now() where agent_id = $1', [
      agentId,
      after,
    ])
}
