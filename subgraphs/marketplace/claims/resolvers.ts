import type { Transaction } from '@community/infra/postgres.ts'
import { text } from '../../kit/arguments.ts'
import { badInput, conflict, forbidden, notFound } from '../../kit/errors.ts'
import { connection, pageArgs, places } from '../../kit/page.ts'
import {
  administratorScope,
  isAdministrator,
  requireAdministrator,
  requireScope,
} from '../../kit/principal.ts'
import { internally } from '../../kit/subgraph.ts'
import { isUuid } from '../../kit/uuid.ts'
import { recordLater } from '../audit/later.ts'
import { record } from '../audit/store.ts'
import type { Context } from '../context.ts'
import { speaksFor } from '../publishers/domain.ts'
import type { DomainRow } from '../publishers/store.ts'
import type { Resolvers } from '../schema.generated.ts'
import { upsertFacts } from '../store.ts'
import { announceClaim } from './announce.ts'
import type { Origin } from './origins.ts'
import {
  type ClaimRow,
  claimPage,
  type Evidence,
  insertClaim,
  moveClaim,
  refusedUntil,
  standingOf,
} from './store.ts'

const longestReason = 2_000

export const resolvers: Pick<Resolvers, 'AgentClaim' | 'AgentClaimChange'> & {
  Query: Pick<NonNullable<Resolvers['Query']>, 'agentClaim' | 'agentClaims'>
  Mutation: Pick<
    NonNullable<Resolvers['Mutation']>,
    'claimAgent' | 'acceptClaim' | 'refuseClaim' | 'withdrawClaim'
  >
} = {
  Query: {
    agentClaim: async (_, { id }, { claims }) => (isUuid(id) ? await claims.load(id) : null),
    async agentClaims(_, args, { db, claimReader }) {
      const page = pageArgs(args, { default: 20, place: places.id })
      const { agentId, status } = args.filter ?? {}
      const filter = {
        agentId: agentId == null ? null : text(agentId, 'filter.agentId', 200),
        status: status ?? null,
      }
      const { rows, totalCount } = await claimPage(db, claimReader, filter, page)
      return connection(rows, totalCount, page, ({ id }) => [id])
    },
  },

  Mutation: {
    async claimAgent(_, { input }, context) {
      const { principal, facts, origins, domains, mutate, traceparent } = context
      const organizationId = requireAdministrator(principal)
      const agentId = text(input.agentId, 'input.agentId', 200)
      const reason = text(input.reason, 'input.reason', longestReason)
      const [found, from] = await Promise.all([facts(agentId), origins(agentId)])
      if (!found || !from) throw notFound('agent', agentId)
      const ownerId = found.organizationId
      if (ownerId === organizationId) throw conflict(`${agentId} is yours already`)
      if (found.retired) throw conflict(`${agentId} is retired`)
      const [own, owners] = await Promise.all([domains.load(organizationId), domains.load(ownerId)])
      const evidence = evidenceOf(from, own)
      if (evidence.length === 0)
        throw badInput(
          `your organization has proven no domain that ${agentId} comes from`,
          'input.agentId',
          from.length === 0
            ? 'an agent whose document names a host of its own'
            : `one that comes from ${hostsOf(from).slice(0, 5).join(', ')}, by a domain that you have proven`,
        )
      if (evidenceOf(evidence, owners).length > 0)
        throw conflict(`the owner of ${agentId} has proven the same: ask for an offer`)
      return await mutate(async (tx) => {
        const claim = { agentId, organizationId, ownerId, reason, evidence }
        // The catalogue may not have heard of the agent yet, or may not show it.
        if (!(await internally(tx, () => upsertFacts(tx, found))))
          throw conflict(`${agentId} has just changed: try again`)
        const until = await refusedUntil(tx, claim)
        if (until) throw conflict(`your claim was refused: the next one can be made ${until.toISOString()}`)
        const row = await insertClaim(tx, claim)
        if (!row) throw conflict(`your organization has claimed ${agentId} already`)
        await announceClaim(tx, row, traceparent)
        const details = { agentId, owner: ownerId, hosts: hostsOf(evidence) }
        await record(tx, { ...acted(row, principal.subject, 'claim.make'), organizationId, details })
        return row
      })
    },

    acceptClaim: async (_, { input }, context) => await decide(context, input, 'ACCEPTED'),
    refuseClaim: async (_, { input }, context) => await decide(context, input, 'REFUSED'),

    async withdrawClaim(_, { input }, context) {
      const { principal, mutate, traceparent } = context
      requireScope(principal, administratorScope)
      const row = await seen(context, input.id)
      const why = text(input.reason, 'input.reason', longestReason)
      if (row.organizationId !== principal.organization)
        throw forbidden('another organization made this claim')
      return await mutate(async (tx) => {
        const moved = open(await moveClaim(tx, row.id, 'WITHDRAWN', why), row.id)
        await announceClaim(tx, moved, traceparent)
        const act = acted(moved, principal.subject, 'claim.withdraw')
        await record(tx, { ...act, organizationId: moved.organizationId })
        return moved
      })
    },
  },

  AgentClaim: {
    __resolveReference: async ({ id }, { claims }) => (isUuid(id) ? await claims.load(id) : null),
    agent: ({ agentId }) => ({ __typename: 'Agent' as const, id: agentId }),
    claimant: ({ organizationId }) => ({ id: organizationId }),
    owner: ({ ownerId }) => ({ id: ownerId }),
  },

  AgentClaimChange: {
    async __resolveReference({ id }, { claims }) {
      const claim = isUuid(id) ? await claims.load(id) : null
      return claim && { id, claim, version: claim.version, at: claim.decidedAt ?? claim.claimedAt }
    },
  },
}

