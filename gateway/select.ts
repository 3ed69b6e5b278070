import {
  type DocumentNode,
  type FragmentDefinitionNode,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  separateOperations,
} from 'graphql'
import type { ParsedOperation } from './execute/collect.ts'
import { type DeferredFragment, hasDefer, labelDeferred, withoutDefer } from './plan/defer.ts'
import type { Supergraph } from './plan/supergraph.ts'
import { refusal } from './refusal.ts'

/** One operation of a valid document. */
export type SelectedOperation = {
  type: 'query' | 'mutation' | 'subscription'
  definition: OperationDefinitionNode
  fragments: ReadonlyMap<string, FragmentDefinitionNode>
  /** The operation alone with its fragments; its response names are the plan's (see plan/isolate.ts). */
  document: DocumentNode
  /** What may come after the first answer. */
  deferred: readonly DeferredFragment[]
}

/** Throws a refusal where the document has not exactly the one that is asked for. */
export function selectOperation(
  { api }: Supergraph,
  document: DocumentNode,
  operationName: string | undefined,
  inParts: boolean,
): SelectedOperation {
  const definition = getOperationAST(document, operationName)
  if (!definition)
    throw refusal(
      'OPERATION_RESOLUTION_FAILURE',
      operationName === undefined
        ? 'the document has several operations or none: operationName must name one'
        : `the document has no operation named ${JSON.stringify(operationName)}`,
    )
  const alone = separateOperations(document)[definition.name?.value ?? '']
  if (!alone) throw new Error('the operation is not in its document')
  const parsed = parsedOperation(hasDefer(alone) && !inParts ? withoutDefer(alone) : alone)
  const type = definition.operation
  if (!inParts || !hasDefer(alone)) return { type, ...parsed, document: documentOf(parsed), deferred: [] }
  const { operation, fragments } = labelDeferred(api, parsed.definition, parsed.fragments)
  const labelled = { ...parsed, definition: operation }
  return { type, ...labelled, document: documentOf(labelled), deferred: fragments }
}

function parsedOperation({ definitions }: DocumentNode): ParsedOperation {
  const definition = definitions.find((each) => each.kind === Kind.OPERATION_DEFINITION)
  if (!definition) throw new Error('the operation is not in its document')
  const fragments = definitions.flatMap((each) =>
    each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each] as const] : [],
  )
  return { definition, fragments: new Map(fragments) }
}

export const documentOf = ({ definition, fragments }: ParsedOperation): DocumentNode => ({
  kind: Kind.DOCUMENT,
  definitions: [definition, ...fragments.values()],
})
