import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { announceOffer } from './announce.ts'
import { expireOffers } from './store.ts'

const everyMs = 60_000

/** Once a minute ends the offers that nobody has taken in time, and tells of it. */
export function endOffers({ pool, log, nudge }: Pick<Floor, 'pool' | 'log' | 'nudge'>): {
  stop(): Promise<void>
} {
  const stopping = new AbortController()
  const { signal } = stopping

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        if (await inTransaction(pool, internalSettings, (tx) => endOverdue(tx))) nudge()
      } catch (error) {
        log.warn({ err: error }, 'offers of agents could not be ended')
      }
      await sleep(everyMs, undefined, { signal }).catch(() => undefined)
    }
  }

  const running = run()
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}

/** Of one agent, or of all. Whether there were some. */
export async function endOverdue(tx: Transaction, agentId: string | null = null): Promise<boolean> {
  const ended = await expireOffers(tx, agentId)
  for (const row of ended) await announceOffer(tx, row)
  return ended.length > 0
}
