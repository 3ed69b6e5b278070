import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const outageSchema = z.strictObject({
  from: z.iso.datetime().describe('When it began'),
  to: z.iso.datetime().describe('When it ended'),
  announced: z.boolean().optional().describe('Whether it was announced as maintenance'),
})
type Outage = z.output<typeof outageSchema>
type Span = [from: number, to: number]

/** Whether a service kept its promise over a period, and what its users are owed: downtime as a union of intervals. */
export const slaVerdict = skill({
  name: 'sla-verdict',
  configuration: z.strictObject({
    availabilityPercent: z.number().min(0).max(100),
    p95LatencyMs: z.number().positive().max(3_600_000),
    errorPercent: z.number().min(0).max(100),
    /** Announced maintenance counts as downtime beyond so many minutes in all. */
    maintenanceMinutes: z.number().min(0).max(100_000),
    /** From mild to severe: what users get back, in percent, where availability is below. */
    credits: z
      .array(z.strictObject({ below: z.number().min(0).max(100), percent: z.number().min(0).max(100) }))
      .max(10),
  }),
  input: z.strictObject({
    from: z.iso.datetime().describe('Beginning of the period'),
    to: z.iso.datetime().describe('Its end'),
    outages: z.array(outageSchema).max(500).describe('They may overlap and reach beyond the period'),
    p95LatencyMs: z.number().min(0).max(3_600_000).optional().describe('As measured'),
    calls: z.int().min(0).max(1e12).optional().describe('In the period'),
    failedCalls: z.int().min(0).max(1e12).optional().describe('Of these'),
  }),
  output: z.strictObject({
    kept: z.boolean().describe('Every clause that could be judged'),
    availabilityPercent: z.number().describe('Of the period'),
    downMinutes: z.number().describe('That count'),
    excusedMinutes: z.number().describe('Of announced maintenance'),
    creditPercent: z.number().describe('What users are owed'),
    clauses: z
      .array(
        z.strictObject({
          clause: z.string().describe('What was promised'),
          verdict: z.enum(['KEPT', 'BROKEN', 'NOT_MEASURED']).describe('Of this clause'),
          seen: z.string().describe('What was measured'),
        }),
      )
      .describe('Availability, latency, errors'),
  }),
  run({ from, to, outages, p95LatencyMs, calls, failedCalls }, configuration) {
    const period: Span = [Date.parse(from), Date.parse(to)]
    const minutes = (period[1] - period[0]) / 60_000
    if (minutes <= 0) throw new Error('to: is not after from')
    const down = minutesOf(outages, period)
    const unannounced = minutesOf(
      outages.filter(({ announced }) => announced !== true),
      period,
    )
    const excused = Math.min(down - unannounced, configuration.maintenanceMinutes)
    const counted = down - excused
    const availability = rounded(100 * (1 - counted / minutes), 4)
    const errors = calls === undefined || calls === 0 ? undefined : (100 * (failedCalls ?? 0)) / calls
    const clauses = [
      clause(
        `available ${configuration.availabilityPercent} %`,
        availability,
        '%',
        (seen) => seen >= configuration.availabilityPercent,
      ),
      clause(
        `p95 within ${configuration.p95LatencyMs} ms`,
        p95LatencyMs,
        'ms',
        (seen) => seen <= configuration.p95LatencyMs,
      ),
      clause(
        `at most ${configuration.errorPercent} % errors`,
        errors,
        '%',
        (seen) => seen <= configuration.errorPercent,
      ),
    ]
    return {
      kept: clauses.every(({ verdict }) => verdict !== 'BROKEN'),
      availabilityPercent: availability,
      downMinutes: rounded(counted, 2),
      excusedMinutes: rounded(excused, 2),
      creditPercent: Math.max(
        0,
        ...configuration.credits.filter(({ below }) => availability < below).map(({ percent }) => percent),
      ),
      clauses,
    }
  },
})

/** Overlapping outages count once. */
function minutesOf(outages: readonly Outage[], [start, end]: Span): number {
  const spans = outages
    .map(({ from, to }): Span => [Math.max(start, Date.parse(from)), Math.min(end, Date.parse(to))])
    .filter(([from, to]) => to > from)
    .toSorted((a, b) => a[0] - b[0])
  let reached = start
  return sum(
    spans.map(([from, to]) => {
      const added = Math.max(0, to - Math.max(from, reached))
      reached = Math.max(reached, to)
      return added / 60_000
    }),
  )
}

function clause(promise: string, seen: number | undefined, unit: string, keeps: (seen: number) => boolean) {
  if (seen === undefined) return { clause: promise, verdict: 'NOT_MEASURED' as const, seen: 'nothing' }
  return {
    clause: promise,
    verdict: keeps(seen) ? ('KEPT' as const) : ('BROKEN' as const),
    seen: `${rounded(seen, 4)} ${unit}`,
  }
}
