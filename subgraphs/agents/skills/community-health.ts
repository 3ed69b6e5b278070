import { z } from 'zod'
import { skill } from './skill.ts'
import { median, rounded, sum } from './statistics.ts'

const memberSchema = z.strictObject({
  name: z.string().min(1).max(120).describe('Who'),
  contributions: z.int().min(0).max(1e6).describe('In the period'),
  joinedDaysAgo: z.number().min(0).max(36_500).describe('How long it has been here'),
  lastSeenDaysAgo: z.number().min(0).max(36_500).describe('Since it last did something'),
})
type Member = z.output<typeof memberSchema>

const measureNames = ['activity', 'retention', 'renewal', 'balance', 'absence', 'responsiveness'] as const
const configurationSchema = z.strictObject({
  weights: z.record(z.enum(measureNames), z.number().min(0).max(10)),
  activeDays: z.number().positive().max(366),
  newDays: z.number().positive().max(366),
  /** What earns full marks: the share of newcomers, the absence factor, the hours to a first answer. */
  goodRenewalShare: z.number().positive().max(1),
  goodAbsenceFactor: z.int().min(1).max(100),
  goodAnswerHours: z.number().positive().max(1000),
  concernBelow: z.number().min(0).max(100),
})
type Settings = z.output<typeof configurationSchema>
type Counted = { members: readonly Member[]; answerHours: readonly (number | null)[] }

/** How well a community keeps itself alive, in marks with their measures; the words are those of CHAOSS. */
export const communityHealth = skill({
  name: 'community-health',
  configuration: configurationSchema,
  input: z.strictObject({
    members: z.array(memberSchema).min(1).max(1000).describe('Contributors, also the silent ones'),
    answerHours: z
      .array(z.number().min(0).max(100_000).nullable())
      .max(2000)
      .describe('Of each question, the hours to its first answer; null without one'),
  }),
  output: z.strictObject({
    index: z.number().describe('0 to 100, weighted over the measures'),
    absenceFactor: z.int().describe('The fewest members who make half of all contributions'),
    measures: z
      .array(
        z.strictObject({
          measure: z.string().describe('What was looked at'),
          marks: z.number().describe('0 to 100'),
          seen: z.string().describe('In figures'),
        }),
      )
      .describe('The lowest marks first'),
    concerns: z.array(z.string()).describe('Measures with marks too low'),
  }),
  run(counted, settings) {
    const measures = measureNames
      .filter((measure) => settings.weights[measure] > 0)
      .map((measure) => {
        const { share, seen } = measured[measure](counted, settings)
        return { measure, marks: rounded(100 * Math.min(1, Math.max(0, share)), 1), seen }
      })
      .toSorted((a, b) => a.marks - b.marks)
    const weights = sum(measures.map(({ measure }) => settings.weights[measure]))
    const marks = sum(measures.map(({ measure, marks: own }) => own * settings.weights[measure]))
    return {
      index: rounded(weights === 0 ? 0 : marks / weights, 1),
      absenceFactor: absenceFactor(counted.members),
      measures,
      concerns: measures.filter((one) => one.marks < settings.concernBelow).map(({ measure }) => measure),
    }
  },
})

type Measured = { share: number; seen: string }

const measured: Record<(typeof measureNames)[number], (counted: Counted, settings: Settings) => Measured> = {
  activity: ({ members }, { activeDays }) =>
    among(
      members,
      ({ lastSeenDaysAgo }) => lastSeenDaysAgo <= activeDays,
      `active within ${activeDays} days`,
    ),

  retention: ({ members }, { activeDays, newDays }) =>
    among(
      members.filter(({ joinedDaysAgo }) => joinedDaysAgo > newDays),
      ({ lastSeenDaysAgo }) => lastSeenDaysAgo <= activeDays,
      'established members still active',
    ),

  renewal({ members }, { newDays, goodRenewalShare }) {
    const fresh = members.filter(
      ({ joinedDaysAgo, contributions }) => joinedDaysAgo <= newDays && contributions > 0,
    )
    return {
      share: fresh.length / members.length / goodRenewalShare,
      seen: `newcomers who contribute: ${fresh.length}`,
    }
  },

  balance({ members }) {
    const gini = giniOf(members.map(({ contributions }) => contributions))
    return { share: 1 - gini, seen: `Gini coefficient ${rounded(gini, 3)}` }
  },

  absence({ members }, { goodAbsenceFactor }) {
    const factor = absenceFactor(members)
    return {
      share: factor / goodAbsenceFactor,
      seen: `members who make half of all contributions: ${factor}`,
    }
  },

  responsiveness({ answerHours }, { goodAnswerHours }) {
    const answered = answerHours.filter((hours) => hours !== null)
    if (answerHours.length === 0) return { share: 1, seen: 'no questions' }
    if (answered.length === 0) return { share: 0, seen: `none of ${answerHours.length} answered` }
    const typical = median(answered)
    const seen = `${answered.length} of ${answerHours.length} answered, median ${rounded(typical, 1)} h`
    return { share: (answered.length / answerHours.length) * Math.min(1, goodAnswerHours / typical), seen }
  },
}

function among<T>(all: readonly T[], counts: (one: T) => boolean, what: string): Measured {
  const count = all.filter(counts).length
  return { share: all.length === 0 ? 1 : count / all.length, seen: `${count} of ${all.length} ${what}` }
}

function giniOf(values: readonly number[]): number {
  const total = sum(values)
  if (total === 0) return 0
  const sorted = values.toSorted((a, b) => a - b)
  const weighted = sum(sorted.map((value, index) => (index + 1) * value))
  return (2 * weighted) / (values.length * total) - (values.length + 1) / values.length
}

/** The CHAOSS contributor absence factor, once called bus factor; 0 while nobody contributes. */
function absenceFactor(members: readonly Member[]): number {
  const total = sum(members.map(({ contributions }) => contributions))
  let reached = 0
  let count = 0
  for (const { contributions } of members.toSorted((a, b) => b.contributions - a.contributions)) {
    if (reached * 2 >= total) break
    reached += contributions
    count++
  }
  return count
}
