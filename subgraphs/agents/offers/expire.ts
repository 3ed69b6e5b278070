import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { type Repeated, repeat } from '../../kit/repeat.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { announceOffer } from './announce.ts'
import { expireOffers } from './store.ts'

const everyMs = 60_000

/** Once a minute ends the offers that nobody has taken in time, and tells of it. */
export const endOffers = ({ pool, log, nudge }: Pick<Floor, 'pool' | 'log' | 'nudge'>): Repeated =>
  repeat({ everyMs, log, problem: 'offers of agents could not be ended' }, async () => {
    if (await inTransaction(pool, internalSettings, (tx) => endOverdue(tx))) nudge()
  })

/** Of one agent, or of all. Whether there were some. */
export async function endOverdue(tx: Transaction, agentId: string | null = null): Promise<boolean> {
  const ended = await expireOffers(tx, agentId)
  for (const row of ended) await announceOffer(tx, row)
  return ended.length > 0
}
