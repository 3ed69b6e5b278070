import { z } from 'zod'
import { skill } from './skill.ts'
import { median, rounded } from './statistics.ts'

const eventSchema = z.strictObject({
  subject: z.string().min(1).max(80).describe('Whose step it was'),
  step: z.string().min(1).max(60).describe('What happened'),
  hour: z.number().min(0).max(1e7).describe('When, in hours since any one moment'),
})
type Event = z.output<typeof eventSchema>

/** How many go on from step to step, in their order and in time, and where most are lost. */
export const funnelAnalysis = skill({
  name: 'funnel-analysis',
  configuration: z.strictObject({
    steps: z.array(z.string().min(1).max(60)).min(2).max(10),
    /** From the first step to any other; null for no limit. */
    withinHours: z.number().positive().nullable(),
  }),
  input: z.strictObject({
    events: z.array(eventSchema).min(1).max(1000).describe('In any order; other steps are passed over'),
  }),
  output: z.strictObject({
    steps: z
      .array(
        z.strictObject({
          step: z.string().describe('What happened'),
          reached: z.int().describe('How many got there'),
          percent: z.number().describe('Of those who reached the step before'),
        }),
      )
      .describe('In their order'),
    largestLoss: z.string().nullable().describe('The step that the most did not reach from the one before'),
    medianHours: z.number().nullable().describe('From first to last; null where nobody got there'),
  }),
  run({ events }, { steps, withinHours }) {
    const journeys = [...Map.groupBy(events, (event) => event.subject).values()].map((own) =>
      journey(own, steps, withinHours ?? Number.POSITIVE_INFINITY),
    )
    const reached = steps.map((_, index) => journeys.filter((hours) => hours.length > index).length)
    const losses = reached.slice(1).map((count, index) => reached[index]! - count)
    const largest = Math.max(...losses)
    const whole = journeys
      .filter((hours) => hours.length === steps.length)
      .map((hours) => hours.at(-1)! - hours[0]!)
    return {
      steps: steps.map((step, index) => {
        const before = index === 0 ? reached[0]! : reached[index - 1]!
        return {
          step,
          reached: reached[index]!,
          percent: before === 0 ? 0 : rounded((100 * reached[index]!) / before, 1),
        }
      }),
      largestLoss: largest > 0 ? steps[losses.indexOf(largest) + 1]! : null,
      medianHours: whole.length === 0 ? null : rounded(median(whole), 2),
    }
  },
})

/** When each step was first taken after the one before it. */
function journey(events: Event[], steps: string[], withinHours: number): number[] {
  const ordered = events.toSorted((a, b) => a.hour - b.hour)
  const hours: number[] = []
  for (const { step, hour } of ordered) {
    if (step !== steps[hours.length]) continue
    if (hours.length > 0 && hour - hours[0]! > withinHours) break
    hours.push(hour)
  }
  return hours
}
