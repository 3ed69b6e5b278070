import type { Floor } from '../../kit/subgraph.ts'
import type { Policy } from '../admission.ts'
import type { Budget, Purpose } from './budget.ts'
import type { Caller } from './call.ts'
import type { FleetAgent } from './fleet.ts'
import type { Journal } from './journal.ts'
import type { Locate } from './located.ts'
import type { Slots } from './slots.ts'
import type { Claim } from './store.ts'
import type { Lease } from './transition.ts'

export type Execution = {
  floor: Floor
  lease: Lease
  journal: Journal
  locate: Locate
  /** Bounds the calls under way of all runs of the process. */
  slots: Slots
  claim: Claim
  /** All agents of the fleet, by id. */
  fleet: ReadonlyMap<string, FleetAgent>
  policy: Policy
  /** Ends everything at once, without a word: the lease is lost or the process stops. */
  signal: AbortSignal
  /** Why nothing new may begin. */
  held: () => 'CANCELLED' | 'PAUSED' | null
  /** Takes in the tokens that were granted to the run since. */
  takeGrants: () => Promise<void>
}

/** What of a run is in this process. */
export type State = {
  budget: Budget
  /** Why there are no more tokens. */
  exhausted: string | null
}

/** Of a step's calls. */
export const callerOf = (
  { floor, locate, slots, policy, signal }: Execution,
  { budget }: State,
  stepId: string,
  spends: Purpose,
): Caller => ({
  floor,
  locate,
  slots,
  stepId,
  budget,
  spends,
  policy,
  signal,
  stopping: signal,
})

/** Why a run can't go on; may be told. */
export class RunFailed extends Error {}
