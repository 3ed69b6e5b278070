import { inTransaction } from '@community/infra/postgres.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { runsById } from '../orchestrate/store.ts'
import type { Hosting } from '../runtime/hosting.ts'
import { certificateOf } from './certificates.ts'
import type { Measured } from './decide.ts'
import { exercise } from './exercise.ts'
import { isHeld } from './hold-store.ts'
import type { ObjectiveName } from './objectives.ts'
import type { Observed } from './observe.ts'
import type { IncidentRow } from './store.ts'
import { slowMsOf, thresholds } from './thresholds.ts'

export type Measuring = {
  floor: Floor & { hosting: Hosting }
  seen: Observed
  incident: IncidentRow
}

/** Whether what an incident is about is as it should be, at this moment. */
export const measure = async (objective: ObjectiveName, measuring: Measuring): Promise<Measured> =>
  await measures[objective](measuring)

const measures: Record<ObjectiveName, (measuring: Measuring) => Promise<Measured>> = {
  'pool-hosts-its-agents': async ({ seen, incident }) => poolHosts(seen, incident.subjectId),

  async 'agent-is-hosted'({ seen, incident: { agentId } }) {
    const agent = seen.agents.find(({ id }) => id === agentId)
    if (!agent) return { holds: true, seen: 'it is not deployed any more' }
    const here = agent.pool === null ? undefined : seen.hosted.get(agent.pool)
    const holds = here?.some((each) => each.agentId === agentId) ?? false
    return {
      holds,
      seen: holds ? `the pool ${agent.pool} hosts it` : `the pool ${agent.pool} does not host it`,
    }
  },

  async 'agent-answers'({ floor, seen, incident: { agentId, status, beganAt, progress } }) {
    const agent = seen.agents.find(({ id }) => id === agentId)
    if (!agent || agentId === null) return { holds: true, seen: 'it is not deployed any more' }
    const slowMs = slowMsOf(agent.declaredP95Ms)
    const withinMs = status === 'OPEN' ? Math.min(thresholds.firstLookMs, slowMs) : slowMs
    const answered = await exercise(floor, agentId, withinMs)
    if (!answered.holds) return answered
    // Nobody else calls it while its breaker is open; where it is not, others' calls count as well.
    const since = Math.max(beganAt.getTime(), progress.actionAt === null ? 0 : Date.parse(progress.actionAt))
    const failed = agent.calls.errors + agent.calls.timeouts
    const isWindowPast = seen.at.getTime() - since > thresholds.windowMs
    if (
      isWindowPast &&
      agent.calls.total >= thresholds.leastInWindow &&
      failed / agent.calls.total >= thresholds.badRatio
    )
      return { holds: false, seen: `${failed} of ${agent.calls.total} calls of the last minute failed` }
    return answered
  },

  async 'message-is-held'({ floor, seen, incident: { subjectId, agentId } }) {
    const held = await inTransaction(floor.pool, internalSettings, (tx) => isHeld(tx, 'MESSAGE', subjectId))
    if (!held) return { holds: false, seen: 'the message may still be sent' }
    const agent = seen.agents.find(({ id }) => id === agentId)
    if (!agent) return { holds: true, seen: 'it is kept back' }
    return await exercise(floor, agent.id, slowMsOf(agent.declaredP95Ms))
  },

  async 'run-keeps-pace'({ floor, seen, incident: { subjectId } }) {
    const [run] = await inTransaction(floor.pool, internalSettings, (tx) => runsById(tx, [subjectId]))
    if (!run) return { holds: true, seen: 'the run is gone' }
    if (run.finishedAt !== null) return { holds: true, seen: `the run has ended: ${run.status}` }
    const burnt = run.spent / run.allocated
    const progress = run.total === 0 ? 1 : run.done / run.total
    const keepsPace = burnt < progress * thresholds.burnRate
    return {
      holds: keepsPace && seen.runs.some(({ id }) => id === subjectId),
      seen: `it is ${run.status}, ${run.spent} of ${run.allocated} tokens are spent, ${run.done} of ${run.total} steps done`,
    }
  },

  async 'certificate-in-force'({ floor, seen, incident: { agentId } }) {
    const row = await inTransaction(floor.pool, internalSettings, (tx) => certificateOf(tx, agentId ?? ''))
    if (!row) return { holds: false, seen: 'it has no certificate' }
    const { status, expiresAt } = row
    const holds =
      status === 'CERTIFIED' &&
      (expiresAt === null || expiresAt.getTime() - seen.at.getTime() > thresholds.certificateEndsMs)
    return {
      holds,
      seen: `its certification is ${status}, its certificate ends at ${expiresAt?.toISOString() ?? '?'}`,
    }
  },

  async 'events-flow'({ seen }) {
    const holds = seen.oldestEventMs < thresholds.eventsStalledMs
    return { holds, seen: `the oldest event waits for ${Math.round(seen.oldestEventMs)} ms` }
  },

  async 'records-are-read'({ seen, incident: { subjectId } }) {
    const letters = seen.deadLetters.find(({ topic }) => topic === subjectId)
    return {
      holds: !letters,
      seen: letters ? `${letters.records}, ${letters.error}` : 'none came in a minute',
    }
  },

  async 'statements-go-on'({ seen, incident: { subjectId } }) {
    const block = seen.blocks.find(({ subgraph }) => subgraph === subjectId)
    if (!block) return { holds: true, seen: 'no statement waits for a lock' }
    const { longestMs, holders } = block
    return {
      // A moment's wait is nothing, at whichever moment one looks.
      holds: longestMs < thresholds.blockedMs,
      seen: `a statement has waited ${Math.round(longestMs)} ms for ${holders.join(', ')}`,
    }
  },
}

function poolHosts({ agents, hosted, pools }: Observed, name: string): Measured {
  const deployed = agents.filter(({ pool }) => pool === name)
  if (deployed.length === 0) return { holds: true, seen: `no agent is deployed in ${name} any more` }
  const here = hosted.get(name)
  if (!here) {
    const reason = pools.find((pool) => pool.name === name)?.reason
    return { holds: false, seen: `${name} does not answer: ${reason ?? 'no reason is known'}` }
  }
  const ids = new Set(here.map(({ agentId }) => agentId))
  const missing = deployed.filter(({ id }) => !ids.has(id)).length
  return {
    holds: missing === 0,
    seen: `${name} answers and hosts ${deployed.length - missing} of ${deployed.length} agents`,
  }
}
