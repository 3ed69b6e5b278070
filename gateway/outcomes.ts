import { type DocumentNode, type GraphQLFormattedError, Kind, visit } from 'graphql'
import { type CompiledPlan, compilePlan } from './execute/compile.ts'
import { dataWriter, type WriteData } from './execute/write.ts'
import { authorize, meets } from './guard/authorize.ts'
import type { Cost } from './guard/cost.ts'
import type { Principal } from './guard/verify.ts'
import type { CacheCounts } from './metrics.ts'
import type { Requirement } from './plan/protection.ts'
import type { Supergraph } from './plan/supergraph.ts'
import type { OperationPlanner } from './planner.ts'
import { documentOf, type SelectedOperation } from './select.ts'
import { createSieve } from './sieve.ts'

/** An operation that is known to be right: what it is, apart from who asks. */
export type Operation = SelectedOperation & {
  /** Null where operations are not weighed. */
  cost: Cost | null
  /** What the caller may have of it, from where; planned and compiled once for all who get the same. */
  for(caller: Grantee): Permitted
  /** How often it was asked for, and one caller for each outcome. */
  use(): { count: number; callers: Grantee[] }
  /** Whether it depends on the caller what may be had of it. */
  isProtected: boolean
  /** For these variables' conditions, compiled once. */
  writer(plan: CompiledPlan, variables: Record<string, unknown>): WriteData
}

/** What of a caller decides what it may have, and from where. */
export type Grantee = {
  principal: Principal
  /** Labels of `@override(label:)` that hold for the request. */
  labels: ReadonlySet<string>
}

type Permitted = {
  plan(): Promise<CompiledPlan>
  /** Tell what was taken out. */
  errors: readonly GraphQLFormattedError[]
}

const mostWriters = 16
const mostOutcomes = 32

/** Plans, compiles and keeps what each outcome of authorization and `@override` labels needs. */
export function compiledOnce(
  supergraph: Supergraph,
  planner: OperationPlanner,
  caches: CacheCounts,
  operation: SelectedOperation & Pick<Operation, 'cost'>,
): Operation {
  const conditions = conditionVariables(operation.document)
  const writers = createSieve<WriteData>(mostWriters)
  const outcomes = createSieve<{ permitted: Permitted; caller: Grantee }>(mostOutcomes)
  let count = 0
  const { protection, full } = supergraph
  const overrides = relevantOverrides(supergraph, operation.document)
  const demanded = new Set<Requirement>()
  if (protection) authorize(full, protection, operation, (requirement) => Boolean(demanded.add(requirement)))

  const planned = (document: DocumentNode | null, labels: readonly string[]): Permitted['plan'] => {
    let plan: Promise<CompiledPlan> | null = null
    return () => {
      plan ??= document
        ? planner.plan(document, labels).then((each) => compilePlan(each, full))
        : Promise.resolve(compilePlan({ primary: null, fetches: [], deferred: [], unplanned: [] }, full))
      plan.catch(() => {
        plan = null
      })
      return plan
    }
  }

  function permitted(principal: Principal, labels: readonly string[]): Permitted {
    const { operation: left, denied } = protection
      ? authorize(full, protection, operation, (each) => meets(principal, each))
      : { operation, denied: [] }
    const document = denied.length > 0 ? left && documentOf(left) : operation.document
    return { plan: planned(document, labels), errors: denied.map(denial) }
  }

  return {
    ...operation,
    isProtected: demanded.size > 0,
    use: () => ({ count, callers: [...outcomes.entries()].map(([, { caller }]) => caller) }),
    for({ principal, labels }) {
      count++
      const holding = overrides.filter((label) => labels.has(label))
      const met = [...demanded].map((each) => (meets(principal, each) ? 1 : 0))
      const key = [...met, ...holding].join()
      const known = outcomes.get(key)
      caches.plans[known ? 'hits' : 'misses']++
      if (known) return known.permitted
      const outcome = permitted(principal, holding)
      outcomes.set(key, { permitted: outcome, caller: { principal, labels } })
      return outcome
    },
    writer({ repeated }, variables) {
      const key = conditions.map((name) => String(variables[name])).join()
      const known = writers.get(key)
      if (known) return known
      const writer = dataWriter(supergraph.api, operation, variables, repeated)
      writers.set(key, writer)
      return writer
    },
  }
}

/** Labels that may decide where something that the document asks for is fetched. */
function relevantOverrides({ overrides }: Supergraph, document: DocumentNode): string[] {
  if (overrides.size === 0) return []
  const asked = new Set<string>()
  visit(document, { Field: ({ name }) => void asked.add(name.value) })
  return [...overrides].flatMap(([label, fields]) => (fields.isDisjointFrom(asked) ? [] : label))
}

const denial = (path: string[]): GraphQLFormattedError => ({
  message: 'Unauthorized field or type',
  path,
  extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' },
})

/** Names of the variables that `@skip`, `@include` and `@defer` ask. */
function conditionVariables(document: DocumentNode): string[] {
  const names = new Set<string>()
  visit(document, {
    Directive(node) {
      if (!/^(skip|include|defer)$/.test(node.name.value)) return
      const value = node.arguments?.find(({ name }) => name.value === 'if')?.value
      if (value?.kind === Kind.VARIABLE) names.add(value.name.value)
    },
  })
  return [...names]
}
