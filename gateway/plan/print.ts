import { type FieldNode, Kind, print, type SelectionSetNode } from 'graphql'
import type { Fetch, Part, Plan, Selection } from './plan.ts'
import { operationOf } from './text.ts'

/** A plan as people read it, and as tests compare it. */
export function printPlan({ primary, fetches, deferred }: Plan): string {
  const lines = [
    ...(primary ? [printFetch('Subscribe to', primary)] : []),
    ...fetches.map((fetch, index) =>
      printFetch(
        `${index + 1}: Fetch${fetch.deferred === null ? '' : ` for ${deferred[fetch.deferred]}`} from`,
        fetch,
      ),
    ),
  ]
  return lines.length > 0 ? lines.join('\n') : 'nothing to fetch'
}

function printFetch(title: string, { subgraph, after, when, text, parts }: Fetch): string {
  const order = after.length > 0 ? ` after ${after.map((index) => index + 1).join(', ')}` : ''
  const conditions = when.map(({ variable, is }) => ` if ${is ? '' : 'not '}$${variable}`).join('')
  const { selectionSet } = operationOf(text)
  const bodies = parts.map((part) => printPart(part, selectionSet))
  return `${title} ${subgraph}${order}${conditions} {\n${indented(bodies.join('\n'))}\n}`
}

function printPart(
  { paths, entities, inputRewrites, outputRewrites, contexts }: Part,
  selections: SelectionSetNode,
): string {
  const places = paths.filter((path) => path.length > 0).map((path) => path.join('.'))
  const rules = [...inputRewrites, ...outputRewrites].map((rule) =>
    rule.kind === 'SetValue'
      ? `set ${rule.path.join('.')} to ${JSON.stringify(rule.value)}`
      : `rename ${rule.path.join('.')} to ${rule.to}`,
  )
  for (const { path, variable } of contexts) rules.push(`$${variable} from ${path.join('.')}`)
  const at = places.length > 0 ? [`at ${places.join(', ')}`] : []
  if (!entities) return [...at, print(selections), ...rules].join('\n')
  const field = selections.selections.find(
    (each): each is FieldNode =>
      each.kind === Kind.FIELD && (each.alias?.value ?? each.name.value) === entities.key,
  )
  const asked = field?.selectionSet ? print(field.selectionSet) : ''
  return [...at, `${printSelections(entities.requires)} => ${asked}`, ...rules].join('\n')
}

function printSelections(selections: readonly Selection[]): string {
  const parts = selections.map((selection) => {
    const below = selection.selections ? ` ${printSelections(selection.selections)}` : ''
    return selection.kind === 'Field' ? `${selection.name}${below}` : `... on ${selection.type}${below}`
  })
  return `{ ${parts.join(' ')} }`
}

const indented = (text: string): string => text.replace(/^/gm, '  ')
