import type { Transaction } from '@community/infra/postgres.ts'
import type { ObservedAgent, ObservedBlock, ObservedRun } from './detect.ts'

export type DeployedAgent = Omit<ObservedAgent, 'calls' | 'notHostedForMs'> & { deploymentId: string }

export async function deployedAgents(tx: Transaction): Promise<DeployedAgent[]> {
  const { rows } = await tx.query<DeployedAgent>(
    `select agent.id, agent.organization_id as "organizationId", agent.visibility, agent.status, deployment.pool,
       deployment.id as "deploymentId", deployment.placed_at as "placedAt", heartbeat.at as "heartbeatAt",
       case when jsonb_typeof(agent.manifest #> '{metadata,labels}') = 'object'
         then agent.manifest #> '{metadata,labels}' else '{}' end as labels,
       case when jsonb_typeof(running.manifest #> '{spec,performance,p95LatencyMs}') = 'number'
         then (running.manifest #>> '{spec,performance,p95LatencyMs}')::float8 end as "declaredP95Ms",
       (
         select case when outcome = 'REPLACED' then ended_at end from rollout
         where rollout.agent_id = agent.id and outcome in ('REPLACED', 'ROLLED_BACK') order by id desc limit 1
       ) as "replacedAt"
     from deployment join agent on agent.id = deployment.agent_id
     join agent_version as running
       on running.agent_id = deployment.agent_id and running.version = deployment.version
     left join heartbeat on heartbeat.agent_id = agent.id order by agent.id`,
  )
  return rows
}

export async function runningRuns(tx: Transaction): Promise<ObservedRun[]> {
  const { rows } = await tx.query<ObservedRun>(
    `select run.id, run.organization_id as "organizationId", run.visibility, run.budget_spent as spent,
       run.budget_allocated as allocated, counted.done, counted.total
     from run cross join lateral (
       select count(*) filter (where status in ('SUCCEEDED', 'SKIPPED'))::int as done, count(*)::int as total
       from step where step.run_id = run.id
     ) as counted
     where run.status = 'RUNNING' and run.ending is null`,
  )
  return rows
}

/** Age of the oldest event that has not reached the log. */
export async function oldestEventMs(tx: Transaction): Promise<number> {
  const { rows } = await tx.query<{ ms: number }>(
    `select coalesce(extract(epoch from clock_timestamp() - min(created_at)) * 1000, 0)::float8 as ms from outbox`,
  )
  return rows[0]?.ms ?? 0
}

/** When an incident of the thing was last resolved, within the last minutes. */
export async function lastResolutions(tx: Transaction): Promise<Map<string, Date>> {
  const { rows } = await tx.query<{ subjectId: string; at: Date }>(
    `select subject_id as "subjectId", max(resolved_at) as at from incident
     where subject_kind in ('AGENT', 'POOL') and resolved_at > now() - interval '5 minutes' group by subject_id`,
  )
  return new Map(rows.map(({ subjectId, at }) => [subjectId, at]))
}

/**
 * Statements that wait for a lock, by the schema of the table they wait for, or by their user where that is not known: of
 * a row that somebody has changed, the waiting statement has the table's lock on the row.
 */
export async function blockedStatements(tx: Transaction): Promise<ObservedBlock[]> {
  const { rows } = await tx.query<ObservedBlock>(
    `select coalesce(schema.nspname, activity.usename, 'unknown') as subgraph,
       count(distinct waiting.pid)::int as statements,
       max(extract(epoch from clock_timestamp() - waiting.waitstart) * 1000)::float8 as "longestMs",
       coalesce(
         array_agg(distinct format('process %s (%s)', holder.pid, coalesce(holder.usename, '?')))
           filter (where holder.pid is not null),
         '{}'
       ) as holders,
       coalesce(
         array_agg(distinct schema.nspname || '.' || class.relname) filter (where class.relname is not null), '{}'
       ) as tables
     from pg_locks as waiting
     join pg_stat_activity as activity on activity.pid = waiting.pid and activity.datname = current_database()
     left join pg_locks as row_lock on row_lock.pid = waiting.pid and row_lock.locktype = 'tuple' and row_lock.granted
     left join pg_class as class on class.oid = coalesce(waiting.relation, row_lock.relation)
     left join pg_namespace as schema on schema.oid = class.relnamespace
     left join lateral unnest(pg_blocking_pids(waiting.pid)) as blocker (pid)
       on not exists (select from pg_locks as ahead where ahead.pid = blocker.pid and not ahead.granted)
     left join pg_stat_activity as holder on holder.pid = blocker.pid
     where not waiting.granted and waiting.locktype <> 'advisory'
     group by 1`,
  )
  return rows
}
