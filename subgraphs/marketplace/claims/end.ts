import type { Transaction } from '@community/infra/postgres.ts'
import { announceClaim } from './announce.ts'
import { moveClaim, openClaims } from './store.ts'

/** What was claimed of an owner is not the next owner's to answer: who still wants it claims anew. */
export async function endClaims(tx: Transaction, agentId: string): Promise<void> {
  for (const id of await openClaims(tx, agentId)) {
    const ended = await moveClaim(tx, id, 'WITHDRAWN', 'the agent belongs to another organization now')
    if (ended) await announceClaim(tx, ended)
  }
}
