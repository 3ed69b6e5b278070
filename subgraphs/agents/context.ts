import { type Bell, createBell } from '@community/infra/bell.ts'
import type { Keys } from '@community/infra/keys.ts'
import DataLoader from 'dataloader'
import type { Dispatcher } from 'undici'
import type { Usage } from '../kit/invoke.ts'
import type { Page, Slice } from '../kit/page.ts'
import { type PageLoader, pageLoader } from '../kit/page-loader.ts'
import { type Catalogue, startCatalogue } from '../kit/search/catalogue.ts'
import { type KeptAnswers, keepAnswers } from '../kit/search/kept-answers.ts'
import type { Floor, RequestContext } from '../kit/subgraph.ts'
import type { Policy } from './admission.ts'
import { alsoByOrganization } from './catalog-policy/admission.ts'
import type { VersionChanges } from './changes/compare.ts'
import { type Comparison, type Pair, pairsOf, subtypeDescriptions } from './changes/store.ts'
import { agentSource } from './discovery/catalogue.ts'
import type { Facts } from './discovery/entry.ts'
import { type Holds, openHolds } from './incidents/holds.ts'
import { type EntryRow, type IncidentRow, incidentsById, timelinesOf } from './incidents/store.ts'
import type { Capability } from './manifest.ts'
import { type OfferRow, offersById } from './offers/store.ts'
import { type Fleet, fleetFolder, openFleet } from './orchestrate/fleet.ts'
import { type GrantRow, grantsOf } from './orchestrate/grants.ts'
import { outputsOf } from './orchestrate/output.ts'
import {
  type PhaseRow,
  phasesOf,
  type RunRow,
  runsById,
  type StepFilter,
  type StepRow,
  stepPages,
  stepsById,
} from './orchestrate/store.ts'
import { type RolloutRow, rolloutPages } from './rollout/store.ts'
import { type Hosting, openHosting } from './runtime/hosting.ts'
import { localRuntime, type Runtime, RuntimeError } from './runtime/local.ts'
import type { PoolState } from './runtime/pool-state.ts'
import { type ScalingRow, scalingPages } from './scaling/store.ts'
import type { AgentType } from './schema.generated.ts'
import {
  type AgentFilter,
  type AgentRow,
  agentPagesOfPools,
  agentsById,
  capabilitiesOf,
  manifestsOf,
  type PoolRow,
  poolsByName,
  type ReadingRow,
  readingsOf,
  type SubtypeRow,
  subtypesOf,
} from './store.ts'
import { type VersionRow, versionPages } from './versions.ts'

export type AgentsFloor = Floor & {
  catalogue: Catalogue<Facts>
  /** What was compared last: what versions say never changes. */
  comparisons: KeptAnswers<VersionChanges | null>
  /** Rings when there may be a run to execute. */
  bell: Bell
  fleet: Fleet
  holds: Holds
  hosting: Hosting
  /** Of calls in organizations' names. */
  policy: Policy
}

const mostComparisons = 200

export async function prepareFloor(
  floor: Floor,
  undo: (step: () => Promise<void>) => void,
): Promise<AgentsFloor> {
  const { config, keys, log } = floor
  const hosting = await openHosting({ config, keys: keys.internal, log })
  const catalogue = startCatalogue(floor, agentSource)
  undo(() => catalogue.stop())
  const holds = openHolds(floor)
  undo(() => holds.stop())
  return {
    ...floor,
    catalogue,
    comparisons: keepAnswers(() => 0, mostComparisons),
    holds,
    hosting,
    policy: alsoByOrganization(holds.policy, floor),
    bell: createBell(),
    fleet: openFleet(fleetFolder, floor.config.homeOrganization),
  }
}

