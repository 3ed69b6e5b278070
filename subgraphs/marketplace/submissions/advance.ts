import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import { announceListing } from '../listing-change.ts'
import type { SubmissionStatus } from '../schema.generated.ts'
import { listingsById, publish } from '../store.ts'
import { announceSubmission } from './announce.ts'
import { move, noteCertification, type SubmissionRow } from './store.ts'

const examiner = 'agent:certification-validator'

/** What is read of a certification's event. */
export const toldOfCertification = z.object({
  certification: z.object({
    id: z.string().min(1),
    agentId: z.string().min(1),
    level: z.enum(['BRONZE', 'SILVER', 'GOLD']),
    status: z.string(),
    reasons: z.array(z.string()).default([]),
  }),
  version: z.number().int(),
})

/** Brings the agent's submission on by what became of its certification. */
export async function advance(tx: Transaction, told: z.output<typeof toldOfCertification>): Promise<void> {
  const { id, agentId, level, status, reasons } = told.certification
  const isOver = !['REQUESTED', 'RUNNING', 'IN_REVIEW'].includes(status)
  const row = await noteCertification(tx, { id, agentId, level, version: told.version, isOver })
  if (!row) return
  if (status === 'REQUESTED' || status === 'RUNNING') await step(tx, row, ['SUBMITTED'], 'CERTIFYING')
  if (status === 'IN_REVIEW') await step(tx, row, ['SUBMITTED', 'CERTIFYING'], 'IN_REVIEW')
  if (status === 'REJECTED') await step(tx, row, going, 'CHANGES_REQUESTED', reasons.join('\n'))
  if (status !== 'CERTIFIED' || !(await step(tx, row, going, 'PUBLISHED', `certified ${level}`))) return
  const isNew = await publish(tx, agentId)
  const [listing] = await listingsById(tx, [agentId])
  if (isNew && listing) await announceListing(tx, 'PUBLISHED', listing)
}

const going: SubmissionStatus[] = ['SUBMITTED', 'CERTIFYING', 'IN_REVIEW']

async function step(
  tx: Transaction,
  { id }: SubmissionRow,
  from: readonly SubmissionStatus[],
  to: SubmissionStatus,
  why: string | null = null,
): Promise<boolean> {
  const moved = await move(tx, id, from, to, { by: examiner, why: why?.slice(0, 4_000) ?? null })
  if (moved) await announceSubmission(tx, moved)
  return moved !== null
}