/** Each host with a domain that speaks for it. */
const evidenceOf = (origins: readonly Origin[], proven: readonly DomainRow[]): Evidence[] =>
  origins.flatMap(({ source, host }) => {
    const found = proven.find((each) => speaksFor(each, host))
    return found ? [{ source, host, domain: found.domain, method: found.method }] : []
  })

const hostsOf = (origins: readonly Origin[]) => [...new Set(origins.map(({ host }) => host))]

/** By the owner's administrators, or by a moderator of the home organization, where it does not claim itself. */
async function decide(
  context: Context,
  input: { id: string; reason: string },
  to: 'ACCEPTED' | 'REFUSED',
): Promise<ClaimRow> {
  const { principal, claimReader, claims, mutate, traceparent } = context
  const why = text(input.reason, 'input.reason', longestReason)
  const { id, organizationId, ownerId } = await seen(context, input.id)
  const isOwner = ownerId === principal.organization && isAdministrator(principal)
  if (!isOwner && (!claimReader.isModerator || organizationId === principal.organization))
    throw forbidden('this is for the owner of the agent, and for moderators who do not claim it')
  const decided = await mutate((tx) =>
    internally(tx, async () => {
      const row = open(await moveClaim(tx, id, to, why), id)
      if (to === 'ACCEPTED') await requireStanding(tx, row)
      await announceClaim(tx, row, traceparent)
      const act = acted(row, principal.subject, to === 'ACCEPTED' ? 'claim.accept' : 'claim.refuse')
      // The claimant's log without the name of who decided; two logs at once would wait for each other.
      await recordLater(tx, { ...act, organizationId, actor: `organization:${principal.organization}` })
      await record(tx, { ...act, organizationId: ownerId })
      return row
    }),
  )
  claims.clear(id)
  return decided
}

async function requireStanding(tx: Transaction, row: ClaimRow): Promise<void> {
  const { ownerId, hasNamesake, isProven } = await standingOf(tx, row)
  if (ownerId !== row.ownerId) throw conflict(`${row.agentId} does not belong to ${row.ownerId} any more`)
  if (!isProven) throw conflict(`${row.organizationId} has none of the domains any more`)
  if (hasNamesake) throw conflict(`${row.organizationId} can not take an agent of this name`)
}

async function seen({ claims }: Context, id: string): Promise<ClaimRow> {
  const row = isUuid(id) ? await claims.load(id) : null
  if (!row) throw notFound('claim', id)
  return row
}

function open(row: ClaimRow | null, id: string): ClaimRow {
  if (!row) throw conflict(`the claim ${id} is over`)
  return row
}

const acted = ({ id, agentId, organizationId, why }: ClaimRow, actor: string, action: string) => ({
  actor,
  action,
  subject: id,
  details: { agentId, claimant: organizationId, ...(why === null ? {} : { why }) },
})
