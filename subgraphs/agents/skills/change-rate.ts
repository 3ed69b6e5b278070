import { z } from 'zod'
import { type ReferenceType, referencePattern, referencesIn, timeToLiveSeconds } from './reference.ts'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

/** How often things change, from how often looks at them found a change, and how long a copy of them is good. */
export const changeRate = skill({
  name: 'change-rate',
  configuration: z.strictObject({
    /** A copy may be out of date with at most this probability when its time is over. */
    staleProbability: z.number().gt(0).lt(1),
    minSeconds: z.number().min(0),
    maxSeconds: z.number().positive(),
  }),
  input: z.strictObject({
    references: z
      .array(
        z
          .strictObject({
            reference: z.string().max(200).regex(referencePattern).describe('With its braces'),
            intervalSeconds: z.number().positive().max(1e9).describe('Between one look and the next'),
            looks: z.int().min(1).max(1e9).describe('How often it was looked at'),
            changes: z.int().min(0).max(1e9).describe('How many of the looks found it changed'),
          })
          .refine(({ looks, changes }) => changes <= looks, 'more changes than looks'),
      )
      .min(1)
      .max(100)
      .describe('What was seen'),
  }),
  output: z.strictObject({
    references: z
      .array(
        z.strictObject({
          reference: z.string().describe('As it was given'),
          changesPerHour: z.number().describe('Estimated, also those between two looks'),
          timeToLiveSeconds: z.number().describe('How long to keep a copy; 0 for not at all'),
          usualSeconds: z.number().describe('What its type gets without any look'),
          enoughLooks: z.boolean().describe('Whether the looks were close enough to tell'),
        }),
      )
      .describe('In the order of the request'),
  }),
  run({ references }, { staleProbability, minSeconds, maxSeconds }) {
    return {
      references: references.map(({ reference, intervalSeconds, looks, changes }) => {
        const type: ReferenceType = referencesIn(reference)[0]!.type
        // Cho and Garcia-Molina's estimator of a Poisson process (TOIT 2003): halves keep it finite when all looks differ.
        // What was never seen to change counts as half a change: never within so many looks is not never.
        const perInterval = -Math.log((looks - Math.max(changes, 0.5) + 0.5) / (looks + 0.5))
        const perSecond = perInterval / intervalSeconds
        const seconds =
          type === 'TEMPORAL' ? 0 : Math.min(maxSeconds, -Math.log(1 - staleProbability) / perSecond)
        return {
          reference,
          changesPerHour: rounded(perSecond * 3600, 3),
          timeToLiveSeconds: seconds < minSeconds ? 0 : Math.floor(seconds),
          usualSeconds: timeToLiveSeconds[type],
          enoughLooks: looks >= 10 && changes < looks,
        }
      }),
    }
  },
})
