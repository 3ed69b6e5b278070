import { z } from 'zod'
import { text } from '../kit/arguments.ts'
import { badInput, conflict, forbidden, notFound } from '../kit/errors.ts'
import { connection, pageArgs, places } from '../kit/page.ts'
import { mayBeToldOf, type Principal, requireOrganization, requireScope } from '../kit/principal.ts'
import { internally } from '../kit/subgraph.ts'
import { resolvers as audit } from './audit/resolvers.ts'
import { record } from './audit/store.ts'
import { resolvers as catalogs } from './catalogs/resolvers.ts'
import { resolvers as claims } from './claims/resolvers.ts'
import type { Party } from './compatibility/party.ts'
import type { Context } from './context.ts'
import { resolvers as deprecation } from './deprecation.ts'
import { resolvers as installs } from './installs/resolvers.ts'
import { announceListing } from './listing-change.ts'
import { needs } from './needs/resolvers.ts'
import { resolvers as pages } from './pages/resolvers.ts'
import { resolvers as policies } from './policies/resolvers.ts'
import { resolvers as publishers } from './publishers/resolvers.ts'
import { resolvers as ratings } from './ratings/resolvers.ts'
import { shownRating } from './ratings/score.ts'
import type { Resolvers } from './schema.generated.ts'
import { readSearch } from './search/read.ts'
import { categories, type ListingRow, listingsById, publish, publisherPage, upsertFacts } from './store.ts'
import { resolvers as submissions } from './submissions/resolvers.ts'
import { resolvers as webhooks } from './webhooks/resolvers.ts'

