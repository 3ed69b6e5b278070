import { inTransaction } from '@community/infra/postgres.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { announceAgent } from '../events.ts'
import { askFor } from '../orchestrate/ask.ts'
import { requestPause } from '../orchestrate/store.ts'
import { lockAgent, updateStatus } from '../store.ts'
import { type Acting, ActionFailed, agentOf } from './acting.ts'
import { certificateOf } from './certificates.ts'
import { insertHold } from './hold-store.ts'
import { reschedule, restartAgent, rollBack } from './place.ts'
import type { ActionName } from './policies.ts'

/** What was done, in words. Done twice it has the effect of once. Throws ActionFailed. */
export const carryOut = async (action: ActionName, acting: Acting): Promise<string> =>
  await actions[action](acting)

const actions: Record<ActionName, (acting: Acting) => Promise<string>> = {
  // A process that does not answer can't be asked to end: whoever supervises it looks at /health/live and kills it.
  'await-restart': async ({ incident: { pool } }) =>
    `whoever supervises the process of the pool ${pool} starts it again`,

  reschedule,
  'restart-agent': restartAgent,
  'roll-back': rollBack,

  async 'open-breaker'({ floor, incident }) {
    const agentId = agentOf(incident)
    await inTransaction(floor.pool, internalSettings, (tx) =>
      insertHold(tx, {
        kind: 'BREAKER',
        subjectId: agentId,
        incidentId: incident.id,
        reason: `incident ${incident.id}, ${incident.symptom}`,
      }),
    )
    return `calls of ${agentId} are refused until it answers again`
  },

  async quarantine({ floor, incident }) {
    const agentId = agentOf(incident)
    return await inTransaction(floor.pool, internalSettings, async (tx) => {
      const agent = await lockAgent(tx, agentId)
      if (!agent) throw new ActionFailed(`${agentId} is gone`)
      if (agent.status === 'SUSPENDED') return `${agentId} is SUSPENDED already`
      if (agent.status !== 'ACTIVE' && agent.status !== 'DEGRADED')
        throw new ActionFailed(`${agentId} is ${agent.status}`)
      const reason = `incident ${incident.id}, ${incident.symptom}`
      const hold = { kind: 'QUARANTINE', subjectId: agentId, incidentId: incident.id, reason } as const
      await insertHold(tx, { ...hold, previousStatus: agent.status })
      await updateStatus(tx, agentId, 'SUSPENDED')
      await announceAgent(tx, agentId, agent.status)
      return `${agentId} is SUSPENDED until it answers again`
    })
  },

  async 'quarantine-message'({ floor, incident: { id, subjectId, symptom } }) {
    await inTransaction(floor.pool, internalSettings, (tx) =>
      insertHold(tx, {
        kind: 'MESSAGE',
        subjectId,
        incidentId: id,
        reason: `incident ${id}, ${symptom}`,
      }),
    )
    return `the message ${subjectId} is not sent any more`
  },

  async 'hold-run'({ floor, incident: { subjectId } }) {
    await inTransaction(floor.pool, internalSettings, (tx) => requestPause(tx, subjectId, true))
    return `the run ${subjectId} is held: no new steps begin`
  },

  async recertify({ floor, incident, signal }) {
    const agentId = agentOf(incident)
    const row = await inTransaction(floor.pool, internalSettings, (tx) => certificateOf(tx, agentId))
    if (!floor.keys.issuer) throw new ActionFailed('tokens come from an external issuer')
    await askFor(
      floor,
      incident.organizationId,
      `mutation ($agentId: ID!, $level: CertificationLevel!) {
        requestCertification(agentId: $agentId, level: $level) { id } }`,
      { agentId, level: row?.level ?? 'BRONZE' },
      signal,
    )
    return `a certification of ${agentId} was asked for, level ${row?.level ?? 'BRONZE'}`
  },
}
