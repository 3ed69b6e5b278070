import { Kind, type OperationDefinitionNode, print, stripIgnoredCharacters, visit } from 'graphql'
import type { Fetch, Part } from './plan.ts'
import { operationOf } from './text.ts'

/**
 * Joins entity fetches of one subgraph that need not wait for each other into one request. A fetch may go at its
 * earliest level or later, as long as no fetch that waits for it has to wait longer: the planner's 16 fetches for the
 * query of the common federation benchmark become 6.
 */
export function combine(fetches: readonly Fetch[]): Fetch[] {
  const earliest = levels(fetches)
  const latest = fetches.map((_, index) => latestLevel(fetches, earliest, index))
  const alike = Map.groupBy(fetches.keys(), (index) => kindOf(fetches[index]!, index))
  const groups = [...alike.values()].flatMap((indexes) => stabbed(indexes, earliest, latest))
  const ordered = groups.toSorted((a, b) => a.level - b.level || a.members[0]! - b.members[0]!)
  const placeOf = new Map(ordered.flatMap(({ members }, place) => members.map((member) => [member, place])))
  return ordered.map(({ members }) => {
    const joined = members.map((index) => fetches[index]!)
    const after = new Set(joined.flatMap((fetch) => fetch.after.map((index) => placeOf.get(index)!)))
    return { ...join(joined), after: [...after].toSorted((a, b) => a - b) }
  })
}

/** How many fetches in a row come before each. */
function levels(fetches: readonly Fetch[]): number[] {
  const known: number[] = []
  for (const { after } of fetches) known.push(Math.max(-1, ...after.map((index) => known[index]!)) + 1)
  return known
}

function latestLevel(fetches: readonly Fetch[], earliest: readonly number[], index: number): number {
  const dependents = fetches.flatMap(({ after }, each) => (after.includes(index) ? [earliest[each]!] : []))
  return Math.min(Math.max(...earliest), ...dependents.map((level) => level - 1))
}

// Only entity fetches join, for the same part of the answer and under the same conditions.
function kindOf({ subgraph, when, deferred, parts }: Fetch, index: number): string {
  const mayJoin = parts.every(({ entities, contexts }) => entities && contexts.length === 0)
  return JSON.stringify(mayJoin ? [subgraph, when, deferred] : index)
}

type Group = { members: number[]; level: number }

/** The fewest points such that each fetch's span of levels holds one. */
function stabbed(
  indexes: readonly number[],
  earliest: readonly number[],
  latest: readonly number[],
): Group[] {
  const groups: Group[] = []
  for (const index of indexes.toSorted((a, b) => latest[a]! - latest[b]!)) {
    const group = groups.find(({ level }) => earliest[index]! <= level && level <= latest[index]!)
    if (group) group.members.push(index)
    else groups.push({ members: [index], level: latest[index]! })
  }
  // No later than needed.
  return groups.map(({ members }) => ({
    members: members.toSorted((a, b) => a - b),
    level: Math.max(...members.map((index) => earliest[index]!)),
  }))
}

function join(fetches: readonly Fetch[]): Fetch {
  const [first] = fetches
  if (!first) throw new Error('there is nothing to join')
  if (fetches.length === 1) return first
  const same = [...Map.groupBy(fetches, alikeApartFromPaths).values()].map(atAllPaths)
  const [only] = same
  if (only && same.length === 1) return only
  const operations = same.map((fetch, place) => withNames(operationOf(fetch.text), place))
  const definitions = new Map(
    operations.flatMap(({ variableDefinitions = [] }) =>
      variableDefinitions.map((each) => [each.variable.name.value, each]),
    ),
  )
  const joined: OperationDefinitionNode = {
    ...operations[0]!,
    variableDefinitions: [...definitions.values()],
    selectionSet: {
      kind: Kind.SELECTION_SET,
      selections: operations.flatMap(({ selectionSet }) => selectionSet.selections),
    },
  }
  return {
    ...first,
    text: stripIgnoredCharacters(print(joined)),
    variables: [...new Set(same.flatMap(({ variables }) => variables))],
    parts: same.flatMap(({ parts }, place) => parts.map((part) => renamed(part, place))),
  }
}

const alikeApartFromPaths = ({ text, operationName, parts }: Fetch): string =>
  JSON.stringify([
    operationName === undefined ? text : text.replace(operationName, ''),
    parts.map((part) => ({ ...part, paths: [] })),
  ])

function atAllPaths(fetches: readonly Fetch[]): Fetch {
  const [first] = fetches
  if (!first) throw new Error('there is nothing to join')
  const paths = fetches.flatMap(({ parts }) => parts.flatMap((part) => part.paths))
  return { ...first, parts: first.parts.map((part) => ({ ...part, paths })) }
}

const keyOf = (place: number) => `_entities_${place}`
const variableOf = (place: number) => `representations_${place}`

function renamed(part: Part, place: number): Part {
  const entities = part.entities && { ...part.entities, key: keyOf(place), variable: variableOf(place) }
  return { ...part, entities }
}

function withNames(operation: OperationDefinitionNode, place: number): OperationDefinitionNode {
  const { selectionSet, ...rest } = visit(operation, {
    Variable: (node) =>
      node.name.value === 'representations'
        ? { ...node, name: { kind: Kind.NAME, value: variableOf(place) } }
        : undefined,
  })
  return {
    ...rest,
    selectionSet: {
      ...selectionSet,
      selections: selectionSet.selections.map((each) =>
        each.kind === Kind.FIELD ? { ...each, alias: { kind: Kind.NAME, value: keyOf(place) } } : each,
      ),
    },
  }
}
