import { Kind, parse, print } from 'graphql'
import type { FetchNode, Plan, PlanNode, Selection } from './plan.ts'
import { operationOf } from './text.ts'

/** A plan as people read it, and as tests compare it. */
export function printPlan({ primary, node }: Plan): string {
  const nodes = [
    ...(primary ? [block('Subscribe', [printNode(primary)])] : []),
    ...(node ? [printNode(node)] : []),
  ]
  return nodes.length > 0 ? nodes.join('\n') : 'nothing to fetch'
}

function printNode(node: PlanNode): string {
  switch (node.kind) {
    case 'Sequence':
    case 'Parallel':
      return block(node.kind, node.nodes.map(printNode))
    case 'Condition':
      return [
        ...(node.ifTrue ? [block(`If $${node.variable}`, [printNode(node.ifTrue)])] : []),
        ...(node.ifFalse ? [block(`If not $${node.variable}`, [printNode(node.ifFalse)])] : []),
      ].join('\n')
    case 'Fetch':
      return printFetch(node)
  }
}

function printFetch(fetch: FetchNode): string {
  const at = fetch.path.length > 0 ? ` at ${fetch.path.join('.')}` : ''
  const rules = [...fetch.inputRewrites, ...fetch.outputRewrites].map((rule) =>
    rule.kind === 'SetValue'
      ? `set ${rule.path.join('.')} to ${JSON.stringify(rule.value)}`
      : `rename ${rule.path.join('.')} to ${rule.to}`,
  )
  const asks = fetch.requires
    ? [`${printSelections(fetch.requires)} =>`, printEntities(fetch.text)]
    : [print(parse(fetch.text))]
  return block(`Fetch from ${fetch.subgraph}${at}`, [...asks, ...rules])
}

function printEntities(text: string): string {
  const [entities] = operationOf(text).selectionSet.selections
  return entities?.kind === Kind.FIELD && entities.selectionSet ? print(entities.selectionSet) : text
}

function printSelections(selections: readonly Selection[]): string {
  const parts = selections.map((selection) => {
    const below = selection.selections ? ` ${printSelections(selection.selections)}` : ''
    return selection.kind === 'Field' ? `${selection.name}${below}` : `... on ${selection.type}${below}`
  })
  return `{ ${parts.join(' ')} }`
}

const block = (title: string, lines: readonly string[]): string =>
  `${title} {\n${lines.join('\n').replace(/^/gm, '  ')}\n}`
