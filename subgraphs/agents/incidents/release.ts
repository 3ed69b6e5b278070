import type { Transaction } from '@community/infra/postgres.ts'
import { announceAgent } from '../events.ts'
import { lockAgent, updateStatus } from '../store.ts'
import { deleteHolds } from './hold-store.ts'

/** Closes the incident's breaker and lifts its quarantine. */
export async function release(tx: Transaction, incidentId: string): Promise<void> {
  for (const { agentId, previousStatus } of await deleteHolds(tx, incidentId)) {
    const agent = await lockAgent(tx, agentId)
    // What somebody else made of it meanwhile counts.
    if (agent?.status !== 'SUSPENDED') continue
    await updateStatus(tx, agentId, previousStatus)
    await announceAgent(tx, agentId, agent.status)
  }
}
