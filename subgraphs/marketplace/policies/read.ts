import parseLicense from 'spdx-expression-parse'
import { text } from '../../kit/arguments.ts'
import type { CatalogPolicy } from '../../kit/catalog-policy.ts'
import { badInput } from '../../kit/errors.ts'
import type { CatalogPolicyRuleInput, InputMaybe, SetCatalogPolicyInput } from '../schema.generated.ts'

const mostRules = 50
/** Of a list's rules together: with it a policy stays well below what an event may hold. */
const mostValues = 500
const longestValue = 100

type Rule = CatalogPolicy['allow'][number]

/** What is to be otherwise; null restricts nothing any more. */
export function readChanges(input: SetCatalogPolicyInput): Partial<CatalogPolicy> {
  const { allow, deny, minimumLevel, installedOnly, approval, callsPerDay, tokensPerDay } = input
  return {
    ...(allow !== undefined && { allow: readRules(allow ?? [], 'input.allow') }),
    ...(deny !== undefined && { deny: readRules(deny ?? [], 'input.deny') }),
    ...(minimumLevel !== undefined && { minimumLevel }),
    ...(installedOnly !== undefined && { installedOnly: installedOnly ?? false }),
    ...(approval !== undefined && { approval: approval ?? false }),
    ...(callsPerDay !== undefined && { callsPerDay: readLimit(callsPerDay, 'input.callsPerDay') }),
    ...(tokensPerDay !== undefined && { tokensPerDay: readLimit(tokensPerDay, 'input.tokensPerDay') }),
  }
}

function readLimit(limit: number | null, argument: string): number | null {
  if (limit !== null && limit < 0) throw badInput(`${argument} is ${limit}`, argument, '0 or more')
  return limit
}

function readRules(rules: readonly CatalogPolicyRuleInput[], argument: string): Rule[] {
  if (rules.length > mostRules)
    throw badInput(`${argument} has ${rules.length} rules`, argument, `at most ${mostRules}`)
  const read = rules.map((rule, index) => readRule(rule, `${argument}.${index}`))
  const count = read.flatMap((rule) => Object.values(rule).flat()).length
  if (count > mostValues)
    throw badInput(`the rules of ${argument} have ${count} values`, argument, `at most ${mostValues}`)
  return read
}

function readRule({ types, licenses, publishers, regions }: CatalogPolicyRuleInput, argument: string): Rule {
  const rule = {
    ...readValues('types', types, argument),
    ...readValues('licenses', licenses, argument, isSpdx),
    ...readValues('publishers', publishers, argument),
    ...readValues('regions', regions, argument),
  }
  // One without a field would fit every agent.
  if (Object.keys(rule).length === 0)
    throw badInput(`${argument} says nothing`, argument, 'at least one field')
  return rule
}

function readValues(
  name: keyof Rule,
  values: InputMaybe<readonly string[]> | undefined,
  rule: string,
  fits: (value: string) => boolean = () => true,
): Rule {
  if (values === null || values === undefined) return {}
  const argument = `${rule}.${name}`
  if (values.length === 0) throw badInput(`${argument} is empty, and would fit nothing`, argument, 'a value')
  for (const [index, value] of values.entries()) {
    text(value, `${argument}.${index}`, longestValue)
    if (!fits(value))
      throw badInput(`${value} is no SPDX expression`, `${argument}.${index}`, 'as MIT OR Apache-2.0')
  }
  return { [name]: [...new Set(values)] }
}

function isSpdx(value: string): boolean {
  try {
    parseLicense(value)
    return true
  } catch {
    return false
  }
}
