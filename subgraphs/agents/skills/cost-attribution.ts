import { z } from 'zod'
import { skill } from './skill.ts'
import { largestRemainder, rounded, sum } from './statistics.ts'

/** Who bears how much of a common bill, by what each used; the parts sum to the bill, to the cent. */
export const costAttribution = skill({
  name: 'cost-attribution',
  configuration: z.strictObject({
    /** What the bill follows, and in which shares. */
    drivers: z.record(z.string().max(40), z.number().positive()),
    /** Shared out evenly before use is looked at. */
    fixedPercent: z.number().min(0).max(100),
  }),
  input: z.strictObject({
    cents: z.int().min(0).max(1e12).describe('The bill'),
    consumers: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(80).describe('Who used it'),
          use: z.record(z.string().max(40), z.number().min(0).max(1e15)).describe('How much, by driver'),
        }),
      )
      .min(1)
      .max(100)
      .describe('All who share the bill'),
  }),
  output: z.strictObject({
    shares: z
      .array(
        z.strictObject({
          name: z.string().describe('Who bears it'),
          cents: z.int().describe('How much'),
          percent: z.number().describe('Of the bill'),
        }),
      )
      .describe('Largest first'),
    drivers: z
      .record(z.string(), z.int())
      .describe('Cents that each driver shared out; one that nobody used shares none'),
  }),
  run({ cents, consumers }, { drivers, fixedPercent }) {
    const used = Object.entries(drivers).map(([driver, weight]) => {
      const uses = consumers.map((consumer) => consumer.use[driver] ?? 0)
      return { driver, uses, weight: sum(uses) > 0 ? weight : 0 }
    })
    const nobody = used.every(({ weight }) => weight === 0)
    const fixed = nobody ? cents : Math.round((cents * fixedPercent) / 100)
    const byDriver = largestRemainder(
      cents - fixed,
      used.map(({ weight }) => weight),
    )
    const parts = [
      largestRemainder(
        fixed,
        consumers.map(() => 1),
      ),
      ...used.map(({ uses }, index) => largestRemainder(byDriver[index]!, uses)),
    ]
    return {
      shares: consumers
        .map(({ name }, index) => ({ name, cents: sum(parts.map((part) => part[index]!)) }))
        .map(({ name, cents: own }) => ({
          name,
          cents: own,
          percent: cents === 0 ? 0 : rounded((100 * own) / cents, 2),
        }))
        .toSorted((a, b) => b.cents - a.cents),
      drivers: Object.fromEntries(used.map(({ driver }, index) => [driver, byDriver[index]!])),
    }
  },
})
