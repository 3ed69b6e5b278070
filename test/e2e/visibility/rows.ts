import { type Offer, type Secret, sharedCategory, type ThingKind } from './offers.ts'
import type { Root } from './operations.ts'
import { mayRead, owner, type Principal, stranger } from './principals.ts'

/**
 * How a root field is asked. A field without a row makes the matrix fail: give it one here.
 *
 * `each` asks by an id: of what may not be seen the answer must be that to an id which was never given to anything, and of what
 * may be seen it must have the words of the kinds that it `shows`; who `acts` on what it does not see is not asked for. `all`
 * asks once, its answer must have those words of everything that may be seen, and count what the rule says. `own` makes
 * something of the caller's own.
 */
export type Row =
  | {
      ask: 'each'
      of: ThingKind
      args: (id: string) => Args
      shows: Kind[]
      acts?: (principal: Principal) => boolean
    }
  | { ask: 'all'; args: Args; shows: Kind[]; counts?: Counts }
  | { ask: 'own'; because: string }

type Args = Record<string, unknown>
type Kind = Secret['kind']

/** `counted` is not asked of what a principal is refused. */
type Counts = {
  counted(found: unknown): unknown
  expected(seen: Seen): unknown
}

/** Of the owner's offers those that a principal may see. */
export type Seen = { principal: Principal; known: Offer[]; listed: Offer[]; rich: Offer[] }

const each = (of: ThingKind, args: (id: string) => Args, ...shows: Kind[]): Row => ({
  ask: 'each',
  of,
  args,
  shows,
})
const all = (args: Args = {}, shows: Kind[] = [], counts?: Counts): Row =>
  counts ? { ask: 'all', args, shows, counts } : { ask: 'all', args, shows }
const own = (because: string): Row => ({ ask: 'own', because })

type Named = { name: string; listingCount?: number; agentCount?: number }
type Facets = { name: string; values: { value: string; count: number }[] }[]
type Edges = { edges: { node: { organizationId?: string; id?: string; listingCount?: number } }[] }

const isHomeModerator = ({ organization, scopes }: Principal) =>
  organization === 'ossa' && scopes.includes('marketplace:moderate')
const isOwn = ({ organization }: Principal) => organization === owner
const ofOwner = ({ edges }: Edges) => edges.filter(({ node }) => node.organizationId === owner).length
const countOf = (named: Named[], name: string) => {
  const found = named.find((one) => one.name === name)
  return found?.listingCount ?? found?.agentCount ?? 0
}

const inAll = (expected: (seen: Seen) => number): Counts => ({
  counted: ({ totalCount }: { totalCount: number }) => totalCount,
  expected,
})
const inSharedCategory = (offers: Offer[]) =>
  offers.filter(({ category }) => category === sharedCategory).length

/** As a search counts them; the order among equals says nothing. */
const facetCounts: Counts = {
  counted: ({ totalCount, facets }: { totalCount: number; facets: Facets }) => ({
    totalCount,
    facets: Object.fromEntries(
      facets.map(({ name, values }) => [
        name,
        Object.fromEntries(values.map(({ value, count }) => [value, count])),
      ]),
    ),
  }),
  expected: ({ listed, rich }) => ({
    totalCount: listed.length,
    facets: {
      category: tally(listed.map(({ category }) => category)),
      type: tally(listed.map(() => 'worker')),
      publisher: tally(listed.map(() => owner)),
      certification: tally(rich.map(() => 'SILVER')),
      pool: {},
    },
  }),
}

const tally = (values: string[]) =>
  Object.fromEntries([...Map.groupBy(values, (value) => value)].map(([value, { length }]) => [value, length]))

const offered = { publisher: owner }
const shelf: Kind[] = ['agent', 'comment', 'reply', 'certification']

