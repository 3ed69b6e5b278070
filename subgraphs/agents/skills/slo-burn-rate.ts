import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

const alertSchema = z.enum(['PAGE', 'TICKET', 'NONE'])
type Alert = z.output<typeof alertSchema>

/** How fast an error budget burns, and whether somebody must be woken: multi-window, multi-burn-rate alerts. */
export const sloBurnRate = skill({
  name: 'slo-burn-rate',
  configuration: z.strictObject({
    objective: z.number().min(0.5).max(0.99999),
    periodDays: z.number().min(1).max(90),
    /** Most severe first. It fires when the long and the short window both burn faster than `burnRate`. */
    alerts: z
      .array(
        z.strictObject({
          severity: z.enum(['PAGE', 'TICKET']),
          longMinutes: z.int().min(1),
          shortMinutes: z.int().min(1),
          burnRate: z.number().positive(),
        }),
      )
      .min(1)
      .max(6),
  }),
  input: z.strictObject({
    windows: z
      .array(
        z
          .strictObject({
            minutes: z.int().min(1).max(130_000).describe('Length of the window that ends now'),
            requests: z.int().min(0).max(1e12).describe('All requests in it'),
            bad: z.int().min(0).max(1e12).describe('Those that missed the objective'),
          })
          .refine((window) => window.bad <= window.requests, 'more bad requests than requests'),
      )
      .min(1)
      .max(12)
      .describe('What was counted over windows of several lengths'),
  }),
  output: z.strictObject({
    alert: alertSchema.describe('The most severe that fires'),
    burnRates: z
      .record(z.string(), z.number())
      .describe('By window in minutes; 1 uses up the budget in the period'),
    exhaustedInHours: z
      .number()
      .nullable()
      .describe('A full budget, at the rate of the longest window; null at rate 0'),
    notEvaluated: z.array(z.string()).describe('Alerts whose windows were not given'),
  }),
  run({ windows }, { objective, periodDays, alerts }) {
    const rates = new Map(
      windows.map(({ minutes, requests, bad }) => [
        minutes,
        requests === 0 ? 0 : bad / requests / (1 - objective),
      ]),
    )
    const known = alerts.filter((alert) => rates.has(alert.longMinutes) && rates.has(alert.shortMinutes))
    const firing = known.find(
      (alert) =>
        rates.get(alert.longMinutes)! >= alert.burnRate && rates.get(alert.shortMinutes)! >= alert.burnRate,
    )
    const longest = rates.get(Math.max(...rates.keys()))!
    const severity: Alert = firing?.severity ?? 'NONE'
    return {
      alert: severity,
      burnRates: Object.fromEntries([...rates].map(([minutes, rate]) => [String(minutes), rounded(rate, 2)])),
      exhaustedInHours: longest === 0 ? null : rounded((periodDays * 24) / longest, 1),
      notEvaluated: alerts
        .filter((alert) => !known.includes(alert))
        .map((alert) => `${alert.severity} ${alert.longMinutes}/${alert.shortMinutes} min`),
    }
  },
})
