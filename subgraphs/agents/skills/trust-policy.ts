import { z } from 'zod'
import { skill } from './skill.ts'

const attributeSchema = z.union([
  z.string().max(500),
  z.number(),
  z.boolean(),
  z.array(z.string().max(200)).max(100),
])
type Attribute = z.output<typeof attributeSchema>

const conditionSchema = z.strictObject({
  attribute: z.string().min(1).max(60),
  is: z.enum(['present', 'absent', 'one-of', 'not-one-of', 'at-least', 'at-most', 'includes-all', 'same-as']),
  /** Words for one-of, not-one-of and includes-all; a number for at-least and at-most; an attribute for same-as. */
  value: attributeSchema.optional(),
})
type Condition = z.output<typeof conditionSchema>

/** Permits or denies a request by written rules over its attributes, with the rule that decided (XACML's combining). */
export const trustPolicy = skill({
  name: 'trust-policy',
  configuration: z.strictObject({
    combining: z.enum(['deny-overrides', 'permit-overrides', 'first-applicable']),
    otherwise: z.enum(['PERMIT', 'DENY']),
    rules: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(60),
          effect: z.enum(['PERMIT', 'DENY']),
          /** All must hold. */
          when: z.array(conditionSchema).min(1).max(10),
          reason: z.string().min(1).max(200),
        }),
      )
      .min(1)
      .max(40),
  }),
  input: z.strictObject({
    request: z.record(z.string().max(60), attributeSchema).describe('What is asked, by whom, over what'),
  }),
  output: z.strictObject({
    decision: z.enum(['PERMIT', 'DENY']).describe('Whether it may be done'),
    rule: z.string().nullable().describe('The rule that decided; null where none applied'),
    reason: z.string().describe('In words'),
    applicable: z.array(z.string()).describe('All rules whose conditions hold'),
  }),
  run({ request }, { combining, otherwise, rules }) {
    const applicable = rules.filter((rule) =>
      rule.when.every((condition) => holds(condition, request, rule.effect)),
    )
    const effect = combining === 'deny-overrides' ? 'DENY' : 'PERMIT'
    const deciding =
      combining === 'first-applicable'
        ? applicable[0]
        : (applicable.find((rule) => rule.effect === effect) ?? applicable[0])
    return {
      decision: deciding?.effect ?? otherwise,
      rule: deciding?.name ?? null,
      reason:
        deciding?.reason ??
        `No rule applies; such requests are ${otherwise === 'DENY' ? 'denied' : 'permitted'}.`,
      applicable: applicable.map((rule) => rule.name),
    }
  },
})

function holds(
  { attribute, is, value }: Condition,
  request: Record<string, Attribute>,
  effect: 'PERMIT' | 'DENY',
): boolean {
  const actual = Object.hasOwn(request, attribute) ? request[attribute] : undefined
  if (is === 'present') return actual !== undefined
  if (is === 'absent') return actual === undefined
  // What the request does not tell is held against it: nothing is gained by leaving an attribute out.
  if (actual === undefined) return effect === 'DENY'
  const words = (Array.isArray(value) ? value : [value]).map(String)
  const given = (Array.isArray(actual) ? actual : [actual]).map(String)
  switch (is) {
    case 'one-of':
      return given.some((word) => words.includes(word))
    case 'not-one-of':
      return given.some((word) => !words.includes(word))
    case 'includes-all':
      return words.every((word) => given.includes(word))
    case 'at-least':
      return Number(actual) >= Number(value)
    case 'at-most':
      return Number(actual) <= Number(value)
    default:
      return Object.hasOwn(request, String(value)) && String(request[String(value)]) === String(actual)
  }
}
