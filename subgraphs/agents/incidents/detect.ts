import type { AgentStatus, IncidentSubjectKind, IncidentSymptom } from '../schema.generated.ts'
import { slowMsOf, thresholds } from './thresholds.ts'
import type { Calls } from './window.ts'

export type ObservedAgent = {
  id: string
  organizationId: string
  visibility: string
  status: AgentStatus
  /** Null of one that runs elsewhere. */
  pool: string | null
  placedAt: Date
  heartbeatAt: Date | null
  /** When the version that runs replaced another; null of one that never did, or that was rolled back to. */
  replacedAt: Date | null
  labels: Record<string, string>
  /** The manifest's `spec.performance.p95LatencyMs`. */
  declaredP95Ms: number | null
  /** How long its pool, which answers, has not hosted it; null where it does, or nobody knows. */
  notHostedForMs: number | null
  calls: Calls
}

export type ObservedPool = {
  name: string
  /** How long it has not answered; 0 where it does. */
  downForMs: number
  wasUp: boolean
  agents: number
  reason: string | null
}

export type ObservedRun = {
  id: string
  organizationId: string
  visibility: string
  spent: number
  allocated: number
  done: number
  total: number
}

export type ObservedMessage = {
  messageId: string
  agentId: string
  times: number
  /** How many others of the agent's were sent again and had no answer either; what fails once may fail for this one. */
  others: number
  error: string
}

export type ObservedCertificate = {
  certificationId: string
  agentId: string
  status: string
  expiresAt: Date | null
}

/** Statements on one subgraph's tables that wait for locks. */
export type ObservedBlock = {
  subgraph: string
  statements: number
  longestMs: number
  /** Who holds what they wait for: process ids of Postgres, with their users. */
  holders: string[]
  tables: string[]
}

/** What went to the dead letters in the last minute. */
export type ObservedDeadLetters = { topic: string; records: number; error: string }

/** What is known at one moment. */
export type Observation = {
  at: Date
  /** How long this process has been looking. */
  lookingForMs: number
  pools: readonly ObservedPool[]
  agents: readonly ObservedAgent[]
  runs: readonly ObservedRun[]
  messages: readonly ObservedMessage[]
  certificates: readonly ObservedCertificate[]
  /** Age of the oldest event that has not reached the log. */
  oldestEventMs: number
  blocks: readonly ObservedBlock[]
  deadLetters: readonly ObservedDeadLetters[]
}

export type Detection = {
  symptom: IncidentSymptom
  subjectKind: IncidentSubjectKind
  subjectId: string
  agentId: string | null
  pool: string | null
  /** Null: the home organization. */
  organizationId: string | null
  isPrivate: boolean
  text: string
}

const used: readonly AgentStatus[] = ['ACTIVE', 'DEGRADED']

/** What is wrong; of an agent one thing at most, and nothing where its pool is what is wrong. */
export function detect(seen: Observation): Detection[] {
  const pools = seen.pools.flatMap((pool) => ofPool(pool, seen))
  const down = new Set(seen.pools.filter(({ downForMs }) => downForMs > 0).map(({ name }) => name))
  const agents = seen.agents
    .filter(({ status, pool }) => used.includes(status) && (pool === null || !down.has(pool)))
    .flatMap((agent) => ofAgent(agent, seen))
  const suspected = new Set(agents.map(({ agentId }) => agentId))
  const byId = new Map(seen.agents.map((agent) => [agent.id, agent]))
  return [
    ...pools,
    ...agents,
    ...seen.runs.flatMap(ofRun),
    ...seen.messages.flatMap((message) => {
      const agent = byId.get(message.agentId)
      const blamed =
        agent === undefined || suspected.has(agent.id) || (agent.pool !== null && down.has(agent.pool))
      return blamed ? [] : ofMessage(message, agent)
    }),
    ...seen.certificates.flatMap((each) => ofCertificate(each, byId.get(each.agentId), seen.at)),
    ...ofEvents(seen),
    ...seen.blocks.flatMap(ofBlock),
    ...seen.deadLetters.map(ofDeadLetters),
  ]
}

