import type { GraphQLFormattedError } from 'graphql'
import type { CompiledPlan } from '../execute/compile.ts'
import { receiveRoot } from '../execute/execute.ts'
import type { SubgraphResult } from '../execute/fetch.ts'
import { own } from '../execute/merge.ts'
import type { Answer, Caller, Operations, PreparedOperation } from '../operation.ts'
import type { Fetch } from '../plan/plan.ts'
import type { UpstreamRequest } from './upstream.ts'

/** A planned subscription whose first fetch the subgraph itself goes on answering. */
export type Upstreamed = {
  operation: PreparedOperation
  plan: CompiledPlan & { primary: Fetch }
  /** Tell what the subscriber may not have. */
  denials: readonly GraphQLFormattedError[]
}

/** What the subgraph is asked. */
export function upstreamOf({
  operation: { variables },
  plan: { primary },
}: Upstreamed): Pick<UpstreamRequest, 'subgraph' | 'text' | 'variables'> {
  const given = primary.variables.filter((name) => own(variables, name) !== undefined)
  return {
    subgraph: primary.subgraph,
    text: primary.text,
    variables: Object.fromEntries(given.map((name) => [name, variables[name]])),
  }
}

/** The answer that one of the subgraph's results leads to. The result is used up: what else is fetched goes into it. */
export async function upstreamAnswer(
  operations: Operations,
  { operation, plan, denials }: Upstreamed,
  caller: Caller,
  result: SubgraphResult,
): Promise<Answer> {
  const begun = operations.execution(operation, caller)
  receiveRoot(begun, plan.primary, result)
  const { data, errors } = begun
  return await operations.finish(operation, caller, plan, { data, errors: [...errors, ...denials] })
}
