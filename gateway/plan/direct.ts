import graphPath from '@apollo/query-graphs/dist/graphPath.js'

type Option = { paths: { subgraphJumps(): number }[] }
type Operation = { kind: string }
type Advance = (
  schema: object,
  option: Option,
  operation: Operation,
  overrides: object,
) => Option[] | undefined

/** A private function of the planner (2.14.4), as what it is here. */
const planner = graphPath as unknown as { advanceSimultaneousPathsWithOperation: Advance }
const patched = new WeakSet<Advance>()

/**
 * The planner gives up a fragment as soon as one of the ways to its parent leads into a subgraph whose union or interface
 * lacks the type: then `... on OnlyHere` is dropped although the parent is here, and its fields are null. Here a type is
 * impossible only where no shorter way has it. Changes the planner for the whole process, once.
 */
export function keepDirectTypes(): void {
  const advance = planner.advanceSimultaneousPathsWithOperation
  if (typeof advance !== 'function')
    throw new Error('@apollo/query-graphs is not the version that this is made for')
  if (patched.has(advance)) return
  planner.advanceSimultaneousPathsWithOperation = keepingDirectTypes(advance)
  patched.add(planner.advanceSimultaneousPathsWithOperation)
}

// [] means that the operation is impossible after the option, which ends the branch; undefined, that the option is no way.
function keepingDirectTypes(advance: Advance): Advance {
  /** The options that an option was found with: all the ways to one selection. */
  const ways = new WeakMap<Option, readonly Option[]>()
  let step: { operation: Operation; among: readonly Option[] | undefined; made: Option[] } | undefined
  return (schema, option, operation, overrides) => {
    const among = ways.get(option)
    if (step?.operation !== operation || step.among !== among) step = { operation, among, made: [] }
    const own = step
    const made = advance(schema, option, operation, overrides)
    // The conditions of an edge are planned inside `advance`, by this function too.
    step = own
    if (made?.length === 0 && operation.kind === 'FragmentElement') {
      const isPossible = (each: Option) => (advance(schema, each, operation, overrides)?.length ?? 0) > 0
      if (among?.some((each) => jumps(each) < jumps(option) && isPossible(each))) return undefined
    }
    for (const each of made ?? []) {
      own.made.push(each)
      ways.set(each, own.made)
    }
    return made
  }
}

const jumps = ({ paths }: Option): number => Math.max(...paths.map((path) => path.subgraphJumps()))
