import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction } from '@community/infra/postgres.ts'
import { deadLetterTopic } from '../../kit/inbox.ts'
import { usageTopic } from '../../kit/invoke.ts'
import { whileLeader } from '../../kit/leader.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import type { Hosting } from '../runtime/hosting.ts'
import type { Runtime } from '../runtime/local.ts'
import { openDeadLetters } from './dead-letters.ts'
import type { Measured } from './decide.ts'
import { type Detection, detect, lateWhenLookedAt, type ObservedAgent, suspects } from './detect.ts'
import { exercise, looker } from './exercise.ts'
import { handle } from './handle.ts'
import { forgetUnanswered } from './hold-store.ts'
import type { Holds } from './holds.ts'
import { objectiveOf, objectiveTexts } from './objectives.ts'
import { type Observed, openObserver } from './observe.ts'
import { type Policy, policyFor } from './policies.ts'
import { IncidentMoved, open } from './record.ts'
import { goingIncidents, type IncidentRow } from './store.ts'
import { slowMsOf, thresholds } from './thresholds.ts'
import { openWindow } from './window.ts'

/** The subject of certification's calls: its gates ask what an agent has to refuse. */
const examiner = 'agent:certification-validator'

type WatchedFloor = Floor & { holds: Holds; hosting: Hosting }

const lookEveryMs = 1_000
/** Between two looks at what a person was asked about. */
const escalatedEveryMs = 10_000
const forgetEveryMs = 600_000

type Watching = {
  floor: WatchedFloor
  runtime: Runtime
  policies: readonly Policy[] | null
  signal: AbortSignal
  /** What is under way, by what it is about; one at a time. */
  busy: Map<string, Promise<void>>
}

/**
 * Looks at everything once a second, opens incidents, and does what policies say about them. In one process at a time:
 * all that it needs of an incident is in its row, so that another goes on when it dies. Without policies nothing is done.
 */
export function watchIncidents(
  floor: WatchedFloor,
  runtime: Runtime,
  policies: readonly Policy[] | null,
): { stop(): Promise<void> } {
  const { pool, log, eventLog, config } = floor
  if (policies === null) log.warn('incidents are detected only: INCIDENT_POLICIES is off')
  return whileLeader({ pool, name: 'watch incidents', log }, async ({ signal }) => {
    const window = openWindow([looker, examiner])
    const deadLetters = openDeadLetters()
    const topics = [usageTopic, deadLetterTopic]
    const tail = await eventLog.tail({ topics, from: 'latest', signal }, (records) => {
      for (const record of records)
        if (record.topic === usageTopic) window.add(record.value)
        else deadLetters.add(record)
    })
    const ended = new AbortController()
    const over = AbortSignal.any([signal, ended.signal])
    const done = tail.done.finally(() => ended.abort())
    const poolNames = Object.keys(config.agentPools)
    const observe = openObserver({ pool, runtime, poolNames, window, deadLetters, holds: floor.holds })
    const busy = new Map<string, Promise<void>>()
    const watching = { floor, runtime, policies, signal: over, busy }
    let forgetAt = 0
    try {
      while (!over.aborted) {
        const next = sleep(lookEveryMs, undefined, { signal: over }).catch(() => undefined)
        await observe()
          .then((seen) => look(watching, seen))
          .catch((error: unknown) => {
            if (!over.aborted) log.warn({ err: error }, 'a look for incidents failed, trying again')
          })
        if (Date.now() > forgetAt) {
          forgetAt = Date.now() + forgetEveryMs
          await inTransaction(pool, internalSettings, forgetUnanswered)
        }
        await next
      }
    } finally {
      ended.abort()
      await tail.stop()
      await Promise.all(busy.values())
    }
    await done
  })
}