export type Context = RequestContext & {
  catalogue: Catalogue<Facts>
  agents: DataLoader<string, AgentRow | null>
  manifests: DataLoader<string, Record<string, unknown> | null>
  readings: DataLoader<string, ReadingRow | null>
  capabilities: DataLoader<string, Capability[]>
  pools: DataLoader<string, PoolRow | null>
  agentsOfPools: PageLoader<Slice<AgentRow>, Page & { filter: AgentFilter }>
  scalingsOfPools: PageLoader<Slice<ScalingRow>>
  /** Null of a pool that does not answer. */
  poolStates: DataLoader<string, PoolState | null>
  rolloutsOfAgents: PageLoader<Slice<RolloutRow>>
  versionsOfAgents: PageLoader<Slice<VersionRow>>
  /** Null where the caller may not see one of the versions. */
  pairs: DataLoader<Comparison, Pair | null, string>
  comparisons: KeptAnswers<VersionChanges | null>
  subtypes: DataLoader<AgentType, SubtypeRow[]>
  /** To those who may see an agent of it. */
  subtypeDescriptions: DataLoader<string, string | null>
  runs: DataLoader<string, RunRow | null>
  phases: DataLoader<string, PhaseRow[]>
  grants: DataLoader<string, GrantRow[]>
  steps: PageLoader<Slice<StepRow>, Page & { filter: StepFilter }>
  stepsById: DataLoader<string, StepRow | null>
  outputs: DataLoader<string, unknown>
  incidents: DataLoader<string, IncidentRow | null>
  timelines: DataLoader<string, EntryRow[]>
  offers: DataLoader<string, OfferRow | null>
  hosting: Hosting
  policy: Policy
  usage: Usage
  outbound: Dispatcher
  /** Of the tokens that agents are called with. */
  keys: Keys
  /** Where an agent of a pool speaks A2A; null where the pool is not part of this installation. */
  endpointInPool: (pool: string, agentId: string) => string | null
  endpointAllow: readonly string[]
  home: string
  /** There may be a run to execute: it is looked for at once. */
  wake: () => void
  fleet: Fleet
}

export function createContext(
  base: RequestContext,
  { config, keys, usage, outbound, log, catalogue, comparisons, bell, fleet, hosting, policy }: AgentsFloor,
): Context {
  const { db } = base
  const runtime = localRuntime({ pools: config.agentPools, keys: keys.internal, log })
  return {
    ...base,
    catalogue,
    agents: new DataLoader((ids) => agentsById(db, ids)),
    manifests: new DataLoader((ids) => manifestsOf(db, ids)),
    readings: new DataLoader((ids) => readingsOf(db, ids)),
    capabilities: new DataLoader((ids) => capabilitiesOf(db, ids)),
    pools: new DataLoader((names) => poolsByName(db, names)),
    agentsOfPools: pageLoader((ids, { filter, ...page }) => agentPagesOfPools(db, ids, filter, page)),
    scalingsOfPools: pageLoader((ids, page) => scalingPages(db, ids, page)),
    poolStates: new DataLoader((names) => Promise.all(names.map((name) => poolState(runtime, name)))),
    rolloutsOfAgents: pageLoader((ids, page) => rolloutPages(db, ids, page)),
    versionsOfAgents: pageLoader((ids, page) => versionPages(db, ids, page)),
    comparisons,
    pairs: new DataLoader((compared) => pairsOf(db, compared), {
      cacheKeyFn: ({ agentId, from, to }) => JSON.stringify([agentId, from, to]),
    }),
    subtypes: new DataLoader((types) => subtypesOf(db, types)),
    subtypeDescriptions: new DataLoader((names) => subtypeDescriptions(db, names)),
    runs: new DataLoader((ids) => runsById(db, ids)),
    phases: new DataLoader((ids) => phasesOf(db, ids)),
    grants: new DataLoader((ids) => grantsOf(db, ids)),
    steps: pageLoader((ids, { filter, ...page }) => stepPages(db, ids, filter, page)),
    stepsById: new DataLoader((ids) => stepsById(db, ids)),
    incidents: new DataLoader((ids) => incidentsById(db, ids)),
    timelines: new DataLoader((ids) => timelinesOf(db, ids)),
    offers: new DataLoader((ids) => offersById(db, ids)),
    outputs: new DataLoader((ids) => outputsOf(db, ids)),
    hosting,
    policy,
    usage,
    outbound,
    keys: keys.internal,
    endpointInPool: (pool, agentId) => hosting.endpointOf(pool, agentId),
    endpointAllow: config.agentEndpointAllow,
    home: config.homeOrganization,
    wake: bell.ring,
    fleet,
  }
}

async function poolState(runtime: Runtime, name: string): Promise<PoolState | null> {
  return await runtime.state(name).catch((error: unknown) => {
    if (error instanceof RuntimeError) return null
    throw error
  })
}
