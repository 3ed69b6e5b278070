import type { Transaction } from '@community/infra/postgres.ts'
import { announce } from '../../kit/outbox.ts'
import type { SubmissionRow } from './store.ts'

/** Tells of a submission as a change has just left it. */
export async function announceSubmission(
  tx: Transaction,
  { id, agentId, level, status, version, updatedAt }: SubmissionRow,
  traceparent?: string,
): Promise<void> {
  await announce(tx, {
    aggregateId: id,
    type: 'SubmissionChange',
    version,
    value: {
      __typename: 'SubmissionChange',
      id,
      submission: { __typename: 'Submission', id, agentId, level, status, version },
      version,
      at: updatedAt,
    },
    ...(traceparent === undefined ? {} : { traceparent }),
  })
}
