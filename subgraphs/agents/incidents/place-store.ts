import type { Transaction } from '@community/infra/postgres.ts'

/** Null where nothing runs. */
export async function runningVersion(
  tx: Transaction,
  agentId: string,
): Promise<{ version: string; placedAt: Date } | null> {
  const { rows } = await tx.query<{ version: string; placedAt: Date }>(
    'select version, placed_at as "placedAt" from deployment where agent_id = $1',
    [agentId],
  )
  return rows[0] ?? null
}
