import type { GraphQLFormattedError } from 'graphql'
import type { CompiledPlan } from '../execute/compile.ts'
import { receiveRoot } from '../execute/execute.ts'
import type { SubgraphResult } from '../execute/fetch.ts'
import { own } from '../execute/merge.ts'
import type { Answer, Caller, Operations, PreparedOperation } from '../operation.ts'
import type { Fetch } from '../plan/plan.ts'
import { type Subject, unknownVersion } from './subject.ts'
import type { StreamEvent } from './topics.ts'
import type { UpstreamRequest, Upstreams } from './upstream.ts'

/** A planned subscription whose first fetch the subgraph itself goes on answering. */
export type Upstreamed = {
  operation: PreparedOperation
  plan: CompiledPlan & { primary: Fetch }
  /** Tell what the subscriber may not have. */
  denials: readonly GraphQLFormattedError[]
}

/** What the subgraph is asked. */
function upstreamOf({
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
async function upstreamAnswer(
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

type Rooms = {
  upstreams: Upstreams
  operations: Operations
  caller: () => Promise<Caller>
  signal: AbortSignal
  /** Called when something comes. */
  begun: () => void
}

/** A subscription that its subgraph serves: it has no state to begin with, and nothing of it can be had again. */
export function upstreamSubject(
  { upstreams, operations, caller, signal, begun }: Rooms,
  upstreamed: Upstreamed,
): Subject {
  const request = upstreamOf(upstreamed)
  return {
    name: JSON.stringify(request),
    source: upstreams,
    isKeyed: false,
    hasEachVersion: false,
    topic: null,
    attach: (listener) =>
      upstreams.subscribe(
        { ...request, headers: async () => (await caller()).headers, signal },
        {
          result({ data, errors }) {
            begun()
            listener(resultEvent({ data, errors }))
          },
          gap: () => listener('gap'),
          end(ended) {
            begun()
            listener({ ended })
          },
        },
      ),
    positions: () => ({}),
    open: () => Promise.resolve({ answer: null, version: unknownVersion, positions: {}, isOver: false }),
    refusal: () => Promise.resolve(null),
    read: async ({ value }) =>
      await upstreamAnswer(operations, upstreamed, await caller(), value as SubgraphResult),
    missed: () => Promise.resolve(null),
  }
}

/** A result as an event that has no place in a log. */
const resultEvent = (value: SubgraphResult): StreamEvent => ({
  key: '',
  version: unknownVersion,
  value,
  partition: '',
  offset: '',
  next: '',
  traceparent: undefined,
})
