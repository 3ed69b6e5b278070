import { getVariableValues, type OperationDefinitionNode } from 'graphql'
import { type DocumentRules, withCode } from './document.ts'
import { checkVariables } from './guard/limits.ts'
import type { Supergraph } from './plan/supergraph.ts'
import { refusal } from './refusal.ts'

// What the planner calls entities and context arguments.
const reservedVariable = /^(representations|contextualArgument_)/
const toldVariableErrors = 20
const noVariables: Record<string, unknown> = {}

/** The variables as the operation declares them. Throws a refusal, or several (AggregateError). */
export function coercedVariables(
  supergraph: Supergraph,
  definition: OperationDefinitionNode,
  input: Record<string, unknown>,
  { limits, introspection }: DocumentRules,
): Record<string, unknown> {
  const definitions = definition.variableDefinitions ?? []
  if (definitions.length === 0) return noVariables
  const taken = definitions.find(({ variable }) => reservedVariable.test(variable.name.value))
  if (taken)
    throw refusal(
      'BAD_USER_INPUT',
      `the name of a variable can not begin as ${taken.variable.name.value} does`,
    )
  checkVariables(input, limits)
  const { coerced, errors } = getVariableValues(supergraph.api, definitions, input, {
    maxErrors: toldVariableErrors,
    hideSuggestions: !introspection,
  })
  if (errors) throw new AggregateError(errors.map(withCode('BAD_USER_INPUT')))
  return coerced
}
