import DataLoader from 'dataloader'
import { checkEndpoint } from '../kit/endpoint.ts'
import { connection, type Page } from '../kit/page.ts'
import type { RequestContext } from '../kit/subgraph.ts'
import { signHead } from './audit/head.ts'
import { type CatalogRow, catalogsById, type EntryRow, entrySlices } from './catalogs/store.ts'
import { type Origin, originsFromGraph } from './claims/origins.ts'
import { type ClaimRow, claimsById, type Reader } from './claims/store.ts'
import { partiesFromGraph } from './compatibility/agents.ts'
import type { Party } from './compatibility/party.ts'
import { type AgentFacts, factsFromGraph } from './facts.ts'
import type { MarketplaceFloor } from './floor.ts'
import { type Report, reportsOf } from './installs/report.ts'
import {
  type InstallationRow,
  type InstallationStepRow,
  installationsById,
  stepPages,
} from './installs/store.ts'
import { hasVersion } from './installs/versions.ts'
import type { Rendered } from './pages/markdown.ts'
import { type PageRow, pagesById, readmesById } from './pages/store.ts'
import { channelsFrom, latestVersions, type VersionRow, versionSlices } from './pages/versions.ts'
import type { Prove } from './publishers/proof.ts'
import { type DomainRow, domainsOf, type VerificationRow, verificationsById } from './publishers/store.ts'
import { type ActRow, actSlices } from './ratings/acts.ts'
import { type RatingPage, type RatingRow, ratingSlices } from './ratings/store.ts'
import type { VersionChannel } from './schema.generated.ts'
import { type Counts, facetCountsOf, listingsOf } from './search/list.ts'
import type { Search } from './search/read.ts'
import { type ListingPage, searchListings } from './search/search.ts'
import { categoryCounts, type ListingRow, listingsById, publisherCounts, type Slice } from './store.ts'
import { type StepRow, type SubmissionRow, stepsOf, submissionsById } from './submissions/store.ts'
import type { InTurn } from './turns.ts'
import {
  type AttemptRow,
  attemptsOf,
  type DeliveryFilter,
  type DeliveryRow,
  deliverySlices,
} from './webhooks/deliveries.ts'
import { type WebhookRow, webhooksById } from './webhooks/store.ts'

type PageKey<P> = { id: string; page: P }
type PageLoader<Value, P = Page> = DataLoader<PageKey<P>, Value, string>

export type Context = RequestContext & {
  listings: DataLoader<string, ListingRow | null>
  ratings: PageLoader<Slice<RatingRow>, RatingPage>
  acts: PageLoader<Slice<ActRow>>
  /** Changes of one listing's ratings follow each other in this process. */
  inTurn: InTurn
  categoryCounts: DataLoader<string, number>
  publisherCounts: DataLoader<string, number>
  /** Those that the caller may see. */
  claims: DataLoader<string, ClaimRow | null>
  claimReader: Reader
  /** Where an agent that the caller may see comes from; null where there is none. */
  origins: (agentId: string) => Promise<Origin[] | null>
  /** What publishers have proven. */
  domains: DataLoader<string, DomainRow[]>
  /** Of the caller's organization. */
  verifications: DataLoader<string, VerificationRow | null>
  prove: Prove
  /** How often what is proven is checked again. */
  recheckMs: number
  pages: DataLoader<string, PageRow>
  readmes: DataLoader<string, Rendered | null>
  versions: PageLoader<Slice<VersionRow>>
  latestVersions: PageLoader<VersionRow | null, VersionChannel>
  catalogs: DataLoader<string, CatalogRow | null>
  catalogEntries: PageLoader<Slice<EntryRow>>
  submissions: DataLoader<string, SubmissionRow | null>
  submissionSteps: DataLoader<string, StepRow[]>
  installations: DataLoader<string, InstallationRow | null>
  installationSteps: PageLoader<Slice<InstallationStepRow>>
  /** Of listings of the caller's organization. */
  ownerReports: DataLoader<string, Report>
  webhooks: DataLoader<string, WebhookRow | null>
  webhookDeliveries: PageLoader<Slice<DeliveryRow>, Page & DeliveryFilter>
  webhookAttempts: DataLoader<string, AttemptRow[]>
  /** As a webhook's secret is kept. */
  sealSecret: (secret: string, organizationId: string) => Promise<string>
  /** Why nobody may be told at this URL, or null. */
  refusalOfTarget: (url: string) => Promise<string | null>
  /** Whether the caller speaks for this installation. */
  isHome: boolean
  /** How an organization's audit log ends, signed. */
  signAuditHead: (organizationId: string, head: { sequence: number; hash: string }) => Promise<string>
  search: (search: Search) => Promise<ListingPage>
  listingsOf: (organizationId: string, page: Page) => Promise<ListingPage>
  /** Of an agent that the caller may see, as the graph tells now. */
  facts: (agentId: string) => Promise<AgentFacts | null>
  /** Whether such an agent has, or had, a version. */
  hasVersion: (agentId: string, version: string) => Promise<boolean>
  /** Agents that the caller may see, as the graph tells now. */
  parties: (ids: readonly string[]) => Promise<(Party | null)[]>
}