/**
 * Agents elsewhere whose newest call is late. That alone is no incident, and few calls may follow: they are looked at, and
 * what a look finds out is one. A pool whose process hangs is its supervisor's.
 */
export const suspects = (seen: Observation): ObservedAgent[] =>
  seen.agents.filter(
    ({ status, pool, calls }) => used.includes(status) && pool === null && calls.latest.isNewestLate,
  )

/** Of a suspect that was looked at, and did not answer as it should. */
export const lateWhenLookedAt = (agent: ObservedAgent, why: string): Detection =>
  aboutAgent(agent, 'LATENCY', `a call was ${notAnswered(agent)}; when it was looked at: ${why}`)

function ofPool({ name, downForMs, wasUp, agents, reason }: ObservedPool, seen: Observation): Detection[] {
  if (downForMs < thresholds.poolDownMs || agents === 0) return []
  if (!wasUp && seen.lookingForMs < thresholds.graceMs) return []
  const text = `the pool ${name} with ${agents} agents has not answered for ${inSeconds(downForMs)}: ${reason ?? 'no reason is known'}`
  return [
    {
      symptom: 'POOL_UNREACHABLE',
      subjectKind: 'POOL',
      subjectId: name,
      agentId: null,
      pool: name,
      organizationId: null,
      isPrivate: false,
      text,
    },
  ]
}

function ofAgent(agent: ObservedAgent, { at, lookingForMs }: Observation): Detection[] {
  const { pool, calls, notHostedForMs, heartbeatAt, placedAt } = agent
  const found = (symptom: IncidentSymptom, text: string) => [aboutAgent(agent, symptom, text)]
  if (notHostedForMs !== null && notHostedForMs >= thresholds.notHostedMs)
    return found(
      'HEARTBEAT_MISSING',
      `its pool ${pool} answers, and has not hosted it for ${inSeconds(notHostedForMs)}`,
    )
  const silentForMs = at.getTime() - Math.max(placedAt.getTime(), heartbeatAt?.getTime() ?? 0)
  if (pool === null && silentForMs >= thresholds.silentMs && lookingForMs >= thresholds.silentMs)
    return found('PROBE_FAILED', `it has not answered for ${inSeconds(silentForMs)}`)
  const bad = badCalls(calls)
  if (bad === null) return []
  return bad.isLate
    ? found('LATENCY', `of ${bad.of} ${bad.count} were ${notAnswered(agent)}`)
    : found('ERROR_RATE', `of ${bad.of} ${bad.count} failed`)
}

const notAnswered = ({ declaredP95Ms }: ObservedAgent) =>
  `not answered within ${inSeconds(slowMsOf(declaredP95Ms))}`

const aboutAgent = (agent: ObservedAgent, symptom: IncidentSymptom, text: string): Detection => ({
  symptom,
  subjectKind: 'AGENT',
  subjectId: agent.id,
  agentId: agent.id,
  pool: agent.pool,
  organizationId: agent.organizationId,
  isPrivate: agent.visibility === 'PRIVATE',
  text,
})

/** Lateness first: who does not answer in time may fail for that alone. */
function badCalls(calls: Calls): { isLate: boolean; count: number; of: string } | null {
  const { total, errors, timeouts, slow, latest } = calls
  const minute = `${total} calls in the last minute`
  const last = `the latest ${latest.total} calls`
  const { badRatio, latestBadRatio, leastCalls, leastInWindow } = thresholds
  const isBadOfLatest = (count: number, ratio: number) =>
    latest.total >= leastCalls && count >= ratio * latest.total
  const isBadInWindow = (count: number) => total >= leastInWindow && count >= badRatio * total
  if (isBadOfLatest(latest.late, badRatio)) return { isLate: true, count: latest.late, of: last }
  if (isBadInWindow(timeouts + slow)) return { isLate: true, count: timeouts + slow, of: minute }
  const failed = latest.errors + latest.late
  if (isBadOfLatest(failed, latestBadRatio)) return { isLate: false, count: failed, of: last }
  return isBadInWindow(errors + timeouts) ? { isLate: false, count: errors + timeouts, of: minute } : null
}

