import { randomUUIDv7 } from 'node:crypto'
import type { Transaction } from '@community/infra/postgres.ts'
import { announce } from '../../kit/outbox.ts'
import {
  type Change,
  type EntryRow,
  type IncidentRow,
  incidentsById,
  insertEntry,
  insertIncident,
  type NewIncident,
  resolvedSince,
  updateIncident,
} from './store.ts'

export type Entry = Pick<EntryRow, 'kind' | 'text'> & Partial<Pick<EntryRow, 'action' | 'succeeded'>>

/** Another process, or a person, has changed the incident meanwhile. */
export class IncidentMoved extends Error {
  constructor(id: string) {
    super(`the incident ${id} has changed meanwhile`)
    this.name = 'IncidentMoved'
  }
}

const maxText = 1_000

/** The incident with one more entry in its timeline and its event. Throws IncidentMoved. */
export async function record(
  tx: Transaction,
  incident: Pick<IncidentRow, 'id' | 'version'>,
  entry: Entry,
  change: Change,
  at: Date,
): Promise<IncidentRow> {
  const row = await updateIncident(tx, incident, change, at)
  if (!row) throw new IncidentMoved(incident.id)
  const { kind, text, action = null, succeeded = null } = entry
  const written: EntryRow = {
    incidentId: row.id,
    number: row.version,
    at,
    kind,
    text: text.replaceAll('\0', '').slice(0, maxText),
    action,
    succeeded,
  }
  await insertEntry(tx, written)
  await announceIncident(tx, row, written)
  return row
}

/** How long ago one may have been resolved that is taken to have come back. */
const recurrenceMs = 300_000
/** What is wrong with these stays so after everything has been done about it. */
const once: readonly string[] = ['CERTIFICATE', 'MESSAGE']

const freshProgress = { action: -1, actionAt: null, isDone: true, heldSince: null }

/** A new incident, or the one that has come back; null where it goes on already. */
export async function open(
  tx: Transaction,
  wanted: Omit<NewIncident, 'id'>,
  text: string,
  at: Date,
): Promise<IncidentRow | null> {
  const before = await resolvedSince(
    tx,
    wanted,
    new Date(once.includes(wanted.subjectKind) ? 0 : at.getTime() - recurrenceMs),
  )
  if (before) {
    if (once.includes(wanted.subjectKind)) return null
    const again: Change = {
      status: 'OPEN',
      recurrences: before.recurrences + 1,
      beganAt: at,
      resolvedAt: null,
      policy: wanted.policy,
      progress: freshProgress,
    }
    return await record(tx, before, { kind: 'RECURRED', text }, again, at)
  }
  const id = randomUUIDv7()
  if (!(await insertIncident(tx, { ...wanted, id }, at))) return null
  const [incident] = await incidentsById(tx, [id])
  if (!incident) throw new Error(`the incident ${id} is gone`)
  return await record(tx, incident, { kind: 'DETECTED', text }, {}, at)
}

async function announceIncident(tx: Transaction, row: IncidentRow, entry: EntryRow): Promise<void> {
  const { id, symptom, status, objective, cause, policy, recurrences, organizationId, version } = row
  const { incidentId: _, ...told } = entry
  await announce(tx, {
    aggregateId: id,
    type: 'IncidentChange',
    version,
    value: {
      __typename: 'IncidentChange',
      incidentId: id,
      incident: {
        __typename: 'Incident',
        id,
        symptom,
        subject: { __typename: 'IncidentSubject', kind: row.subjectKind, id: row.subjectId },
        agent: row.agentId === null ? null : { __typename: 'Agent', id: row.agentId },
        pool: row.pool === null ? null : { __typename: 'AgentPool', name: row.pool },
        status,
        objective,
        cause,
        policy,
        recurrences,
        organizationId,
        version,
      },
      entry: { __typename: 'IncidentEntry', ...told },
      version,
      at: row.updatedAt,
    },
  })
}