export function createContext(base: RequestContext, floor: MarketplaceFloor): Context {
  const { db, principal } = base
  const byOrganization = pageLoader((ids, page: Page) => listingsOf(db, ids, page))
  const countsOf = new DataLoader<string, Counts>((ids) => facetCountsOf(db, ids))
  const isHome = principal.organization === floor.config.homeOrganization
  const claimReader = {
    organizationId: principal.organization,
    isModerator: isHome && principal.scopes.includes('marketplace:moderate'),
  }
  return {
    ...base,
    listings: new DataLoader((ids) => listingsById(db, ids)),
    ratings: pageLoader((ids, page) => ratingSlices(db, ids, page)),
    acts: pageLoader((ids, page) => actSlices(db, ids, page)),
    inTurn: floor.inTurn,
    categoryCounts: new DataLoader((names) => categoryCounts(db, names)),
    publisherCounts: new DataLoader((ids) => publisherCounts(db, ids)),
    claims: new DataLoader((ids) => claimsById(db, claimReader, ids)),
    claimReader,
    origins: (agentId) => originsFromGraph(floor, principal, agentId),
    domains: new DataLoader((ids) => domainsOf(db, ids)),
    verifications: new DataLoader((ids) => verificationsById(db, principal.organization, ids)),
    prove: floor.prove,
    recheckMs: floor.config.publisherRecheckMs,
    pages: new DataLoader((ids) => pagesById(db, ids)),
    readmes: new DataLoader((ids) => readmesById(db, ids)),
    versions: pageLoader((ids, page) => versionSlices(db, ids, page)),
    latestVersions: pageLoader((ids, channel) => latestVersions(db, ids, channelsFrom(channel))),
    catalogs: new DataLoader((ids) => catalogsById(db, ids)),
    catalogEntries: pageLoader((ids, page) => entrySlices(db, ids, page)),
    submissions: new DataLoader((ids) => submissionsById(db, ids)),
    submissionSteps: new DataLoader((ids) => stepsOf(db, ids)),
    webhooks: new DataLoader((ids) => webhooksById(db, ids)),
    webhookDeliveries: pageLoader((ids, page) => deliverySlices(db, ids, page)),
    webhookAttempts: new DataLoader((ids) => attemptsOf(db, ids)),
    sealSecret: (secret, organizationId) => floor.seal.close(secret, organizationId),
    refusalOfTarget: (url) =>
      checkEndpoint(url, floor.config.agentEndpointAllow, {
        encrypted: true,
        addressesOf: floor.addressesOf,
      }),
    installations: new DataLoader((ids) => installationsById(db, ids)),
    installationSteps: pageLoader((ids, page) => stepPages(db, ids, page)),
    ownerReports: new DataLoader((ids) => reportsOf(db, ids)),
    isHome,
    signAuditHead: (organizationId, head) =>
      signHead(floor.keys.certificate, floor.config.jwtIssuer, organizationId, head),
    async search(search) {
      const { isAnswered, ...page } = await searchListings(db, floor, search)
      if (!isAnswered) floor.needs.note(search, principal)
      return page
    },
    async listingsOf(organizationId, page) {
      const rows = await byOrganization.load({ id: organizationId, page })
      const { edges, pageInfo } = connection(rows, 0, page, ({ id, publishedAt }) => [
        publishedAt.toISOString(),
        id,
      ])
      return { edges, pageInfo, counts: () => countsOf.load(organizationId) }
    },
    facts: (agentId) => factsFromGraph(floor, principal, agentId),
    hasVersion: (agentId, version) => hasVersion(floor, principal, agentId, version),
    parties: (ids) => partiesFromGraph(floor, principal, ids),
  }
}

const pageLoader = <Value, P>(valuesOf: (ids: string[], page: P) => Promise<Value[]>): PageLoader<Value, P> =>
  new DataLoader((keys) => perPage(keys, valuesOf), {
    cacheKeyFn: ({ id, page }) => JSON.stringify([id, page]),
  })

/** One call for all that are asked for the same page: one in practice. */
async function perPage<Value, P>(
  keys: readonly PageKey<P>[],
  valuesOf: (ids: string[], page: P) => Promise<Value[]>,
): Promise<Value[]> {
  const found = new Map<PageKey<P>, Value>()
  for (const group of Map.groupBy(keys, ({ page }) => JSON.stringify(page)).values()) {
    const ids = group.map(({ id }) => id)
    const values = await valuesOf(ids, group[0]!.page)
    for (const [index, key] of group.entries()) found.set(key, values[index]!)
  }
  return keys.map((key) => found.get(key)!)
}
