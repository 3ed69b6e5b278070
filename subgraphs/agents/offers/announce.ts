import type { Transaction } from '@community/infra/postgres.ts'
import { announce } from '../../kit/outbox.ts'
import type { OfferRow } from './store.ts'

/** Tells of an offer as a change has just left it. */
export async function announceOffer(tx: Transaction, row: OfferRow, traceparent?: string): Promise<void> {
  const { id, version, offeredBy, decidedBy, offeredAt, decidedAt, why, expiresAt, ...told } = row
  await announce(tx, {
    aggregateId: id,
    type: 'AgentOfferChange',
    version,
    value: {
      __typename: 'AgentOfferChange',
      id,
      offer: { __typename: 'AgentOffer', id, ...told, expiresAt, offeredAt, decidedAt, why },
      offeredBy,
      decidedBy,
      version,
      at: decidedAt ?? offeredAt,
    },
    ...(traceparent === undefined ? {} : { traceparent }),
  })
}