export const rows: Record<Root, Record<string, Row | Row[]>> = {
  Query: {
    agent: each('agent', (id) => ({ id }), ...shelf, 'old version', 'unlisted'),
    agents: all(
      { filter: { organizationId: owner }, first: 200 },
      ['agent', 'unlisted', 'certification', 'old version'],
      inAll(({ known }) => known.length),
    ),
    discoverAgents: all(
      { query: 'where does a kestrel hover', filter: { organizationId: owner }, first: 100 },
      ['agent'],
      inAll(({ known }) => known.length),
    ),
    agentPools: all(),
    agentTypes: all({}, [], {
      counted: (types: { subtypes: Named[] }[]) =>
        countOf(
          types.flatMap(({ subtypes }) => subtypes),
          sharedCategory,
        ),
      expected: ({ known }) => inSharedCategory(known),
    }),
    executionPlan: each('run', (id) => ({ id }), 'run'),
    executionPlans: all({ filter: { status: ['PENDING', 'RUNNING'] } }, ['run']),
    incident: each('incident', (id) => ({ id }), 'incident'),
    incidents: all({ filter: { symptom: ['PROBE_FAILED'] } }, ['incident'], {
      counted: ofOwner,
      expected: ({ rich, principal }) => (isOwn(principal) ? rich.length : 0),
    }),
    certification: each('certification', (id) => ({ id })),
    certifications: all({ filter: { level: 'SILVER' }, first: 200 }, ['certification'], {
      counted: ofOwner,
      expected: ({ rich }) => rich.length,
    }),
    certificateKeys: all(),
    certificateRevocations: all(),
    reviewRequests: all(
      {},
      [],
      inAll(({ rich, principal }) => (principal.organization === stranger ? rich.length : 0)),
    ),
    verifyCertificate: all({ certificate: 'zq.zq.zq' }),
    organization: all({ id: owner }, ['agent', 'comment', 'member'], {
      counted: ({ agents, listings }: { agents: { totalCount: number }; listings: unknown }) => ({
        agents: agents.totalCount,
        listings: facetCounts.counted(listings),
      }),
      expected: (seen) => ({ agents: seen.known.length, listings: facetCounts.expected(seen) }),
    }),
    organizations: all({}, ['agent']),
    listing: each('listing', (id) => ({ id }), ...shelf),
    searchListings: [
      all({ filter: offered, first: 200 }, shelf, facetCounts),
      all({ query: 'kestrel', filter: offered, first: 200 }, shelf, facetCounts),
      all({ query: 'kestrel', filter: offered, sort: 'USE', first: 200 }, shelf, facetCounts),
      // With a filter: else what is asked in vain here would be a need that all may read.
      all({ query: 'zqprivateagent', filter: offered }),
      each('catalogue', (id) => ({ filter: { catalog: id } })),
    ],
    catalog: each('catalogue', (id) => ({ id }), 'catalogue'),
    catalogs: all({}, ['catalogue'], {
      counted: ({ edges }: { edges: { node: { entries: { totalCount: number } } }[] }) =>
        edges.map(({ node }) => node.entries.totalCount),
      expected: ({ listed, principal }) =>
        (['PRIVATE', 'ORGANIZATION', 'PARTNERS'] as const)
          .filter((visibility) => mayRead(principal, visibility))
          .map(() => listed.length),
    }),
    categories: all({}, [], {
      counted: (found: Named[]) => countOf(found, sharedCategory),
      expected: ({ listed }) => inSharedCategory(listed),
    }),
    compatibility: [
      each('agent', (id) => ({ from: id, to: `${owner}/zwpublic` }), 'agent'),
      each('agent', (id) => ({ from: `${owner}/zwpublic`, to: id }), 'agent'),
    ],
    auditLog: all({ first: 500 }, [], {
      counted: ({ totalCount }: { totalCount: number }) => totalCount > 0,
      expected: ({ principal }) => isOwn(principal),
    }),
    auditHead: all(),
    submission: each('submission', (id) => ({ id })),
    submissions: all(
      { first: 200 },
      ['submission'],
      inAll(({ rich, principal }) => (isOwn(principal) ? 2 * rich.length : 0)),
    ),
    publishers: all({ first: 200 }, [], {
      counted: ({ edges }: Edges) => edges.find(({ node }) => node.id === owner)?.node.listingCount ?? 0,
      expected: ({ listed }) => listed.length,
    }),
    emergingNeeds: all(),
    myRating: each('listing', (id) => ({ listingId: id })),
    heldRatings: all({ first: 200 }, ['held rating', 'report'], {
      counted: ({ edges }: { edges: { node: { listing: { id: string } | null } }[] }) =>
        edges.filter(({ node }) => node.listing?.id.startsWith(`${owner}/`)).length,
      expected: ({ rich }) => rich.length,
    }),
    catalogPolicy: all(),
    organizationUse: all(),
    installation: each('installation', (id) => ({ id })),
    installations: all(
      {},
      [],
      inAll(({ principal }) => (isOwn(principal) ? 1 : 0)),
    ),
    versionChanges: each('agent', (id) => ({ agentId: id, from: '1.0.0', to: '2.0.0' }), 'change'),
    agentOffer: each('offer', (id) => ({ id }), 'offer'),
    agentOffers: all({}, ['offer']),
    agentClaim: each('claim', (id) => ({ id }), 'claim'),
    agentClaims: all({}, ['claim']),
    publisherVerification: each('verification', (id) => ({ id }), 'domain'),
    publisherVerifications: all({}, ['domain']),
    webhook: each('webhook', (id) => ({ id }), 'webhook'),
    webhooks: all({}, ['webhook']),
    usage: [
      all({ first: 500 }, [], {
        counted: ({ edges }: { edges: { node: { key: string } }[] }) =>
          edges.filter(({ node }) => node.key.startsWith(`${owner}/`)).length,
        expected: ({ rich }) => rich.length,
      }),
      each('agent', (id) => ({ filter: { agentId: id }, groupBy: 'HOUR' })),
    ],
  },

  Mutation: {
    registerAgent: own(
      'who may not see a PRIVATE agent of the own organization learns that its name is taken, and no more',
    ),
    importAgents: own('as registerAgent'),
    deployAgent: each('agent', (id) => ({ agentId: id })),
    rollbackAgent: each('agent', (id) => ({ agentId: id })),
    activateAgent: each('agent', (id) => ({ agentId: id })),
    retireAgent: each('agent', (id) => ({ agentId: id })),
    startPlan: own('definitions are the same for all'),
    submitWorkflow: own("the caller's plan, which knows what the caller may see"),
    cancelPlan: each('run', (id) => ({ id })),
    pausePlan: each('run', (id) => ({ id })),
    resumePlan: each('run', (id) => ({ id })),
    approveStep: each('step', (id) => ({ stepId: id, approved: true })),
    grantTokens: each('run', (id) => ({ planId: id, tokens: 1, reason: 'more' })),
    invokeAgent: each('agent', (id) => ({ agentId: id, capability: 'watch', input: {} })),
    measureAgentMemory: each('agent', (id) => ({ agentId: id })),
    resolveIncident: each('incident', (id) => ({ id })),
    requestCertification: each('agent', (id) => ({ agentId: id, level: 'BRONZE' })),
    renewCertification: each('certification', (id) => ({ id })),
    revokeCertification: each('certification', (id) => ({ input: { id, reason: 'gone' } })),
    submitReview: each('certification', (id) => ({
      input: { certificationId: id, verdict: 'APPROVE', comment: 'good' },
    })),
    declineReview: each('certification', (id) => ({ input: { certificationId: id, reason: 'busy' } })),
    updateOrganization: own('the own organization'),
    setMember: own('the own organization'),
    removeMember: own('the own organization'),
    addPartner: own('that an organization exists is no secret'),
    removePartner: own('the own organization'),
    createCatalog: own('the own organization'),
    updateCatalog: each('catalogue', (id) => ({ input: { id, name: 'Taken' } })),
    deleteCatalog: each('catalogue', (id) => ({ id })),
    addToCatalog: each('catalogue', (id) => ({
      input: { catalogId: id, listingIds: [`${owner}/zwpublic`] },
    })),
    removeFromCatalog: each('catalogue', (id) => ({
      input: { catalogId: id, listingIds: [`${owner}/zwpublic`] },
    })),
    publishListing: each('agent', (id) => ({ agentId: id })),
    deprecateListing: [
      each('listing', (id) => ({ input: { listingId: id, reason: 'old' } })),
      each('listing', (id) => ({
        input: { listingId: `${owner}/zwpublic`, reason: 'old', successorId: id },
      })),
    ],
    undeprecateListing: each('listing', (id) => ({ listingId: id })),
    createSubmission: each('agent', (id) => ({ input: { agentId: id } })),
    submitSubmission: each('submission', (id) => ({ id })),
    withdrawSubmission: each('submission', (id) => ({ input: { id, reason: 'not yet' } })),
    moderateSubmission: {
      ask: 'each',
      of: 'submission',
      args: (id) => ({ input: { id, verdict: 'REJECTED', reason: 'no' } }),
      shows: [],
      acts: isHomeModerator,
    },
    setCatalogPolicy: own('the own organization'),
    installAgent: each('listing', (id) => ({ input: { listingId: id } })),
    updateInstallation: each('installation', (id) => ({ input: { id, updatePolicy: 'LATEST' } })),
    uninstallAgent: each('installation', (id) => ({ input: { id, reason: 'enough' } })),
    decideInstallation: each('installation', (id) => ({ input: { id, verdict: 'APPROVE', reason: 'good' } })),
    offerAgent: each('agent', (id) => ({ input: { agentId: id, toOrganization: 'ossa', reason: 'yours' } })),
    acceptAgent: each('offer', (id) => ({ id })),
    declineAgent: each('offer', (id) => ({ input: { id, reason: 'no' } })),
    withdrawAgentOffer: each('offer', (id) => ({ input: { id, reason: 'no' } })),
    claimAgent: each('agent', (id) => ({ input: { agentId: id, reason: 'ours' } })),
    acceptClaim: each('claim', (id) => ({ input: { id, reason: 'yes' } })),
    refuseClaim: each('claim', (id) => ({ input: { id, reason: 'no' } })),
    withdrawClaim: each('claim', (id) => ({ input: { id, reason: 'no' } })),
    startPublisherVerification: own(
      'that a domain exists is no secret, and each organization has its own proof',
    ),
    checkPublisherVerification: each('verification', (id) => ({ id })),
    revokePublisherVerification: {
      ask: 'each',
      of: 'verification',
      args: (id) => ({ input: { id, reason: 'no' } }),
      shows: [],
      acts: isHomeModerator,
    },
    createWebhook: own('whether it is told of a listing is decided with each event'),
    updateWebhook: each('webhook', (id) => ({ input: { id, enabled: false } })),
    deleteWebhook: each('webhook', (id) => ({ id })),
    rotateWebhookSecret: each('webhook', (id) => ({ input: { id } })),
    testWebhook: each('webhook', (id) => ({ id })),
    redeliver: each('delivery', (id) => ({ deliveryId: id })),
    updateListingPage: each('listing', (id) => ({
      input: { listingId: id, homepage: 'https://kestrel.com' },
    })),
    setVersionChannel: each('listing', (id) => ({
      input: { listingId: id, version: '1.0.0', channel: 'BETA' },
    })),
    setReleaseNotes: each('listing', (id) => ({
      input: { listingId: id, version: '1.0.0', notes: 'Moults.' },
    })),
    rateListing: each('listing', (id) => ({ input: { listingId: id, stars: 3 } })),
    replyToRating: each('rating', (id) => ({ input: { ratingId: id, text: 'thanks' } })),
    voteRatingHelpful: each('rating', (id) => ({ input: { ratingId: id, helpful: true } })),
    reportRating: each('rating', (id) => ({ input: { ratingId: id, reason: 'spam' } })),
    moderateRating: each('rating', (id) => ({ input: { ratingId: id, verdict: 'REJECT', reason: 'spam' } })),
  },

  Subscription: {
    agentClaimProgress: each('claim', (id) => ({ id })),
    agentOfferProgress: each('offer', (id) => ({ id })),
    agentStatus: all(),
    certificationProgress: each('certification', (id) => ({ id })),
    deploymentStatus: each('run', (id) => ({ planId: id })),
    incidentFeed: all(),
    installationProgress: each('installation', (id) => ({ id })),
    marketplaceActivity: all(),
    publisherVerificationProgress: each('verification', (id) => ({ id })),
    submissionProgress: each('submission', (id) => ({ id })),
  },
}
