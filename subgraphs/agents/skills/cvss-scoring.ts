import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

/** Weights of section 7.4. Privileges weigh more where the scope changes. */
const weights = {
  AV: { N: 0.85, A: 0.62, L: 0.55, P: 0.2 },
  AC: { L: 0.77, H: 0.44 },
  PR: { N: 0.85, L: 0.62, H: 0.27 },
  UI: { N: 0.85, R: 0.62 },
  S: { U: 0, C: 1 },
  C: { H: 0.56, L: 0.22, N: 0 },
  I: { H: 0.56, L: 0.22, N: 0 },
  A: { H: 0.56, L: 0.22, N: 0 },
  E: { X: 1, H: 1, F: 0.97, P: 0.94, U: 0.91 },
  RL: { X: 1, U: 1, W: 0.97, T: 0.96, O: 0.95 },
  RC: { X: 1, C: 1, R: 0.96, U: 0.92 },
  CR: { X: 1, H: 1.5, M: 1, L: 0.5 },
  IR: { X: 1, H: 1.5, M: 1, L: 0.5 },
  AR: { X: 1, H: 1.5, M: 1, L: 0.5 },
} as const satisfies Record<string, Record<string, number>>
type Metric = keyof typeof weights
const base: readonly Metric[] = ['AV', 'AC', 'PR', 'UI', 'S', 'C', 'I', 'A']
const privilegesChanged: Record<string, number> = { N: 0.85, L: 0.68, H: 0.5 }

