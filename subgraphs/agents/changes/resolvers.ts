import { text } from '../../kit/arguments.ts'
import type { Context } from '../context.ts'
import type { Resolvers } from '../schema.generated.ts'
import { changesBetween, type ReadForeign, type VersionChanges } from './compare.ts'
import type { Comparison } from './store.ts'

export function changesResolvers(readForeign: ReadForeign): Pick<Resolvers, 'VersionChanges' | 'Category'> & {
  Query: Pick<NonNullable<Resolvers['Query']>, 'versionChanges'>
} {
  const changes = async (
    compared: Comparison,
    { pairs, comparisons }: Context,
  ): Promise<VersionChanges | null> => {
    // Whether the caller may see both is asked each time.
    const pair = await pairs.load(compared)
    const key = JSON.stringify([compared.agentId, compared.from, compared.to])
    return pair && comparisons.get(key, () => changesBetween(compared, pair, readForeign))
  }
  return {
    Query: {
      versionChanges: async (_, { agentId, from, to }, context) =>
        await changes(
          {
            agentId: text(agentId, 'agentId'),
            from: text(from, 'from'),
            to: text(to, 'to'),
          },
          context,
        ),
    },
    VersionChanges: {
      __resolveReference: async ({ agentId, from, to }, context) =>
        await changes({ agentId, from, to }, context),
    },
    Category: {
      __resolveReference: ({ name }) => ({ name }),
      description: async ({ name }, _, { subtypeDescriptions }) => await subtypeDescriptions.load(name),
    },
  }
}
