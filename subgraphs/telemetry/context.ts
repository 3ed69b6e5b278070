import DataLoader from 'dataloader'
import type { RequestContext } from '../kit/subgraph.ts'
import { type UsageRow, usageOfAgents, usageOfPools } from './store.ts'

export type Context = RequestContext & {
  agentUsage: DataLoader<string, UsageRow>
  poolUsage: DataLoader<string, UsageRow>
}

export const context = (base: RequestContext): Context => ({
  ...base,
  agentUsage: new DataLoader((ids: readonly string[]) => usageOfAgents(base.db, ids)),
  poolUsage: new DataLoader((names: readonly string[]) => usageOfPools(base.db, names)),
})
