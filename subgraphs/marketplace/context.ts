import DataLoader from 'dataloader'
import type { RequestContext } from '../kit/subgraph.ts'
import { auditContext } from './audit/context.ts'
import { catalogsContext } from './catalogs/context.ts'
import { claimsContext } from './claims/context.ts'
import { partiesFromGraph } from './compatibility/agents.ts'
import { compare } from './compatibility/compare.ts'
import type { Only } from './compatibility/grade.ts'
import type { Party } from './compatibility/party.ts'
import { factsFromGraph } from './facts.ts'
import type { MarketplaceFloor } from './floor.ts'
import { installsContext } from './installs/context.ts'
import { pagesContext } from './pages/context.ts'
import { publishersContext } from './publishers/context.ts'
import { ratingsContext } from './ratings/context.ts'
import { searchContext } from './search/context.ts'
import { categoryCounts, listingsById, onceListed, publisherCounts } from './store.ts'
import { submissionsContext } from './submissions/context.ts'
import { webhooksContext } from './webhooks/context.ts'

/** What each noun brings, and what all of them use. */
export type Context = ReturnType<typeof createContext>

export function createContext(base: RequestContext, floor: MarketplaceFloor) {
  const { db, principal } = base
  const isHome = principal.organization === floor.config.homeOrganization
  return {
    ...base,
    /** Whether the caller speaks for this installation. */
    isHome,
    listings: new DataLoader((ids: readonly string[]) => listingsById(db, ids)),
    /** For what is told of them. */
    onceListed: new DataLoader((ids: readonly string[]) => onceListed(db, ids)),
    categoryCounts: new DataLoader((names: readonly string[]) => categoryCounts(db, names)),
    publisherCounts: new DataLoader((ids: readonly string[]) => publisherCounts(db, ids)),
    /** Of an agent that the caller may see, as the graph tells now. */
    facts: (agentId: string) => factsFromGraph(floor, principal, agentId),
    /** Agents that the caller may see, as the graph tells now. */
    parties: (ids: readonly string[]) => partiesFromGraph(floor, principal, ids),
    compatibilityOf: (from: Party, to: Party, only: Only) => compare(floor.comparing, from, to, only),
    ...auditContext(floor),
    ...catalogsContext(base),
    ...claimsContext(base, floor, isHome),
    ...installsContext(base, floor),
    ...pagesContext(base),
    ...publishersContext(base, floor),
    ...ratingsContext(base, floor),
    ...searchContext(base, floor),
    ...submissionsContext(base),
    ...webhooksContext(base, floor),
  }
}