async function look(watching: Watching, seen: Observed): Promise<void> {
  const { floor, policies, signal } = watching
  for (const detection of detect(seen)) {
    if (signal.aborted) return
    await raise(watching, seen, detection)
  }
  if (policies === null) return
  const going = await inTransaction(floor.pool, internalSettings, goingIncidents)
  for (const incident of going) workOn(watching, seen, incident)
  const known = new Set(going.map(({ agentId }) => agentId))
  for (const agent of suspects(seen)) if (!known.has(agent.id)) examine(watching, seen, agent)
}

/** The incident that a detection opens; null where it goes on already. */
async function raise(
  { floor, policies }: Watching,
  seen: Observed,
  detection: Detection,
): Promise<IncidentRow | null> {
  const wanted = wantedFor(detection, seen, policies ?? [], floor.config.homeOrganization)
  const incident = await inTransaction(floor.pool, internalSettings, (tx) =>
    open(tx, wanted, detection.text, new Date()),
  )
  if (!incident) return null
  floor.nudge()
  const { id, symptom, subjectId, policy } = incident
  floor.log.warn({ incident: id, symptom, subject: subjectId, policy }, 'an incident was detected')
  return incident
}

function workOn(watching: Watching, seen: Observed, incident: IncidentRow, measured?: Measured): void {
  const { floor, runtime, policies, signal } = watching
  const policy = policies?.find(({ name }) => name === incident.policy) ?? null
  const handling = { floor, runtime, seen, policy, incident, signal }
  whileBusy(watching, incident.id, async () => {
    try {
      await handle(measured === undefined ? handling : { ...handling, measured })
    } catch (error) {
      if (!(error instanceof IncidentMoved) && !signal.aborted)
        floor.log.warn(
          { err: error, incident: incident.id },
          'an incident could not be worked on, trying again',
        )
    }
    if (incident.status === 'ESCALATED') await pause(escalatedEveryMs, signal)
  })
}

/** Looks at an agent that is only suspected: it answers, and that was it for a while, or it has an incident. */
function examine(watching: Watching, seen: Observed, agent: ObservedAgent): void {
  const { floor, signal } = watching
  const { firstLookMs, suspectEveryMs } = thresholds
  whileBusy(watching, `suspect ${agent.id}`, async () => {
    try {
      const withinMs = Math.min(firstLookMs, slowMsOf(agent.declaredP95Ms))
      const measured = await exercise(floor, agent.id, withinMs)
      if (measured.holds) return await pause(suspectEveryMs, signal)
      const incident = await raise(watching, seen, lateWhenLookedAt(agent, measured.seen))
      if (incident) workOn(watching, seen, incident, measured)
    } catch (error) {
      if (!signal.aborted) floor.log.warn({ err: error, agent: agent.id }, 'an agent could not be looked at')
    }
  })
}

function whileBusy({ busy }: Watching, what: string, work: () => Promise<void>): void {
  if (busy.has(what)) return
  busy.set(
    what,
    work().finally(() => busy.delete(what)),
  )
}

const pause = (ms: number, signal: AbortSignal) => sleep(ms, undefined, { signal }).catch(() => undefined)

function wantedFor(detection: Detection, seen: Observed, policies: readonly Policy[], home: string) {
  const { symptom, subjectKind, subjectId, agentId, pool, isPrivate } = detection
  const agent = seen.agents.find(({ id }) => id === agentId)
  const runs = agent === undefined ? null : agent.pool === null ? 'REMOTE' : 'POOL'
  const newVersionForMs = agent?.replacedAt ? seen.at.getTime() - agent.replacedAt.getTime() : null
  const policy = policyFor(policies, symptom, { runs, labels: agent?.labels ?? {}, newVersionForMs })
  return {
    symptom,
    subjectKind,
    subjectId,
    agentId,
    pool,
    objective: objectiveTexts[policy?.objective ?? objectiveOf[symptom]],
    policy: policy?.name ?? null,
    organizationId: detection.organizationId ?? home,
    visibility: isPrivate ? ('PRIVATE' as const) : ('ORGANIZATION' as const),
  }
}
