import DataLoader from 'dataloader'
import type { RequestContext } from '../../kit/subgraph.ts'
import type { MarketplaceFloor } from '../floor.ts'
import { originsFromGraph } from './origins.ts'
import { claimsById } from './store.ts'

export function claimsContext({ db, principal }: RequestContext, floor: MarketplaceFloor, isHome: boolean) {
  const claimReader = {
    organizationId: principal.organization,
    isModerator: isHome && principal.scopes.includes('marketplace:moderate'),
  }
  return {
    claimReader,
    /** Those that the caller may see. */
    claims: new DataLoader((ids: readonly string[]) => claimsById(db, claimReader, ids)),
    /** Where an agent that the caller may see comes from; null where there is none. */
    origins: (agentId: string) => originsFromGraph(floor, principal, agentId),
  }
}
