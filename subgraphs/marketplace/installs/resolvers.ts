import { text } from '../../kit/arguments.ts'
import { badInput, conflict, forbidden, notFound } from '../../kit/errors.ts'
import { connection, pageArgs, places } from '../../kit/page.ts'
import { administratorScope, requireOrganization, requireScope } from '../../kit/principal.ts'
import { isUuid } from '../../kit/uuid.ts'
import type { Context } from '../context.ts'
import type { Resolvers } from '../schema.generated.ts'
import { agentNow, chosenVersion, requireAllowed, requireCurrent } from './admit.ts'
import { begin, change } from './change.ts'
import { satisfactionOf } from './report.ts'
import { type InstallationRow, installationPage } from './store.ts'
import { updateOf } from './update-policy.ts'

const longestReason = 2_000

export const resolvers = {
  Query: {
    installation: async (_, { id }, { installations }) => (isUuid(id) ? await installations.load(id) : null),
    async installations(_, args, { db }) {
      const page = pageArgs(args, { default: 20, place: places.id })
      const { agentId, state } = args.filter ?? {}
      const filter = {
        agentId: agentId == null ? null : text(agentId, 'filter.agentId', 200),
        state: state ?? null,
      }
      const { rows, totalCount } = await installationPage(db, filter, page)
      return connection(rows, totalCount, page, ({ id }) => [id])
    },
  },

  Mutation: {
    async installAgent(_, { input }, context) {
      const { principal } = context
      requireScope(principal, 'marketplace:write')
      const organizationId = requireOrganization(principal)
      const listing = await context.listings.load(text(input.listingId, 'input.listingId', 200))
      if (!listing) throw notFound('listing', input.listingId)
      await requireCurrent(context, listing)
      const agent = await agentNow(context, listing.id)
      const pinnedVersion = await chosenVersion(context, agent, input.version ?? null)
      return await begin(context, agent.agentId, async (tx) => {
        const policy = await requireAllowed(tx, organizationId, agent)
        return {
          agentId: agent.agentId,
          organizationId,
          ownerId: agent.organizationId,
          state: policy?.approval ? 'REQUESTED' : 'INSTALLED',
          pinnedVersion,
          updatePolicy: input.updatePolicy ?? 'PATCH',
          settledVersion: agent.version,
          requestedBy: principal.subject,
        }
      })
    },

    async updateInstallation(_, { input }, context) {
      const { version = null } = input
      const row = await own(context, input.id, 'marketplace:write')
      if (row.state !== 'INSTALLED') throw conflict(`the installation ${row.id} is ${row.state}`)
      const updatePolicy = input.updatePolicy ?? row.updatePolicy
      if (version === null) {
        if (input.updatePolicy == null)
          throw badInput('nothing is to be otherwise', 'input', 'a version or an update policy')
        if (updatePolicy === row.updatePolicy) return row
        // Whatever else the agent has by now is gone over to, if the new update policy lets that.
        const changes = { updatePolicy, settledVersion: row.pinnedVersion }
        return await change(context, row, { action: 'update', changes })
      }
      const agent = await agentNow(context, row.agentId)
      const pinnedVersion = await chosenVersion(context, agent, version)
      if (pinnedVersion === row.pinnedVersion && updatePolicy === row.updatePolicy) return row
      return await change(context, row, {
        action: 'update',
        changes: { updatePolicy, pinnedVersion, settledVersion: agent.version },
        check: async (tx) => void (await requireAllowed(tx, row.organizationId, agent)),
      })
    },

    async uninstallAgent(_, { input }, context) {
      const why = text(input.reason, 'input.reason', longestReason)
      const row = await own(context, input.id, 'marketplace:write')
      if (row.state !== 'REQUESTED' && row.state !== 'INSTALLED')
        throw conflict(`the installation ${row.id} is ${row.state} already`)
      return await change(context, row, { action: 'remove', changes: { state: 'REMOVED' }, why })
    },

    async decideInstallation(_, { input: { id, verdict, reason } }, context) {
      const { subject } = context.principal
      const why = text(reason, 'input.reason', longestReason)
      const row = await own(context, id, administratorScope)
      if (row.state !== 'REQUESTED')
        throw conflict(`the installation ${row.id} does not wait: it is ${row.state}`)
      if (verdict === 'DENY')
        return await change(context, row, { action: 'deny', changes: { state: 'DENIED' }, why })
      const agent = await agentNow(context, row.agentId)
      const listing = await context.listings.load(row.agentId)
      if (listing) await requireCurrent(context, listing)
      return await change(context, row, {
        action: 'approve',
        changes: { state: 'INSTALLED' },
        why,
        async check(tx) {
          const policy = await requireAllowed(tx, row.organizationId, agent)
          if (policy?.approval && row.requestedBy === subject)
            throw forbidden(
              'who has asked for an installation does not approve it: another administrator may',
            )
        },
      })
    },
  },

  Installation: {
    __resolveReference: async ({ id }, { installations }) =>
      isUuid(id) ? await installations.load(id) : null,
    agent: ({ agentId }) => ({ __typename: 'Agent' as const, id: agentId }),
    listing: async ({ agentId }, _, { listings }) => await listings.load(agentId),
    availableUpdate: ({ state, availability, pinnedVersion, agentVersion }) =>
      state === 'INSTALLED' && availability === 'AVAILABLE' ? updateOf(pinnedVersion, agentVersion) : null,
    async steps({ id }, args, { installationSteps }) {
      const page = pageArgs(args, { default: 50, place: places.integer })
      const { rows, totalCount } = await installationSteps.load({ id, page })
      return connection(rows, totalCount, page, ({ version }) => [version])
    },
  },

  InstallationChange: {
    async __resolveReference({ id }, { installations }) {
      const installation = isUuid(id) ? await installations.load(id) : null
      return installation && { id, installation, version: installation.version, at: installation.updatedAt }
    },
  },

  Listing: {
    async ownerReport({ id, organizationId, verifiedStars }, _, { principal, ownerReports }) {
      if (principal.organization !== organizationId) return null
      return { ...(await ownerReports.load(id)), satisfaction: satisfactionOf(verifiedStars) }
    },
  },
} satisfies Resolvers

/** As it is now, whatever a mutation before it in the same request has made of it. */
async function own(
  { principal, installations }: Context,
  id: string,
  scope: string,
): Promise<InstallationRow> {
  requireScope(principal, scope)
  const organization = requireOrganization(principal)
  const row = isUuid(id) ? await installations.clear(id).load(id) : null
  if (!row || row.organizationId !== organization) throw notFound('installation', id)
  return row
}
