import type { Fault } from './fault.ts'
import { certificateExpires } from './faults/certificate.ts'
import { outOfOrder, poisonMessage } from './faults/elsewhere.ts'
import { relayStalled, tableLocked, unreadableRecords } from './faults/floor.ts'
import { poolFlaps, poolForgets, poolHung, poolKilled } from './faults/pools.ts'
import { badRollout } from './faults/rollout.ts'
import { budgetBurn, orchestratorKilled, subgraphsKilled } from './faults/runs.ts'

/** Every kind; those that nothing is prepared for last. */
export const catalogue: readonly Fault[] = [
  poolKilled,
  poolHung,
  poolFlaps,
  poolForgets,
  ...outOfOrder,
  poisonMessage,
  badRollout,
  certificateExpires,
  budgetBurn,
  subgraphsKilled,
  orchestratorKilled,
  relayStalled,
  tableLocked,
  unreadableRecords,
].toSorted((a, b) => Number(a.unknown ?? false) - Number(b.unknown ?? false))
