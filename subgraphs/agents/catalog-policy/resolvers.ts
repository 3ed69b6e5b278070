import { requireOrganization } from '../../kit/principal.ts'
import type { Resolvers } from '../schema.generated.ts'
import { limitsOf } from './store.ts'
import { useOf } from './use.ts'

export const resolvers = {
  Query: {
    async organizationUse(_, _args, { db, principal }) {
      const organizationId = requireOrganization(principal)
      const { callsPerDay, tokensPerDay } = await limitsOf(db, organizationId)
      const { calls, tokens, resetsAt } = await useOf(db, organizationId)
      const counted = callsPerDay === null && tokensPerDay === null ? null : { calls, tokens }
      return { calls: null, tokens: null, ...counted, organizationId, callsPerDay, tokensPerDay, resetsAt }
    },
  },
} satisfies Resolvers
