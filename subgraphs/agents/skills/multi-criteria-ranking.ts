import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const criterionSchema = z.strictObject({
  name: z.string().min(1).max(60),
  weight: z.number().positive().max(100),
  better: z.enum(['higher', 'lower']),
})
type Criterion = z.output<typeof criterionSchema>
type Values = Record<string, number>

/** Ranks alternatives by several criteria at once: TOPSIS, the weighted sum or the weighted product. */
export const multiCriteriaRanking = skill({
  name: 'multi-criteria-ranking',
  configuration: z.strictObject({
    method: z.enum(['topsis', 'weighted-sum', 'weighted-product']),
    criteria: z.array(criterionSchema).min(2).max(10),
  }),
  input: z.strictObject({
    alternatives: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(80).describe('What is compared'),
          values: z
            .record(z.string().max(60), z.number().min(0).max(1e12))
            .describe('A figure for every criterion'),
        }),
      )
      .min(2)
      .max(40)
      .describe('What there is to choose from'),
  }),
  output: z.strictObject({
    best: z.string().describe('The first of the ranking'),
    decidedBy: z.string().describe('The criterion that sets the first apart from the second the most'),
    ranking: z
      .array(
        z.strictObject({
          name: z.string().describe('What was compared'),
          score: z.number().describe('Higher is better; comparable within one answer'),
        }),
      )
      .describe('Best first'),
  }),
  run({ alternatives }, { method, criteria }) {
    for (const { name, values } of alternatives) {
      const missing = criteria.find((criterion) => values[criterion.name] === undefined)
      if (missing) throw new Error(`alternatives: ${name} has no value for ${missing.name}`)
    }
    const weighed = weigh(
      method,
      criteria,
      alternatives.map((alternative) => alternative.values),
    )
    const scores = method === 'topsis' ? closeness(criteria, weighed) : weighed.map((row) => sum(row))
    const ranking = alternatives
      .map((alternative, index) => ({ name: alternative.name, score: scores[index]!, row: weighed[index]! }))
      .toSorted((a, b) => b.score - a.score)
    const [first, second] = [ranking[0]!, ranking[1]!]
    const lead = criteria.map((criterion, column) => {
      const difference = first.row[column]! - second.row[column]!
      return method === 'topsis' && criterion.better === 'lower' ? -difference : difference
    })
    return {
      best: first.name,
      decidedBy: criteria[lead.indexOf(Math.max(...lead))]!.name,
      ranking: ranking.map(({ name, score }) => ({
        name,
        score: rounded(method === 'weighted-product' ? Math.exp(score) : score),
      })),
    }
  },
})

/** A row per alternative, a column per criterion; for the weighted product in logarithms. */
function weigh(method: string, criteria: Criterion[], rows: Values[]): number[][] {
  const total = sum(criteria.map((criterion) => criterion.weight))
  const columns = criteria.map(({ name, weight, better }) => {
    const column = rows.map((row) => row[name]!)
    const share = weight / total
    if (method === 'topsis') {
      const length = Math.hypot(...column) || 1
      return column.map((value) => (share * value) / length)
    }
    if (method === 'weighted-product') {
      // Zero would make every other criterion void; a millionth stands for it.
      return column.map((value) => share * Math.log(Math.max(value, 1e-6)) * (better === 'higher' ? 1 : -1))
    }
    const [low, high] = [Math.min(...column), Math.max(...column)]
    const span = high - low || 1
    return column.map((value) => (share * (better === 'higher' ? value - low : high - value)) / span)
  })
  return rows.map((_, row) => columns.map((column) => column[row]!))
}

/** TOPSIS: the distance to the worst point, as a share of the distances to the worst and to the ideal. */
function closeness(criteria: Criterion[], weighed: number[][]): number[] {
  const corner = (ideal: boolean) =>
    criteria.map(({ better }, column) => {
      const values = weighed.map((row) => row[column]!)
      return (better === 'higher') === ideal ? Math.max(...values) : Math.min(...values)
    })
  const [ideal, worst] = [corner(true), corner(false)]
  return weighed.map((row) => {
    const [toIdeal, toWorst] = [distance(row, ideal), distance(row, worst)]
    return toIdeal + toWorst === 0 ? 1 : toWorst / (toIdeal + toWorst)
  })
}

const distance = (row: number[], point: number[]) => Math.hypot(...row.map((value, i) => value - point[i]!))
