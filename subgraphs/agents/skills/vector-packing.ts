import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

type Need = Record<string, number>

/** As few bins as can be found for what has several sizes at once: first fit or best fit, largest first. */
export const vectorPacking = skill({
  name: 'vector-packing',
  configuration: z.strictObject({
    strategy: z.enum(['first-fit-decreasing', 'best-fit-decreasing']),
    /** What one bin holds, by dimension. */
    capacity: z.record(z.string().max(40), z.number().positive()),
  }),
  input: z.strictObject({
    items: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(60).describe('What is packed'),
          needs: z
            .record(z.string().max(40), z.number().min(0).max(1e9))
            .describe('Its size in every dimension'),
        }),
      )
      .min(1)
      .max(200)
      .describe('What must be packed'),
  }),
  output: z.strictObject({
    bins: z.array(z.array(z.string())).describe('What lies together'),
    lowerBound: z.int().describe('Fewer bins than that cannot do'),
    fill: z.record(z.string(), z.number()).describe('How full the bins are on average, by dimension'),
    tooLarge: z.array(z.string()).describe('What fits no bin'),
  }),
  run({ items }, { strategy, capacity }) {
    const dimensions = Object.keys(capacity)
    const share = (needs: Need) =>
      dimensions.map((dimension) => (needs[dimension] ?? 0) / capacity[dimension]!)
    const sized = items.map(({ name, needs }) => ({ name, shares: share(needs) }))
    const fitting = sized
      .filter(({ shares }) => Math.max(...shares) <= 1)
      .toSorted((a, b) => Math.max(...b.shares) - Math.max(...a.shares) || sum(b.shares) - sum(a.shares))

    const bins: { names: string[]; used: number[] }[] = []
    for (const { name, shares } of fitting) {
      const open = bins.filter(({ used }) => used.every((value, i) => value + shares[i]! <= 1 + 1e-9))
      const chosen =
        strategy === 'first-fit-decreasing' ? open[0] : open.toSorted((a, b) => sum(b.used) - sum(a.used))[0]
      const bin = chosen ?? { names: [], used: dimensions.map(() => 0) }
      if (!chosen) bins.push(bin)
      bin.names.push(name)
      bin.used = bin.used.map((value, i) => value + shares[i]!)
    }
    const volume = dimensions.map((_, i) => sum(fitting.map(({ shares }) => shares[i]!)))
    return {
      bins: bins.map((bin) => bin.names),
      lowerBound: Math.ceil(Math.max(0, ...volume) - 1e-9),
      fill: Object.fromEntries(
        dimensions.map((dimension, i) => [dimension, bins.length ? rounded(volume[i]! / bins.length, 3) : 0]),
      ),
      tooLarge: sized.filter(({ shares }) => Math.max(...shares) > 1).map(({ name }) => name),
    }
  },
})
