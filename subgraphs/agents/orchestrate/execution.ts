import type { Floor } from '../../kit/subgraph.ts'
import type { Policy } from '../admission.ts'
import type { Budget } from './budget.ts'
import type { Caller } from './call.ts'
import type { Violations } from './fits.ts'
import type { FleetAgent } from './fleet.ts'
import type { Claim, StepRow } from './store.ts'
import type { Lease } from './transition.ts'

export type Execution = {
  floor: Floor
  lease: Lease
  claim: Claim
  /** All agents of the fleet, by id. */
  fleet: ReadonlyMap<string, FleetAgent>
  policy: Policy
  violations: Violations
  /** Ends everything at once, without a word: the lease is lost or the process stops. */
  signal: AbortSignal
  /** Why nothing new may begin. */
  held: () => 'CANCELLED' | 'PAUSED' | null
}

/** What of a run is in this process. */
export type State = {
  budget: Budget
  steps: Map<string, StepRow>
  /** Why there are no more tokens. */
  exhausted: string | null
}

/** Of a step's calls. */
export const callerOf = (
  { floor, policy, violations, signal }: Execution,
  { budget }: State,
  stepId: string,
): Caller => ({
  floor,
  stepId,
  budget,
  policy,
  violations,
  signal,
  stopping: signal,
})

/** Why a run can't go on; may be told. */
export class RunFailed extends Error {}
