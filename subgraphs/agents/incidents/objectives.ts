import type { IncidentSymptom } from '../schema.generated.ts'

/** What can be measured to hold again. */
export const objectiveNames = [
  'pool-hosts-its-agents',
  'agent-is-hosted',
  'agent-answers',
  'message-is-held',
  'run-keeps-pace',
  'certificate-in-force',
  'events-flow',
  'records-are-read',
  'statements-go-on',
] as const
export type ObjectiveName = (typeof objectiveNames)[number]

export const objectiveTexts: Record<ObjectiveName, string> = {
  'pool-hosts-its-agents': 'The pool answers and hosts all agents that are deployed in it.',
  'agent-is-hosted': 'The agent is hosted by a pool that answers.',
  'agent-answers': 'The agent answers a real request as declared and in time.',
  'message-is-held': 'The message reaches its agent no more, and the agent answers others.',
  'run-keeps-pace': 'The run has ended, or its tokens and its steps go down at the same pace.',
  'certificate-in-force': 'The agent has a certificate that does not end within a day.',
  'events-flow': 'Events reach the event log within seconds.',
  'records-are-read': 'No record of the topic has gone to the dead letters for a minute.',
  'statements-go-on': 'No statement waits for a lock for seconds.',
}

/** Where no policy names another. */
export const objectiveOf: Record<IncidentSymptom, ObjectiveName> = {
  POOL_UNREACHABLE: 'pool-hosts-its-agents',
  HEARTBEAT_MISSING: 'agent-is-hosted',
  PROBE_FAILED: 'agent-answers',
  ERROR_RATE: 'agent-answers',
  LATENCY: 'agent-answers',
  BUDGET_BURN: 'run-keeps-pace',
  POISON_MESSAGE: 'message-is-held',
  CERTIFICATE_EXPIRY: 'certificate-in-force',
  CERTIFICATE_REVOKED: 'certificate-in-force',
  EVENTS_STALLED: 'events-flow',
  RECORDS_UNREADABLE: 'records-are-read',
  DATABASE_BLOCKED: 'statements-go-on',
}
