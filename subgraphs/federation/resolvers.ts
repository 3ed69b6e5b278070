import { text } from '../kit/arguments.ts'
import { badInput, notFound } from '../kit/errors.ts'
import { connection, pageArgs, places } from '../kit/page.ts'
import type { Resolvers } from './schema.generated.ts'
import {
  deleteMember,
  deletePartner,
  insertPartner,
  organizationCount,
  organizationPage,
  organizationsById,
  upsertMember,
} from './store.ts'

export const resolvers: Resolvers = {
  Query: {
    organization: async (_, { id }, { organizations }) => await organizations.load(text(id, 'id', 200)),
    async organizations(_, args, { db, admit }) {
      const page = pageArgs(args, { place: places.name })
      await admit()
      const rows = await organizationPage(db, page)
      return connection(rows, await organizationCount(db), page, ({ id }) => [id])
    },
  },

  Mutation: {
    async updateOrganization(_, { input }, { change }) {
      const { name, description } = input
      const changed = {
        name: name == null ? undefined : text(name, 'input.name', 200),
        description: description == null ? undefined : text(description, 'input.description', 2_000, 0),
      }
      const told = changed.name !== undefined || changed.description !== undefined
      return await change(async () => (told ? changed : false))
    },
    async setMember(_, { input }, { change }) {
      const subject = text(input.subject, 'input.subject', 200)
      return await change((tx, id) => upsertMember(tx, id, subject, input.role))
    },
    async removeMember(_, args, { change }) {
      const subject = text(args.subject, 'subject', 200)
      return await change(async (tx, id) => {
        if (!(await deleteMember(tx, id, subject))) throw notFound('member', subject)
        return true
      })
    },
    async addPartner(_, args, { change }) {
      const partnerId = text(args.organizationId, 'organizationId', 200)
      return await change(async (tx, id) => {
        if (partnerId === id)
          throw badInput('nobody is a partner of itself', 'organizationId', 'another organization')
        const [partner] = await organizationsById(tx, [partnerId])
        if (!partner) throw notFound('organization', partnerId)
        return await insertPartner(tx, id, partnerId)
      })
    },
    async removePartner(_, args, { change }) {
      const partnerId = text(args.organizationId, 'organizationId', 200)
      return await change(async (tx, id) => {
        if (!(await deletePartner(tx, id, partnerId))) throw notFound('partner', partnerId)
        return true
      })
    },
  },

  Organization: {
    __resolveReference: async ({ id }, { organizations }) => await organizations.load(id),
    async members({ id }, args, { members, principal }) {
      const page = pageArgs(args, { place: places.name })
      if (principal.organization !== id) return null
      const { rows, totalCount } = await members.load({ id, page })
      return connection(rows, totalCount, page, ({ subject }) => [subject])
    },
    async partners({ id }, _, { partners, organizations, principal }) {
      if (principal.organization !== id) return null
      const ids = await partners.load(id)
      return (await Promise.all(ids.map((each) => organizations.load(each)))).filter((row) => row !== null)
    },
    async agents({ id }, args, { agents }) {
      const page = pageArgs(args, { place: places.name })
      const { rows, totalCount } = await agents.load({ id, page })
      const { edges, ...rest } = connection(rows, totalCount, page, ({ agentId }) => [agentId])
      return {
        ...rest,
        edges: edges.map(({ cursor, node }) => ({
          cursor,
          node: { __typename: 'Agent' as const, id: node.agentId },
        })),
      }
    },
  },

  Agent: {
    __resolveReference: (reference) => reference,
    organization: async ({ organizationId }, _, { organizations }) =>
      organizationId == null ? null : await organizations.load(organizationId),
  },

  OrganizationChange: {
    async __resolveReference({ organizationId }, { organizations, partners }) {
      const organization = await organizations.load(organizationId)
      if (!organization) return null
      const partnerIds = await partners.load(organizationId)
      const { version, updatedAt: at } = organization
      return { organizationId, organization, partnerIds, version, at }
    },
  },
}
