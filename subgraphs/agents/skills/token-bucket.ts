import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

/** What a rate limit does to given traffic: a token bucket that refuses, or makes wait. */
export const tokenBucket = skill({
  name: 'token-bucket',
  configuration: z.strictObject({
    ratePerSecond: z.number().positive().max(100_000),
    burst: z.number().positive().max(1_000_000),
    excess: z.enum(['refuse', 'delay']),
    /** A request that would have to wait longer is refused. */
    maxDelaySeconds: z.number().min(0).max(3600),
  }),
  input: z.strictObject({
    requests: z
      .array(
        z.strictObject({
          at: z.number().min(0).max(1e7).describe('Seconds since the beginning'),
          cost: z.number().positive().max(1e6).describe('What it takes from the bucket'),
        }),
      )
      .min(1)
      .max(300)
      .describe('In any order'),
  }),
  output: z.strictObject({
    admitted: z.int().describe('Requests let through, at once or later'),
    refused: z.int().describe('Requests turned away'),
    waits: z
      .array(z.number().nullable())
      .describe('Seconds each waits, in order of time; null where refused'),
    left: z.number().describe('In the bucket after the last request; negative while requests wait'),
  }),
  run({ requests }, { ratePerSecond, burst, excess, maxDelaySeconds }) {
    let tokens = burst
    let last = 0
    const waits = requests
      .toSorted((a, b) => a.at - b.at)
      .map(({ at, cost }) => {
        tokens = Math.min(burst, tokens + (at - last) * ratePerSecond)
        last = at
        const wait = tokens >= cost ? 0 : (cost - tokens) / ratePerSecond
        if (cost > burst || (wait > 0 && (excess === 'refuse' || wait > maxDelaySeconds))) return null
        tokens -= cost
        return rounded(wait, 3)
      })
    const refused = waits.filter((wait) => wait === null).length
    return { admitted: waits.length - refused, refused, waits, left: rounded(tokens, 3) }
  },
})