const scoreSchema = z.strictObject({
  score: z.number().describe('0 to 10'),
  severity: z.enum(['NONE', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL']).describe('Section 5'),
})
const requirement = z.enum(['H', 'M', 'L'])

/** CVSS v3.1 scores from a vector string: base, temporal, and environmental by where the installation stands. */
export const cvssScoring = skill({
  name: 'cvss-scoring',
  configuration: z.strictObject({
    /** How much confidentiality, integrity and availability matter here. */
    requirements: z.strictObject({ CR: requirement, IR: requirement, AR: requirement }),
    /** The closest from which an attacker reaches what is scored here. */
    reach: z.enum(['N', 'A', 'L', 'P']),
    /** Environmental scores from which the deadline holds, the shortest that fits counts. */
    deadlines: z
      .array(z.strictObject({ from: z.number().min(0).max(10), days: z.int().min(0).max(3650) }))
      .max(10),
  }),
  input: z.strictObject({
    vectors: z
      .array(
        z.strictObject({
          id: z.string().min(1).max(60).describe('As CVE-2014-0160'),
          vector: z.string().max(300).describe('As CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N'),
        }),
      )
      .min(1)
      .max(100)
      .describe('What was found'),
  }),
  output: z.strictObject({
    scores: z
      .array(
        z.strictObject({
          id: z.string().describe('As given'),
          base: scoreSchema.describe('Of the vulnerability in itself'),
          temporal: scoreSchema.describe('By exploits and remedies known'),
          environmental: scoreSchema.describe('As it stands here'),
          fixWithinDays: z.int().nullable().describe('Null where no deadline holds'),
        }),
      )
      .describe('Highest environmental score first'),
  }),
  run({ vectors }, { requirements, reach, deadlines }) {
    const scores = vectors.map(({ id, vector }) => {
      const metrics = metricsOf(id, vector)
      const here = environment(metrics, requirements, reach)
      const environmental = environmentalScore(here)
      const holding = deadlines.filter(({ from }) => environmental >= from).map(({ days }) => days)
      const scored = baseScore(metrics)
      return {
        id,
        base: graded(scored),
        temporal: graded(roundUp(scored * temporal(metrics))),
        environmental: graded(environmental),
        fixWithinDays: holding.length === 0 ? null : Math.min(...holding),
      }
    })
    return {
      scores: scores.toSorted(
        (a, b) =>
          b.environmental.score - a.environmental.score ||
          b.base.score - a.base.score ||
          (a.id < b.id ? -1 : 1),
      ),
    }
  },
})

type Metrics = Record<string, string>

function metricsOf(id: string, vector: string): Metrics {
  const wrong = (problem: string) => new Error(`vectors: ${id}: ${problem}`)
  const [version, ...parts] = vector.split('/')
  // 3.0 has the same base metrics and weights.
  if (version !== 'CVSS:3.1' && version !== 'CVSS:3.0') throw wrong('is no vector of CVSS 3.0 or 3.1')
  const metrics: Metrics = {}
  for (const part of parts) {
    const [name = '', value = ''] = part.split(':')
    const known = name.startsWith('M') ? name.slice(1) : name
    if (Object.hasOwn(metrics, name)) throw wrong(`${name} stands twice`)
    if (!Object.hasOwn(weights, known) || (name !== known && !base.includes(known as Metric)))
      throw wrong(`${name} is no metric`)
    const values: Record<string, number> = weights[known as Metric]
    if (!Object.hasOwn(values, value) && !(name !== known && value === 'X'))
      throw wrong(`${name} has no value ${value}`)
    metrics[name] = value
  }
  for (const name of base) if (!Object.hasOwn(metrics, name)) throw wrong(`${name} is missing`)
  return metrics
}

const weight = (metrics: Metrics, metric: Metric): number => {
  const values: Record<string, number> = weights[metric]
  return values[metrics[metric] ?? 'X'] ?? 1
}

const privileges = (metrics: Metrics) =>
  metrics.S === 'C' ? privilegesChanged[metrics.PR!]! : weight(metrics, 'PR')

const exploitability = (metrics: Metrics) =>
  8.22 * weight(metrics, 'AV') * weight(metrics, 'AC') * privileges(metrics) * weight(metrics, 'UI')

/** Section 7.1. */
function baseScore(metrics: Metrics): number {
  const loss = 1 - (1 - weight(metrics, 'C')) * (1 - weight(metrics, 'I')) * (1 - weight(metrics, 'A'))
  const changed = metrics.S === 'C'
  const impact = changed ? 7.52 * (loss - 0.029) - 3.25 * (loss - 0.02) ** 15 : 6.42 * loss
  if (impact <= 0) return 0
  return roundUp(Math.min((changed ? 1.08 : 1) * (impact + exploitability(metrics)), 10))
}

const temporal = (metrics: Metrics) => weight(metrics, 'E') * weight(metrics, 'RL') * weight(metrics, 'RC')

/** What the vector says of its own environment comes before what the installation says. */
function environment(metrics: Metrics, requirements: Metrics, reach: string): Metrics {
  const modified = Object.fromEntries(
    base.map((name) => {
      const own = metrics[`M${name}`]
      return [name, own === undefined || own === 'X' ? metrics[name]! : own]
    }),
  )
  const order = 'NALP'
  if (order.indexOf(reach) > order.indexOf(modified.AV!) && (metrics.MAV ?? 'X') === 'X') modified.AV = reach
  const required = ['CR', 'IR', 'AR'].map((name) => {
    const own = metrics[name]
    return [name, own === undefined || own === 'X' ? requirements[name]! : own]
  })
  return { ...metrics, ...modified, ...Object.fromEntries(required) }
}

/** Section 7.3. */
function environmentalScore(metrics: Metrics): number {
  const kept = (metric: Metric, required: Metric) => 1 - weight(metrics, metric) * weight(metrics, required)
  const loss = Math.min(1 - kept('C', 'CR') * kept('I', 'IR') * kept('A', 'AR'), 0.915)
  const changed = metrics.S === 'C'
  const impact = changed ? 7.52 * (loss - 0.029) - 3.25 * (loss * 0.9731 - 0.02) ** 13 : 6.42 * loss
  if (impact <= 0) return 0
  const whole = roundUp(Math.min((changed ? 1.08 : 1) * (impact + exploitability(metrics)), 10))
  return roundUp(whole * temporal(metrics))
}

/** Appendix A: up to one decimal, in whole numbers, so that 4.02 held as 4.0200000001 does not become 4.1 somewhere. */
function roundUp(value: number): number {
  const whole = Math.round(value * 100_000)
  return whole % 10_000 === 0 ? whole / 100_000 : (Math.floor(whole / 10_000) + 1) / 10
}

const graded = (score: number): z.input<typeof scoreSchema> => ({
  score: rounded(score, 1),
  severity: score === 0 ? 'NONE' : score < 4 ? 'LOW' : score < 7 ? 'MEDIUM' : score < 9 ? 'HIGH' : 'CRITICAL',
})
