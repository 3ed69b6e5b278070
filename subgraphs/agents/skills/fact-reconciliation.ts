import { z } from 'zod'
import { skill } from './skill.ts'
import { words } from './terms.ts'

const valueSchema = z.union([z.string().max(200), z.number(), z.boolean()])
type Value = z.output<typeof valueSchema>
type Measure = { of: string; amount: number }

/** Units as UCUM and IEC 80000-13 write them, with what they are one of. */
const units = new Map<string, [of: string, factor: number]>([
  ...Object.entries({ ns: 1e-9, us: 1e-6, ms: 0.001, s: 1, min: 60, h: 3600, d: 86_400, wk: 604_800 }).map(
    ([unit, factor]): [string, [string, number]] => [unit, ['time', factor]],
  ),
  ...Object.entries({ B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 }).map(
    ([unit, factor]): [string, [string, number]] => [unit, ['size', factor]],
  ),
  ...Object.entries({ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }).map(
    ([unit, factor]): [string, [string, number]] => [unit, ['size', factor]],
  ),
  ['%', ['number', 0.01]],
])
const quantity = /^([-+]?\d{1,15}(?:\.\d{1,15})?) ?([A-Za-z]{1,3}|%)?$/
const moment = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[-+]\d\d:\d\d))?$/

const statementSchema = z.strictObject({
  source: z.string().min(1).max(120).describe('Who says so'),
  subject: z.string().min(1).max(120).describe('Of what'),
  attribute: z.string().min(1).max(120).describe('As timeout, owner or release-date'),
  value: valueSchema.describe(
    'Text, number, truth; also with a unit (1500 ms, 2 GiB, 5 %) or an ISO 8601 time',
  ),
  ageMinutes: z.number().min(0).max(1e7).optional().describe('Since it was said; 0 where absent'),
})
type Statement = z.output<typeof statementSchema>

/** Where sources say different things of one attribute, 1.5 s and 1500 ms being the same, and what to go by. */
export const factReconciliation = skill({
  name: 'fact-reconciliation',
  configuration: z.strictObject({
    /** Quantities this close to each other are the same, as a share of the larger. */
    tolerance: z.number().min(0).max(0.5),
  }),
  input: z.strictObject({
    statements: z.array(statementSchema).min(1).max(200).describe('What the sources say'),
  }),
  output: z.strictObject({
    contradictions: z
      .array(
        z.strictObject({
          subject: z.string().describe('Of what'),
          attribute: z.string().describe('What is in doubt'),
          values: z
            .array(
              z.strictObject({
                value: valueSchema.describe('As its newest source wrote it'),
                sources: z.array(z.string()).describe('Who says so'),
              }),
            )
            .describe('Preferred first'),
          tie: z.boolean().describe('Whether nothing speaks for the first rather than the second'),
        }),
      )
      .describe('In the order in which they came up'),
    agreed: z.int().describe('Attributes of which more than one source says the same'),
    unconfirmed: z.int().describe('Attributes of which only one source speaks'),
  }),
  run({ statements }, { tolerance }) {
    const attributes = Map.groupBy(statements, ({ subject, attribute }) =>
      JSON.stringify([words(subject), words(attribute)]),
    )
    const judged = Array.from(attributes.values(), (about) => {
      const { subject, attribute } = about[0]!
      const values = valuesOf(about, tolerance)
        .map((group) => ({
          value: group[0]!.value,
          sources: [...new Set(group.map(({ source }) => source))],
          age: group[0]!.ageMinutes ?? 0,
        }))
        .toSorted(byWeight)
      const [first, second] = values
      return {
        subject,
        attribute,
        values: values.map(({ value, sources }) => ({ value, sources })),
        tie: first !== undefined && second !== undefined && byWeight(first, second) === 0,
      }
    })
    const consistent = judged.filter(({ values }) => values.length === 1)
    const confirmed = consistent.filter(({ values }) => values[0]!.sources.length > 1)
    return {
      contradictions: judged.filter(({ values }) => values.length > 1),
      agreed: confirmed.length,
      unconfirmed: consistent.length - confirmed.length,
    }
  },
})

type Claim = { age: number; sources: string[] }

/** The newest first; of what is as new as each other, what more sources say. */
const byWeight = (a: Claim, b: Claim) => a.age - b.age || b.sources.length - a.sources.length

/** Statements that say the same, each with its newest first. A source that said otherwise later has changed its mind. */
function valuesOf(about: readonly Statement[], tolerance: number): Statement[][] {
  const newestFirst = about.toSorted((a, b) => (a.ageMinutes ?? 0) - (b.ageMinutes ?? 0))
  const latest = new Map<string, Statement>()
  for (const one of newestFirst) if (!latest.has(one.source)) latest.set(one.source, one)
  const groups: Statement[][] = []
  for (const one of latest.values()) {
    const same = groups.find(([first]) => isSame(first!.value, one.value, tolerance))
    if (same) same.push(one)
    else groups.push([one])
  }
  return groups
}

function isSame(a: Value, b: Value, tolerance: number): boolean {
  const [first, second] = [String(a).trim(), String(b).trim()]
  if (first.toLowerCase() === second.toLowerCase()) return true
  const [one, other] = [measureOf(a), measureOf(b)]
  if (one && other)
    return (
      one.of === other.of &&
      Math.abs(one.amount - other.amount) <=
        Math.max(tolerance, 1e-9) * Math.max(Math.abs(one.amount), Math.abs(other.amount))
    )
  return moment.test(first) && moment.test(second) && Date.parse(first) === Date.parse(second)
}

function measureOf(value: Value): Measure | null {
  if (typeof value === 'number') return { of: 'number', amount: value }
  const [, number, unit] = typeof value === 'string' ? (quantity.exec(value.trim()) ?? []) : []
  if (number === undefined) return null
  if (unit === undefined) return { of: 'number', amount: Number(number) }
  const known = units.get(unit)
  return known ? { of: known[0], amount: Number(number) * known[1] } : null
}
