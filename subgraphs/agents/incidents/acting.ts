import type { Floor } from '../../kit/subgraph.ts'
import type { Hosting } from '../runtime/hosting.ts'
import type { Runtime } from '../runtime/local.ts'
import type { Observed } from './observe.ts'
import type { IncidentRow } from './store.ts'

export type Acting = {
  floor: Floor & { hosting: Hosting }
  runtime: Runtime
  seen: Observed
  incident: IncidentRow
  signal: AbortSignal
}

/** An action can't be done here, or did not work; the message says why. */
export class ActionFailed extends Error {}

export function agentOf({ agentId }: IncidentRow): string {
  if (agentId === null) throw new ActionFailed('it is about no single agent')
  return agentId
}
