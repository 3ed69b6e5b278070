import type { Transaction } from '@community/infra/postgres.ts'
import { announce } from '../../kit/outbox.ts'
import { record } from '../audit/store.ts'
import { afterCheck } from './after-check.ts'
import { lockGoing, type VerificationRow, writeProof } from './store.ts'

type Checked = {
  /** What was found instead of the token; null where it was found. */
  problem: string | null
  periodMs: number
  /** Whose check it was. */
  actor: string
  traceparent?: string | undefined
}

/** Writes what a check has found, and tells of it where that is something else. Null where it was revoked meanwhile. */
export async function settle(
  tx: Transaction,
  id: string,
  { problem, periodMs, actor, traceparent }: Checked,
): Promise<VerificationRow | null> {
  const before = await lockGoing(tx, id)
  if (!before) return null
  const proof = afterCheck(before, problem, new Date(), periodMs)
  const isOther = proof.status !== before.status
  const isTold = isOther || proof.problem !== before.problem || proof.failures !== before.failures
  const row = await writeProof(tx, id, proof, isTold)
  if (isTold) await announceDomain(tx, row, traceparent)
  if (!isOther) return row
  await record(tx, acted(row, actor, proof.status === 'VERIFIED' ? 'publisher.verify' : 'publisher.lapse'))
  return row
}

/** Tells of a proof as a change has just left it; what a check has found is for its organization to ask. */
export async function announceDomain(
  tx: Transaction,
  { id, organizationId, domain, status, version, updatedAt }: VerificationRow,
  traceparent?: string,
): Promise<void> {
  await announce(tx, {
    aggregateId: id,
    type: 'PublisherDomainChange',
    version,
    value: {
      __typename: 'PublisherDomainChange',
      id,
      publisher: { __typename: 'Publisher', id: organizationId },
      domain,
      status,
      version,
      at: updatedAt,
    },
    ...(traceparent === undefined ? {} : { traceparent }),
  })
}

export const acted = (
  { id, organizationId, domain, method, problem }: VerificationRow,
  actor: string,
  action: string,
) => ({
  organizationId,
  actor,
  action,
  subject: domain,
  details: { id, method, ...(problem === null ? {} : { problem }) },
})
