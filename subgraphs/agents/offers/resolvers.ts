import { text } from '../../kit/arguments.ts'
import { badInput, conflict, forbidden, notFound } from '../../kit/errors.ts'
import { connection, pageArgs, places } from '../../kit/page.ts'
import { requireAdministrator } from '../../kit/principal.ts'
import { internally } from '../../kit/subgraph.ts'
import { isUuid } from '../../kit/uuid.ts'
import type { Context } from '../context.ts'
import type { Resolvers } from '../schema.generated.ts'
import { lockAgent, organizationExists } from '../store.ts'
import { announceOffer } from './announce.ts'
import { endOverdue } from './expire.ts'
import { decideOffer, insertOffer, type OfferRow, offerPage } from './store.ts'
import { type NotTransferred, transferAgent } from './transfer.ts'

const longestReason = 2_000

export const resolvers: Pick<Resolvers, 'AgentOffer' | 'AgentOfferChange'> & {
  Query: Pick<NonNullable<Resolvers['Query']>, 'agentOffer' | 'agentOffers'>
  Mutation: Pick<
    NonNullable<Resolvers['Mutation']>,
    'offerAgent' | 'acceptAgent' | 'declineAgent' | 'withdrawAgentOffer'
  >
} = {
  Query: {
    agentOffer: async (_, { id }, { offers }) => (isUuid(id) ? await offers.load(id) : null),
    async agentOffers(_, args, { db }) {
      const page = pageArgs(args, { default: 20, place: places.id })
      const { agentId, fromOrganization, status } = args.filter ?? {}
      const filter = {
        agentId: agentId == null ? null : text(agentId, 'filter.agentId'),
        fromOrganization: fromOrganization == null ? null : text(fromOrganization, 'filter.fromOrganization'),
        status: status ?? null,
      }
      const { rows, totalCount } = await offerPage(db, filter, page)
      return connection(rows, totalCount, page, ({ id }) => [id])
    },
  },

  Mutation: {
    async offerAgent(_, { input }, { principal, mutate, traceparent }) {
      const fromOrganization = requireAdministrator(principal)
      const agentId = text(input.agentId, 'input.agentId')
      const toOrganization = text(input.toOrganization, 'input.toOrganization')
      const reason = text(input.reason, 'input.reason', longestReason)
      if (toOrganization === fromOrganization)
        throw badInput(`${agentId} is yours already`, 'input.toOrganization', 'another organization')
      return await mutate(async (tx) => {
        const agent = await lockAgent(tx, agentId)
        if (!agent) throw notFound('agent', agentId)
        if (agent.organizationId !== fromOrganization)
          throw forbidden(`${agentId} belongs to another organization`)
        if (agent.status === 'RETIRED') throw conflict(`${agentId} is retired`)
        // Whoever first uses a name that nobody has would find the agent waiting.
        if (!(await organizationExists(tx, toOrganization, false)))
          throw badInput(
            `there is no organization ${toOrganization}`,
            'input.toOrganization',
            'an organization that is known here',
          )
        await endOverdue(tx, agentId)
        const offer = { agentId, agentName: agent.name, fromOrganization, toOrganization, reason }
        const row = await insertOffer(tx, { ...offer, offeredBy: principal.subject })
        if (!row) throw conflict(`${agentId} is offered already: withdraw that first`)
        await announceOffer(tx, row, traceparent)
        return row
      })
    },

    async acceptAgent(_, { id }, context) {
      const { principal, mutate, agents, traceparent } = context
      const { agentId, fromOrganization, toOrganization } = await offered(context, id, 'toOrganization')
      const accepted = await mutate((tx) =>
        internally(tx, async () => {
          // The agent before its offer, as who offers it.
          const transfer = { agentId, from: fromOrganization, to: toOrganization, traceparent }
          const refusal = await transferAgent(tx, transfer)
          if (refusal !== null) throw conflict(refusals[refusal](agentId))
          return await decided(
            tx,
            id,
            { status: 'ACCEPTED', decidedBy: principal.subject, why: null },
            context,
          )
        }),
      )
      agents.clear(agentId)
      return accepted
    },

    async declineAgent(_, { input }, context) {
      await offered(context, input.id, 'toOrganization')
      const why = text(input.reason, 'input.reason', longestReason)
      const decision = { status: 'DECLINED' as const, decidedBy: context.principal.subject, why }
      return await context.mutate((tx) => internally(tx, () => decided(tx, input.id, decision, context)))
    },

    async withdrawAgentOffer(_, { input }, context) {
      await offered(context, input.id, 'fromOrganization')
      const why = text(input.reason, 'input.reason', longestReason)
      const decision = { status: 'WITHDRAWN' as const, decidedBy: context.principal.subject, why }
      return await context.mutate((tx) => decided(tx, input.id, decision, context))
    },
  },

  AgentOffer: {
    __resolveReference: async ({ id }, { offers }) => (isUuid(id) ? await offers.load(id) : null),
    agent: async ({ agentId }, _, { agents }) => await agents.load(agentId),
  },

  AgentOfferChange: {
    async __resolveReference({ id }, { offers }) {
      const offer = isUuid(id) ? await offers.load(id) : null
      if (!offer) return null
      const { version, offeredBy, decidedBy, offeredAt, decidedAt } = offer
      return { id, offer, offeredBy, decidedBy, version, at: decidedAt ?? offeredAt }
    },
  },
}

const refusals: Record<NotTransferred, (id: string) => string> = {
  NOT_OWNED: (id) => `${id} does not belong any more to who offered it`,
  RETIRED: (id) => `${id} is retired`,
  NAME_TAKEN: (id) => `your organization has an agent of the name that ${id} has`,
}

/** The offer, where the caller's organization is on that side of it. */
async function offered(
  { principal, offers }: Context,
  id: string,
  side: 'fromOrganization' | 'toOrganization',
): Promise<OfferRow> {
  const organization = requireAdministrator(principal)
  const row = isUuid(id) ? await offers.load(id) : null
  if (!row) throw notFound('offer', id)
  if (row[side] !== organization)
    throw forbidden(side === 'toOrganization' ? 'your organization made this offer' : 'it was made to you')
  return row
}

async function decided(
  tx: Parameters<typeof decideOffer>[0],
  id: string,
  decision: Parameters<typeof decideOffer>[2],
  { offers, traceparent }: Pick<Context, 'offers' | 'traceparent'>,
): Promise<OfferRow> {
  const row = await decideOffer(tx, id, decision)
  if (!row) throw conflict(`the offer ${id} is over`)
  await announceOffer(tx, row, traceparent)
  offers.clear(id)
  return row
}
