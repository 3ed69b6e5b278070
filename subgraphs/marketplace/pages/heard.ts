import type { Transaction } from '@community/infra/postgres.ts'
import type { AgentFacts } from '../facts.ts'

/** Notes a version of an agent's manifest that was heard of; an older event may come later, and knows better since when. */
export async function noteVersion(
  tx: Transaction,
  { agentId, version, visibility, changedAt }: AgentFacts & { version: string },
): Promise<void> {
  await tx.query(
    `insert into listing_version (listing_id, version, visibility, registered_at, certification_level)
     values ($1, $2, $3, $4, ${levelOf('$1', '$2')})
     on conflict (listing_id, version) do update set registered_at = excluded.registered_at
     where listing_version.registered_at > excluded.registered_at`,
    [agentId, version, visibility, changedAt],
  )
}

/** What this version is certified with now. */
export async function noteLevel(tx: Transaction, agentId: string, version: string): Promise<void> {
  await tx.query(
    `update listing_version set certification_level = ${levelOf('$1', '$2')} where listing_id = $1 and version = $2`,
    [agentId, version],
  )
}

const levelOf = (agentId: string, version: string) => `(
  select c.level from certification as c
  where c.agent_id = ${agentId} and c.agent_version = ${version} and c.in_force
  order by array_position(array['GOLD', 'SILVER', 'BRONZE'], c.level) limit 1)`