export const resolvers: Resolvers = {
  Query: {
    ...needs.Query,
    listing: async (_, { id }, { listings }) => await listings.load(text(id, 'id', 200)),
    searchListings: async (_, args, { search }) => await search(readSearch(args)),
    ...submissions.Query,
    ...audit.Query,
    ...policies.Query,
    ...installs.Query,
    ...publishers.Query,
    ...claims.Query,
    ...webhooks.Query,
    ...catalogs.Query,
    categories: async (_, __, { db }) => await categories(db),
    async compatibility(_, args, { parties, compatibilityOf }) {
      const ids = [text(args.from, 'from', 200), text(args.to, 'to', 200)]
      const [from, to] = await parties(ids)
      if (!from) throw notFound('agent', args.from)
      if (!to) throw notFound('agent', args.to)
      const only = {
        ...(args.fromCapability != null && { from: declared(from, args.fromCapability, 'fromCapability') }),
        ...(args.toCapability != null && { to: declared(to, args.toCapability, 'toCapability') }),
      }
      const agent = ({ id }: Party) => ({ __typename: 'Agent' as const, id })
      return { from: agent(from), to: agent(to), ...(await compatibilityOf(from, to, only)) }
    },
    async publishers(_, args, { db }) {
      const page = pageArgs(args, { place: places.name })
      const { rows, totalCount } = await publisherPage(db, page)
      return connection(rows, totalCount, page, ({ id }) => [id])
    },
    ...ratings.Query,
  },

  Mutation: {
    ...submissions.Mutation,
    ...deprecation.Mutation,
    ...policies.Mutation,
    ...installs.Mutation,
    ...publishers.Mutation,
    ...claims.Mutation,
    ...pages.Mutation,
    ...catalogs.Mutation,
    async publishListing(_, args, { principal, facts, mutate, listings, traceparent }) {
      requireScope(principal, 'marketplace:write')
      const organization = requireOrganization(principal)
      const agentId = text(args.agentId, 'agentId', 200)
      const found = await facts(agentId)
      if (!found) throw notFound('agent', agentId)
      if (found.organizationId !== organization) throw forbidden(`${agentId} belongs to another organization`)
      if (found.retired) throw conflict(`${agentId} is retired`)
      await mutate(async (tx) => {
        // The graph has shown the caller the agent; the row may still be that of a PRIVATE one, hidden from it.
        const change = await internally(tx, () => upsertFacts(tx, found))
        // Its event was faster than the graph's answer: what was checked above is no longer so, it may be retired.
        if (!change) throw conflict(`${agentId} has just changed: try again`)
        const published = await publish(tx, agentId)
        if (!published && !change.changed) return
        const [row] = await listingsById(tx, [agentId])
        if (row) await announceListing(tx, published ? 'PUBLISHED' : 'UPDATED', row, traceparent)
        if (published) await record(tx, { ...by(principal), action: 'listing.publish', subject: agentId })
      })
      return await listingNow(agentId, listings)
    },
    ...ratings.Mutation,
    ...webhooks.Mutation,
  },

  Catalog: catalogs.Catalog!,
  CatalogEntry: catalogs.CatalogEntry!,

  Submission: submissions.Submission!,
  SubmissionChange: submissions.SubmissionChange!,
  Installation: installs.Installation,
  InstallationChange: installs.InstallationChange,
  AgentClaim: claims.AgentClaim!,
  AgentClaimChange: claims.AgentClaimChange!,
  PublisherVerification: publishers.PublisherVerification!,
  PublisherDomainChange: publishers.PublisherDomainChange!,

  ListingVersion: pages.ListingVersion!,

  Webhook: webhooks.Webhook!,
  WebhookDelivery: webhooks.WebhookDelivery!,

  Listing: {
    ...pages.Listing,
    __resolveReference: async ({ id }, { listings }) => await listings.load(id),
    agentId: ({ id }) => id,
    agent: ({ id }) => ({ __typename: 'Agent' as const, id }),
    category: ({ category }) => ({ name: category }),
    publisher: ({ organizationId }) => ({ id: organizationId }),
    async deprecation({ deprecatedAt, deprecationReason, successorId }, _, { listings }) {
      if (deprecatedAt === null || deprecationReason === null) return null
      const successor = successorId === null ? null : await listings.load(successorId)
      return { at: deprecatedAt, reason: deprecationReason, successor }
    },
    ...installs.Listing,
    rating: shownRating,
    async ratings({ id }, { sort, versionLine = null, ...args }, { ratings: ratingsOf }) {
      const page = pageArgs(args, { default: 20, place: ratingPlaces[sort] })
      const { rows, totalCount } = await ratingsOf.load({ id, page: { ...page, sort, versionLine } })
      return connection(rows, totalCount, page, (row) =>
        sort === 'NEWEST' ? [row.ratedAt, row.id] : [row.helpfulCount, row.ratedAt, row.id],
      )
    },
  },

  ListingRating: ratings.ListingRating,

  ListingChange: {
    async __resolveReference(reference, { listings, onceListed, principal }) {
      const { listingId } = reference
      // An event tells that a listing is gone, too; a state is of what there is.
      const listing = await ('version' in reference ? onceListed : listings).load(listingId)
      if (!listing || ('version' in reference && !mayBeToldOf(principal, listing, reference.version)))
        return null
      return { listingId, listing, kind: null, version: listing.version, at: listing.updatedAt }
    },
  },

  ListingConnection: {
    totalCount: async ({ counts }) => (await counts()).total,
    facets: async ({ counts }) => (await counts()).facets,
  },

  Category: {
    ...pages.Category,
    listingCount: async ({ name, count }, _, context) => count ?? (await context.categoryCounts.load(name)),
  },

  Publisher: {
    __resolveReference: ({ id }) => ({ id }),
    organization: ({ id }) => ({ __typename: 'Organization' as const, id }),
    listingCount: async ({ id }, _, { publisherCounts }) => await publisherCounts.load(id),
    ...publishers.Publisher,
  },

  Agent: {
    __resolveReference: ({ id }) => ({ id }),
    listing: async ({ id }, _, { listings }) => await listings.load(id),
  },

  Organization: {
    __resolveReference: ({ id }) => ({ id }),
    async listings({ id }, args, { listingsOf }) {
      return await listingsOf(id, pageArgs(args, { default: 20, place: places.timeAndName }))
    },
  },
}

function declared({ id, capabilities }: Party, name: string, argument: string): string {
  if (capabilities.some((each) => each.name === name)) return name
  const names = capabilities.slice(0, 20).map((each) => each.name)
  throw badInput(`${id} has no capability ${name}`, argument, names.join(', '))
}

const by = (principal: Principal) => ({
  organizationId: requireOrganization(principal),
  actor: principal.subject,
})

// What a mutation before it in the same request has read is no longer so.
async function listingNow(id: string, listings: Context['listings']): Promise<ListingRow> {
  const row = await listings.clear(id).load(id)
  if (!row) throw conflict(`${id} has just been taken out of the catalogue`)
  return row
}

const ratingPlaces = {
  NEWEST: places.timeAndSerial,
  HELPFUL: z.tuple([z.int32().min(0), ...places.timeAndSerial.def.items]),
}