function ofRun({ id, organizationId, visibility, spent, allocated, done, total }: ObservedRun): Detection[] {
  const burnt = allocated === 0 ? 0 : spent / allocated
  const progress = total === 0 ? 1 : done / total
  if (burnt < thresholds.burntShare || burnt < progress * thresholds.burnRate) return []
  return [
    {
      symptom: 'BUDGET_BURN',
      subjectKind: 'RUN',
      subjectId: id,
      agentId: null,
      pool: null,
      organizationId,
      isPrivate: visibility === 'PRIVATE',
      text: `${spent} of ${allocated} tokens are spent, and ${done} of ${total} steps done`,
    },
  ]
}

function ofMessage(
  { messageId, agentId, times, others, error }: ObservedMessage,
  agent: ObservedAgent,
): Detection[] {
  if (times < thresholds.unanswered || others >= thresholds.unansweredMessages) return []
  return [
    {
      symptom: 'POISON_MESSAGE',
      subjectKind: 'MESSAGE',
      subjectId: messageId,
      agentId,
      pool: agent.pool,
      organizationId: agent.organizationId,
      isPrivate: agent.visibility === 'PRIVATE',
      text: `sent ${times} times and never answered, the last time: ${error}`,
    },
  ]
}

function ofCertificate(
  { certificationId, agentId, status, expiresAt }: ObservedCertificate,
  agent: ObservedAgent | undefined,
  at: Date,
): Detection[] {
  if (!agent || !used.includes(agent.status)) return []
  const found = (symptom: IncidentSymptom, text: string): Detection[] => [
    {
      symptom,
      subjectKind: 'CERTIFICATE',
      subjectId: certificationId,
      agentId,
      pool: agent.pool,
      organizationId: agent.organizationId,
      isPrivate: agent.visibility === 'PRIVATE',
      text,
    },
  ]
  if (status === 'REVOKED') return found('CERTIFICATE_REVOKED', `the certificate of ${agentId} was revoked`)
  const ends = status === 'EXPIRED' ? at : status === 'CERTIFIED' ? expiresAt : null
  if (ends === null || ends.getTime() - at.getTime() > thresholds.certificateEndsMs) return []
  return found('CERTIFICATE_EXPIRY', `the certificate of ${agentId} ends at ${ends.toISOString()}`)
}

function ofEvents({ oldestEventMs }: Observation): Detection[] {
  if (oldestEventMs < thresholds.eventsStalledMs) return []
  const text = `an event has waited ${inSeconds(oldestEventMs)} for the event log`
  return [aboutFloor('EVENTS_STALLED', 'SUBGRAPH', 'agents', text)]
}

function ofBlock({ subgraph, statements, longestMs, holders, tables }: ObservedBlock): Detection[] {
  if (longestMs < thresholds.blockedMs) return []
  const where = tables.length === 0 ? '' : ` on ${tables.join(', ')}`
  const what = `${statements} ${statements === 1 ? 'statement waits' : 'statements wait'} for a lock${where}`
  const text = `${what}, the longest for ${inSeconds(longestMs)}; held by ${holders.join(', ') || 'nobody any more'}`
  return [aboutFloor('DATABASE_BLOCKED', 'SUBGRAPH', subgraph, text)]
}

const ofDeadLetters = ({ topic, records, error }: ObservedDeadLetters): Detection =>
  aboutFloor(
    'RECORDS_UNREADABLE',
    'TOPIC',
    topic,
    `${records} ${records === 1 ? 'record' : 'records'} went to the dead letters, the last one with: ${error}`,
  )

/** Of what the whole community stands on, which is the home organization's. */
const aboutFloor = (
  symptom: IncidentSymptom,
  subjectKind: IncidentSubjectKind,
  subjectId: string,
  text: string,
): Detection => ({
  symptom,
  subjectKind,
  subjectId,
  agentId: null,
  pool: null,
  organizationId: null,
  isPrivate: false,
  text,
})

const inSeconds = (ms: number) => `${Math.round(ms / 100) / 10} s`
