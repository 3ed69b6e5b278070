import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction, type Pool } from '@community/infra/postgres.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import type { HostedAgent, Runtime } from '../runtime/local.ts'
import { endingCertificates } from './certificates.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Observation, ObservedPool } from './detect.ts'
import { unansweredMessages } from './hold-store.ts'
import type { Holds } from './holds.ts'
import {
  blockedStatements,
  deployedAgents,
  lastResolutions,
  oldestEventMs,
  runningRuns,
} from './observe-store.ts'
import { slowMsOf, thresholds } from './thresholds.ts'
import type { Window } from './window.ts'

export type Observed = Observation & { hosted: ReadonlyMap<string, readonly HostedAgent[]> }

const lookMs = 1_500

type Sources = {
  pool: Pool
  runtime: Runtime
  poolNames: readonly string[]
  window: Window
  deadLetters: DeadLetters
  /** Knows of the calls of this process; those of others are seen when they end. */
  holds: Pick<Holds, 'underWay'>
}

type Look = { hosted: HostedAgent[] } | { reason: string }
type Memory = { wasUp: boolean; downSince: number | null; upSince: number }

/** Looks at everything once with each call; what it takes from one look to the next is kept here. */
export function openObserver({ pool, runtime, poolNames, window, deadLetters, holds }: Sources) {
  const startedAt = Date.now()
  const pools = new Map<string, Memory>()
  const missingSince = new Map<string, number>()

  const lookAt = async (name: string): Promise<[string, Look]> => {
    const asked = runtime.hosted(name).then(
      (hosted): Look => ({ hosted }),
      (error: unknown): Look => ({ reason: error instanceof Error ? error.message : String(error) }),
    )
    const late = sleep(lookMs, { reason: `no answer within ${lookMs} ms` }, { ref: false })
    return [name, await Promise.race([asked, late])]
  }

  const remember = (name: string, isUp: boolean, now: number, askedAt: number): Memory => {
    const before = pools.get(name) ?? { wasUp: false, downSince: null, upSince: 0 }
    const after = isUp
      ? { wasUp: true, downSince: null, upSince: before.downSince === null ? before.upSince : now }
      : { ...before, downSince: before.downSince ?? askedAt }
    pools.set(name, after)
    return after
  }

  return async (): Promise<Observed> => {
    const askedAt = Date.now()
    const looks = new Map(await Promise.all(poolNames.map(lookAt)))
    const at = new Date()
    const now = at.getTime()
    const rows = await inTransaction(pool, internalSettings, async (tx) => ({
      agents: await deployedAgents(tx),
      runs: await runningRuns(tx),
      messages: await unansweredMessages(tx, thresholds.unanswered),
      certificates: await endingCertificates(tx, new Date(now + thresholds.certificateEndsMs)),
      oldestEventMs: await oldestEventMs(tx),
      blocks: await blockedStatements(tx),
      resolved: await lastResolutions(tx),
    }))
    const hosted = new Map(
      [...looks].flatMap(([name, look]) => ('hosted' in look ? [[name, look.hosted] as const] : [])),
    )
    const hostedIds = new Map(
      [...hosted].map(([name, list]) => [name, new Set(list.map((each) => each.agentId))]),
    )

    const notHostedFor = (id: string, name: string | null): number | null => {
      const isMissing = name !== null && hostedIds.get(name)?.has(id) === false
      if (!isMissing) missingSince.delete(id)
      else if (!missingSince.has(id)) missingSince.set(id, now)
      const since = missingSince.get(id)
      return since === undefined ? null : now - since
    }
    const counts = Map.groupBy(rows.agents, (agent) => agent.pool)
    const seenPools = [...looks].map(([name, look]): ObservedPool => {
      const { wasUp, downSince } = remember(name, 'hosted' in look, now, askedAt)
      return {
        name,
        downForMs: downSince === null ? 0 : Math.max(1, now - downSince),
        wasUp,
        agents: counts.get(name)?.length ?? 0,
        reason: 'reason' in look ? look.reason : null,
      }
    })
    const deployed = new Set(rows.agents.map(({ id }) => id))
    for (const id of missingSince.keys()) if (!deployed.has(id)) missingSince.delete(id)
    return {
      at,
      lookingForMs: now - startedAt,
      pools: seenPools,
      hosted,
      agents: rows.agents.map((agent) => {
        // What was before it was placed, mended, or its pool came back, says nothing of it now.
        const sinceMs = Math.max(
          now - thresholds.windowMs,
          agent.placedAt.getTime(),
          rows.resolved.get(agent.id)?.getTime() ?? 0,
          (agent.pool !== null && pools.get(agent.pool)?.upSince) || 0,
          (agent.pool !== null && rows.resolved.get(agent.pool)?.getTime()) || 0,
        )
        const since = new Date(sinceMs)
        const slowMs = slowMsOf(agent.declaredP95Ms)
        return {
          ...agent,
          notHostedForMs: notHostedFor(agent.id, agent.pool),
          calls: window.callsOf(agent.id, since, {
            slowMs,
            underWay: holds.underWay(agent.id, slowMs, since),
          }),
        }
      }),
      runs: rows.runs,
      messages: rows.messages,
      certificates: rows.certificates,
      oldestEventMs: rows.oldestEventMs,
      blocks: rows.blocks,
      deadLetters: deadLetters.latest(),
    }
  }
}
