import type { Floor } from '../../kit/subgraph.ts'
import type { Policy } from '../admission.ts'
import { refusedByOrganization } from './refusal.ts'
import { openUse } from './use.ts'

/** The policy, and after it that of the organization in whose name is called. */
export const alsoByOrganization = (policy: Policy, floor: Pick<Floor, 'pool' | 'log'>): Policy =>
  Object.assign((...[asked]: Parameters<Policy>) => policy(asked) ?? refusedByOrganization(asked), {
    ...(policy.begun && { begun: policy.begun }),
    take: openUse(floor),
  })
