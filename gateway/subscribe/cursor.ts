import { createHash } from 'node:crypto'
import type { Keys } from '@community/infra/keys.ts'
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  print,
  type SelectionSetNode,
  visit,
} from 'graphql'
import { z } from 'zod'
import type { PreparedOperation } from '../operation.ts'
import { refusal } from '../refusal.ts'

/** Where a stream goes on: what a client got so far, on any instance that shares the keys. */
export type Cursor = {
  topic: string
  /** The next offset, for the partitions that may hold the key's events. */
  positions: Record<string, string>
  /** Of the last result. */
  version: number
  /** The operation, and who may have its results: what the cursor is for. */
  operation: string
}

export type Cursors = {
  seal(cursor: Cursor): Promise<string>
  /** Throws BAD_USER_INPUT naming `after`. */
  open(text: string, expected: { topic: string; operation: string }): Promise<Cursor>
}

// As long as the log keeps events.
const ttlSeconds = 7 * 24 * 3600
const claims = z.object({
  topic: z.string(),
  positions: z.record(z.string(), z.string().regex(/^\d+$/)),
  version: z.number().int(),
  operation: z.string(),
})

export function createCursors(keys: Keys): Cursors {
  return {
    seal: (cursor) => keys.sign(cursor, { audience: 'cursor', ttlSeconds }),
    async open(text, { topic, operation }) {
      const payload = await keys.verify(text, { audience: 'cursor' }).catch((cause: unknown) => {
        throw badCursor('is no cursor of this graph, or one too old', cause)
      })
      const cursor = claims.parse(payload)
      if (cursor.topic !== topic || cursor.operation !== operation)
        throw badCursor('is the cursor of another operation, of other arguments or for other rights')
      return cursor
    },
  }
}

const badCursor = (why: string, cause?: unknown) =>
  Object.assign(
    refusal('BAD_USER_INPUT', `argument after: ${why}`, {
      argument: 'after',
      expected: 'extensions.stream.cursor of a result of the same subscription',
    }),
    cause === undefined ? {} : { cause },
  )

/** The same for the same selection and arguments, whether these come in variables or not, and whatever `after` is. */
export function operationHash(
  { document, variables }: PreparedOperation,
  rootField: string,
  { after: _after, ...args }: Record<string, unknown>,
): string {
  const { text: selection, used } = normalized(document, rootField)
  const sorted = (names: Iterable<string>, values: Record<string, unknown>) =>
    [...names]
      .filter((name) => Object.hasOwn(values, name))
      .toSorted()
      .map((name) => [name, values[name]])
  const text = JSON.stringify([selection, sorted(used, variables), sorted(Object.keys(args), args)])
  return createHash('sha256').update(text).digest('base64url')
}

type Normalized = { text: string; used: ReadonlySet<string> }
const known = new WeakMap<DocumentNode, Normalized>()

function normalized(document: DocumentNode, rootField: string): Normalized {
  const found = known.get(document)
  if (found) return found
  const roots = rootFields(document)
  const bare = visit(document, {
    OperationDefinition: (node) => ({ ...node, name: undefined, variableDefinitions: [] }),
    Field: (node) =>
      node.name.value === rootField && roots.has(node) ? { ...node, arguments: [] } : undefined,
  })
  const used = new Set<string>()
  visit(bare, { Variable: (node) => void used.add(node.name.value) })
  const made = { text: print(bare), used }
  known.set(document, made)
  return made
}

/** Those directly below operations, fragments included; others of their name may have other arguments. */
function rootFields({ definitions }: DocumentNode): ReadonlySet<FieldNode> {
  const found = new Set<FieldNode>()
  const fragments = new Map<string, FragmentDefinitionNode>(
    definitions.flatMap((each) =>
      each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each] as const] : [],
    ),
  )
  const add = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections)
      if (selection.kind === Kind.FIELD) found.add(selection)
      else {
        const fragment =
          selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
        if (fragment) add(fragment.selectionSet)
      }
  }
  for (const each of definitions) if (each.kind === Kind.OPERATION_DEFINITION) add(each.selectionSet)
  return found
}
