import type { CatalogPolicy } from '../../kit/catalog-policy.ts'
import { announce } from '../../kit/outbox.ts'
import { requireAdministrator, requireOrganization } from '../../kit/principal.ts'
import { internally } from '../../kit/subgraph.ts'
import { record } from '../audit/store.ts'
import { askForPolicy } from '../installs/turns.ts'
import type { Resolvers } from '../schema.generated.ts'
import { readChanges } from './read.ts'
import { changePolicy, type PolicyRow, policyOf } from './store.ts'

export const resolvers: {
  Query: Pick<NonNullable<Resolvers['Query']>, 'catalogPolicy'>
  Mutation: Pick<NonNullable<Resolvers['Mutation']>, 'setCatalogPolicy'>
} = {
  Query: {
    catalogPolicy: async (_, __, { db, principal }) => await policyOf(db, requireOrganization(principal)),
  },

  Mutation: {
    async setCatalogPolicy(_, { input }, { principal, mutate, traceparent }) {
      const organizationId = requireAdministrator(principal)
      const changes = readChanges(input)
      return await mutate(async (tx) => {
        const changed = await changePolicy(tx, organizationId, changes)
        if (!changed) return await policyOf(tx, organizationId)
        const { version, updatedAt } = changed
        await announce(tx, {
          aggregateId: organizationId,
          type: 'CatalogPolicyChange',
          version,
          value: {
            __typename: 'CatalogPolicyChange',
            organizationId,
            policy: told(changed),
            version,
            at: updatedAt,
          },
          ...(traceparent === undefined ? {} : { traceparent }),
        })
        if (decidesAgents(changes)) await internally(tx, () => askForPolicy(tx, organizationId))
        await record(tx, {
          organizationId,
          actor: principal.subject,
          action: 'policy.set',
          subject: organizationId,
          details: changes,
        })
        return changed
      })
    },
  },
}

/** Whether it may let an agent be used that was not. */
const decidesAgents = ({ allow, deny, minimumLevel }: Partial<CatalogPolicy>): boolean =>
  allow !== undefined || deny !== undefined || minimumLevel !== undefined

/** As an event has it. */
function told({ version: _version, updatedAt: _updatedAt, ...policy }: PolicyRow): object {
  const rules = (all: PolicyRow['allow']) => all.map((rule) => ({ __typename: 'CatalogPolicyRule', ...rule }))
  return { __typename: 'CatalogPolicy', ...policy, allow: rules(policy.allow), deny: rules(policy.deny) }
}
