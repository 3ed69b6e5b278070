import type { Config } from '@community/infra/config.ts'
import type { GraphQLSchema } from 'graphql'
import type { ParsedOperation } from '../execute/collect.ts'
import type { JsonObject } from '../execute/merge.ts'
import type { Answer } from '../operation.ts'
import type { Costs } from '../plan/cost.ts'
import { refusal } from '../refusal.ts'
import { type Cost, costOf } from './cost.ts'
import type { Principal } from './verify.ts'

/** Demand control: what operations cost, and what they may. */
export type Demand = {
  weigh(operation: ParsedOperation): Cost
  /** The estimate; throws COST_ESTIMATED_TOO_EXPENSIVE where it is more than an operation may cost. */
  admit(cost: Cost, variables: Record<string, unknown>): number
  /** The answer with its cost, for those who may know it. */
  told(answer: Answer, asked: Asked, principal: Principal): Answer
}

type Asked = { cost: Cost; estimated: number; variables: Record<string, unknown>; data: JsonObject }

export type ObserveCost = (kind: 'estimated' | 'actual', cost: number) => void

/** Null where operations are not weighed. */
export function createDemand(
  { api, costs }: { api: GraphQLSchema; costs: Costs },
  options: Config['cost'],
  observe: ObserveCost,
): Demand | null {
  if (!options) return null
  const { maximum, listSize, scope } = options
  return {
    weigh: (operation) => costOf(api, costs, operation, listSize),
    admit(cost, variables) {
      const estimated = cost.estimated(variables, maximum !== null)
      observe('estimated', estimated)
      if (maximum === null || estimated <= maximum) return estimated
      throw refusal(
        'COST_ESTIMATED_TOO_EXPENSIVE',
        `the operation's estimated cost: found ${estimated}, at most ${maximum} allowed`,
        { limit: 'cost', found: estimated, allowed: maximum },
      )
    },
    told(answer, { cost, estimated, variables, data }, { scopes }) {
      const actual = cost.actual(data, variables)
      observe('actual', actual)
      if (scope === undefined || !scopes.includes(scope)) return answer
      const told = { estimated, actual, ...(maximum !== null && { maximum }) }
      return { ...answer, extensions: { ...answer.extensions, cost: told } }
    },
  }
}
