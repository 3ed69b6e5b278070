import type { Log } from '@community/infra/log.ts'
import { type Db, inTransactions, type Pool } from '@community/infra/postgres.ts'
import type { Invocation } from '../../kit/invoke.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import type { Asked, Policy } from '../admission.ts'
import { type Limits, unlimited } from './store.ts'

/**
 * Counts calls in the names of organizations that have a limit, before they are made and in Postgres: never one too many,
 * whatever process makes them. Of tokens what the call may take is set aside, and exchanged for what it took. Of a call that
 * nobody measured (a crash) all of that counts as used. What undoes a step is counted, and not refused.
 */
export function openUse({ pool, log }: { pool: Pool; log: Log }): NonNullable<Policy['take']> {
  const db = inTransactions(pool, internalSettings)
  return async (asked: Asked) => {
    if (asked.purpose === 'HEALTH' || !asked.standing.policy) return null
    const { organizationId, tokens, purpose } = asked
    const limits = asked.standing.policy
    if (limits.callsPerDay === null && limits.tokensPerDay === null) return null
    const day = await take(db, organizationId, tokens, purpose === 'COMPENSATION' ? unlimited : limits)
    if (day === null) return await usedUp(db, organizationId, tokens, limits)
    return async (invocation: Invocation | null) => {
      if (!invocation) return
      const used = invocation.tokensIn + invocation.tokensOut
      await settle(db, organizationId, day, used - tokens).catch((error: unknown) =>
        // The call was made, and its answer is not held back for this: what was set aside stays counted.
        log.error(
          { err: error, organizationId, day, tokens, used },
          'the tokens of a call could not be settled',
        ),
      )
    }
  }
}

const today = `(now() at time zone 'utc')::date`

/** The day that the call counts in; null where it does not fit. */
async function take(
  db: Db,
  organizationId: string,
  tokens: number,
  { callsPerDay, tokensPerDay }: Limits,
): Promise<string | null> {
  // Who meets the row waits for it, and is held to what is counted then.
  const { rows } = await db.query<{ day: string }>(
    `insert into organization_use as counted (organization_id, day, calls, tokens)
     select $1, ${today}, 1, $2::bigint
     where ($3::bigint is null or $3 >= 1) and ($4::bigint is null or $4 >= $2)
     on conflict (organization_id, day) do update
     set calls = counted.calls + 1, tokens = counted.tokens + excluded.tokens
     where ($3 is null or counted.calls < $3) and ($4 is null or counted.tokens + excluded.tokens <= $4)
     returning day::text`,
    [organizationId, tokens, callsPerDay, tokensPerDay],
  )
  return rows[0]?.day ?? null
}

const settle = (db: Db, organizationId: string, day: string, tokens: number) =>
  db.query('update organization_use set tokens = tokens + $3 where organization_id = $1 and day = $2', [
    organizationId,
    day,
    tokens,
  ])

async function usedUp(
  db: Db,
  organizationId: string,
  tokens: number,
  { callsPerDay, tokensPerDay }: Limits,
): Promise<string> {
  const { calls, tokens: used, resetsAt } = await useOf(db, organizationId)
  const anew = `counting begins anew at ${resetsAt.toISOString()}`
  if (tokensPerDay === null || (callsPerDay !== null && calls >= callsPerDay))
    return `${organizationId} has made ${calls} of its ${callsPerDay} calls a day; ${anew}`
  return `${organizationId} has used or set aside ${used} of its ${tokensPerDay} tokens a day, and the call may take ${tokens}; ${anew}`
}

type UseRow = { calls: number; tokens: number; resetsAt: Date }

/** Of the day that it is now. */
export async function useOf(db: Db, organizationId: string): Promise<UseRow> {
  const { rows } = await db.query<UseRow>(
    `select coalesce(calls, 0)::float8 as calls, coalesce(tokens, 0)::float8 as tokens,
       (${today} + 1)::timestamp at time zone 'utc' as "resetsAt"
     from (values ($1)) as asked (organization_id)
     left join organization_use as counted on counted.organization_id = asked.organization_id and day = ${today}`,
    [organizationId],
  )
  const [row] = rows
  if (!row) throw new Error('a row of values is always there')
  return row
}
