import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction } from '@community/infra/postgres.ts'
import { usageTopic } from '../../kit/invoke.ts'
import { whileLeader } from '../../kit/leader.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { openViolations } from '../orchestrate/fits.ts'
import type { Hosting } from '../runtime/hosting.ts'
import type { Runtime } from '../runtime/local.ts'
import { type Detection, detect } from './detect.ts'
import { looker } from './exercise.ts'
import { type Handling, handle } from './handle.ts'
import { forgetUnanswered } from './hold-store.ts'
import type { Holds } from './holds.ts'
import { objectiveOf, objectiveTexts } from './objectives.ts'
import { type Observed, openObserver } from './observe.ts'
import { type Policy, policyFor } from './policies.ts'
import { IncidentMoved, open } from './record.ts'
import { goingIncidents } from './store.ts'
import { openWindow } from './window.ts'

/** The subject of certification's calls: its gates ask what an agent has to refuse. */
const examiner = 'service:certification'

type WatchedFloor = Floor & { holds: Holds; hosting: Hosting }

const lookEveryMs = 1_000
/** Between two looks at what a person was asked about. */
const escalatedEveryMs = 10_000
const forgetEveryMs = 600_000

type Watching = { floor: WatchedFloor; runtime: Runtime; policies: readonly Policy[] | null }

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
  const watching = { floor, runtime, policies }
  return whileLeader({ pool, name: 'watch incidents', log }, async ({ signal }) => {
    const window = openWindow([looker, examiner])
    const tail = await eventLog.tail({ topics: [usageTopic], from: 'latest', signal }, ({ value }) =>
      window.add(value),
    )
    const ended = new AbortController()
    const over = AbortSignal.any([signal, ended.signal])
    const done = tail.done.finally(() => ended.abort())
    const poolNames = Object.keys(config.agentPools)
    const observe = openObserver({ pool, runtime, poolNames, window, holds: floor.holds })
    const busy = new Map<string, Promise<void>>()
    let forgetAt = 0
    try {
      while (!over.aborted) {
        const next = sleep(lookEveryMs, undefined, { signal: over }).catch(() => undefined)
        await observe()
          .then((seen) => look(watching, seen, busy, over))
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

async function look(
  { floor, runtime, policies }: Watching,
  seen: Observed,
  busy: Map<string, Promise<void>>,
  signal: AbortSignal,
): Promise<void> {
  const { pool, log, nudge } = floor
  for (const detection of detect(seen)) {
    if (signal.aborted) return
    const incident = await inTransaction(pool, internalSettings, (tx) =>
      open(
        tx,
        wantedFor(detection, seen, policies ?? [], floor.config.homeOrganization),
        detection.text,
        seen.at,
      ),
    )
    if (!incident) continue
    nudge()
    const { id, symptom, subjectId, policy } = incident
    log.warn({ incident: id, symptom, subject: subjectId, policy }, 'an incident was detected')
  }
  if (policies === null) return
  const violations = openViolations()
  for (const incident of await inTransaction(pool, internalSettings, goingIncidents)) {
    if (busy.has(incident.id)) continue
    const policy = policies.find(({ name }) => name === incident.policy) ?? null
    const handling: Handling = { floor, runtime, violations, seen, policy, incident, signal }
    const task = handle(handling)
      .catch((error: unknown) => {
        if (!(error instanceof IncidentMoved) && !signal.aborted)
          log.warn({ err: error, incident: incident.id }, 'an incident could not be worked on, trying again')
      })
      .then(async () => {
        if (incident.status === 'ESCALATED')
          await sleep(escalatedEveryMs, undefined, { signal }).catch(() => undefined)
      })
      .finally(() => busy.delete(incident.id))
    busy.set(incident.id, task)
  }
}

function wantedFor(detection: Detection, seen: Observed, policies: readonly Policy[], home: string) {
  const { symptom, subjectKind, subjectId, agentId, pool, isPrivate } = detection
  const agent = seen.agents.find(({ id }) => id === agentId)
  const runs = agent === undefined ? null : agent.pool === null ? 'REMOTE' : 'POOL'
  const policy = policyFor(policies, symptom, { runs, labels: agent?.labels ?? {} })
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
