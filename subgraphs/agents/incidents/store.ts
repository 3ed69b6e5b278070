import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../../kit/page.ts'
import type {
  IncidentEntryKind,
  IncidentStatus,
  IncidentSubjectKind,
  IncidentSymptom,
} from '../schema.generated.ts'
import type { Progress } from './decide.ts'

export type IncidentRow = {
  id: string
  sequence: number
  symptom: IncidentSymptom
  subjectKind: IncidentSubjectKind
  subjectId: string
  agentId: string | null
  pool: string | null
  status: IncidentStatus
  objective: string
  cause: string | null
  policy: string | null
  progress: Progress
  context: unknown
  recurrences: number
  organizationId: string
  version: number
  detectedAt: Date
  /** Of the last time, where it came back. */
  beganAt: Date
  resolvedAt: Date | null
  escalatedAt: Date | null
  updatedAt: Date
}

export type EntryRow = {
  incidentId: string
  number: number
  at: Date
  kind: IncidentEntryKind
  text: string
  action: string | null
  succeeded: boolean | null
}

const columns = `id, sequence::int, symptom, subject_kind as "subjectKind", subject_id as "subjectId",
  agent_id as "agentId", pool, status, objective, cause, policy, progress, context, recurrences,
  organization_id as "organizationId", version::int, detected_at as "detectedAt", began_at as "beganAt",
  resolved_at as "resolvedAt", escalated_at as "escalatedAt", updated_at as "updatedAt"`

/** In the order of `ids`; null where there is none. */
export async function incidentsById(db: Db, ids: readonly string[]): Promise<(IncidentRow | null)[]> {
  const { rows } = await db.query<IncidentRow>(`select ${columns} from incident where id = any($1)`, [ids])
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

/** Of each incident, in their order. */
export async function timelinesOf(db: Db, ids: readonly string[]): Promise<EntryRow[][]> {
  const { rows } = await db.query<EntryRow>(
    `select incident_id as "incidentId", number::int, at, kind, text, action, succeeded from incident_entry
     where incident_id = any($1) order by incident_id, number`,
    [ids],
  )
  const byIncident = Map.groupBy(rows, (row) => row.incidentId)
  return ids.map((id) => byIncident.get(id) ?? [])
}

type Any<T> = readonly T[] | null | undefined
export type IncidentFilter = {
  status?: Any<IncidentStatus>
  symptom?: Any<IncidentSymptom>
  subjectId?: Any<string>
  agentId?: Any<string>
  pool?: Any<string>
}

/** Newest first. */
export async function incidentPage(
  db: Db,
  { status, symptom, subjectId, agentId, pool }: IncidentFilter,
  { first, after }: Page,
): Promise<{ rows: IncidentRow[]; totalCount: number }> {
  const where = `($1::text[] is null or status = any($1)) and ($2::text[] is null or symptom = any($2))
    and ($3::text[] is null or subject_id = any($3)) and ($4::text[] is null or agent_id = any($4))
    and ($5::text[] is null or pool = any($5))`
  const filter = [status ?? null, symptom ?? null, subjectId ?? null, agentId ?? null, pool ?? null]
  const counted = await db.query<{ count: number }>(
    `select count(*)::int as count from incident where ${where}`,
    filter,
  )
  const { rows } = await db.query<IncidentRow>(
    `select ${columns} from incident where ${where} and ($6::bigint is null or sequence < $6)
     order by sequence desc limit $7`,
    [...filter, after?.[0] ?? null, first + 1],
  )
  return { rows, totalCount: counted.rows[0]?.count ?? 0 }
}

/** Those that have not been resolved, oldest first. */
export async function goingIncidents(tx: Transaction): Promise<IncidentRow[]> {
  const { rows } = await tx.query<IncidentRow>(
    `select ${columns} from incident where status <> 'RESOLVED' order by sequence`,
  )
  return rows
}

export type NewIncident = Pick<
  IncidentRow,
  | 'id'
  | 'symptom'
  | 'subjectKind'
  | 'subjectId'
  | 'agentId'
  | 'pool'
  | 'objective'
  | 'policy'
  | 'organizationId'
> & { visibility: 'PRIVATE' | 'ORGANIZATION' }

/** False where there is one already. */
export async function insertIncident(tx: Transaction, incident: NewIncident, at: Date): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into incident (
       id, symptom, subject_kind, subject_id, agent_id, pool, objective, policy, organization_id, visibility,
       detected_at, began_at, updated_at
     ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $11) on conflict do nothing`,
    [
      incident.id,
      incident.symptom,
      incident.subjectKind,
      incident.subjectId,
      incident.agentId,
      incident.pool,
      incident.objective,
      incident.policy,
      incident.organizationId,
      incident.visibility,
      at,
    ],
  )
  return rowCount === 1
}

/** The newest that is RESOLVED, of the same symptom and thing, since then. */
export async function resolvedSince(
  tx: Transaction,
  { symptom, subjectKind, subjectId }: Pick<IncidentRow, 'symptom' | 'subjectKind' | 'subjectId'>,
  since: Date,
): Promise<IncidentRow | null> {
  const { rows } = await tx.query<IncidentRow>(
    `select ${columns} from incident
     where symptom = $1 and subject_kind = $2 and subject_id = $3 and status = 'RESOLVED' and resolved_at >= $4
     order by sequence desc limit 1`,
    [symptom, subjectKind, subjectId, since],
  )
  return rows[0] ?? null
}

export type Change = Partial<
  Pick<
    IncidentRow,
    | 'status'
    | 'cause'
    | 'policy'
    | 'progress'
    | 'context'
    | 'recurrences'
    | 'beganAt'
    | 'resolvedAt'
    | 'escalatedAt'
  >
>

/** The next version of what was read at `version`; null where somebody else was faster. */
export async function updateIncident(
  tx: Transaction,
  { id, version }: Pick<IncidentRow, 'id' | 'version'>,
  change: Change,
  at: Date,
): Promise<IncidentRow | null> {
  const params: unknown[] = [id, version, at]
  const set = Object.entries(change).map(([name, value]) => {
    const json = name === 'progress' || name === 'context'
    return `${columnOf(name)} = $${params.push(json ? JSON.stringify(value) : value)}`
  })
  const { rows } = await tx.query<IncidentRow>(
    `update incident set ${['version = version + 1', 'updated_at = $3', ...set].join(', ')}
     where id = $1 and version = $2 returning ${columns}`,
    params,
  )
  return rows[0] ?? null
}

const columnOf = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** What nobody needs to be told of: no new version. */
export async function updateProgress(
  tx: Transaction,
  { id, version }: Pick<IncidentRow, 'id' | 'version'>,
  progress: Progress,
): Promise<void> {
  await tx.query('update incident set progress = $3 where id = $1 and version = $2', [
    id,
    version,
    JSON.stringify(progress),
  ])
}

export async function insertEntry(tx: Transaction, entry: EntryRow): Promise<void> {
  const { incidentId, number, at, kind, text, action, succeeded } = entry
  await tx.query(
    `insert into incident_entry (incident_id, number, at, kind, text, action, succeeded)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [incidentId, number, at, kind, text, action, succeeded],
  )
}
