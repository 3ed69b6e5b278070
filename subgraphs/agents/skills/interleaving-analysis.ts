import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const impressionSchema = z.strictObject({
  query: z.string().max(200).optional().describe('What was searched for'),
  shown: z
    .string()
    .regex(/^[AB]{1,50}$/)
    .max(50)
    .describe('For each place of the list, which ranking put the result there, as ABBA'),
  clicks: z.array(z.int().min(0).max(49)).max(50).describe('Places that were chosen, from 0'),
})
type Impression = z.output<typeof impressionSchema>
const verdictSchema = z.enum(['A', 'B', 'NEITHER', 'TOO_FEW'])
type Weighting = 'clicks' | 'first-click' | 'by-depth'

/** Which of two rankings users prefer, from one list that both filled: team-draft interleaving, after Radlinski et al. */
export const interleavingAnalysis = skill({
  name: 'interleaving-analysis',
  configuration: z.strictObject({
    /** clicks: all count alike. first-click: only the first. by-depth: a click further down was worth more to somebody. */
    weighting: z.enum(['clicks', 'first-click', 'by-depth']),
    significance: z.number().positive().max(0.5),
    minimumDecided: z.int().min(1).max(100_000),
  }),
  input: z.strictObject({
    impressions: z.array(impressionSchema).min(1).max(1000).describe('Lists that were shown'),
  }),
  output: z.strictObject({
    preferred: verdictSchema.describe('By the users'),
    winsA: z.int().describe('Lists on which A won'),
    winsB: z.int().describe('Lists on which B won'),
    ties: z.int().describe('Lists with a tie, or without a click'),
    advantageOfB: z.number().describe('-0.5 to 0.5; 0 where both are liked alike'),
    pValue: z.number().describe('Of the exact sign test'),
    worstForPreferred: z.array(z.string()).describe('Searches on which the other one won, at most 10'),
  }),
  run({ impressions }, { weighting, significance, minimumDecided }) {
    const margins = impressions.map((impression) => marginOfB(impression, weighting))
    const winsA = margins.filter((margin) => margin < 0).length
    const winsB = margins.filter((margin) => margin > 0).length
    const pValue = signTest(winsA, winsB)
    const liked = winsB > winsA ? 'B' : 'A'
    const verdict = (): z.output<typeof verdictSchema> => {
      if (winsA + winsB < minimumDecided) return 'TOO_FEW'
      return pValue < significance ? liked : 'NEITHER'
    }
    const lost = impressions.filter((_, index) => (liked === 'B' ? margins[index]! < 0 : margins[index]! > 0))
    const ties = impressions.length - winsA - winsB
    return {
      preferred: verdict(),
      winsA,
      winsB,
      ties,
      advantageOfB: rounded((winsB + ties / 2) / impressions.length - 0.5),
      pValue: rounded(pValue, 5),
      worstForPreferred: [
        ...new Set(lost.flatMap(({ query }) => (query === undefined ? [] : [query]))),
      ].slice(0, 10),
    }
  },
})

function marginOfB({ shown, clicks }: Impression, weighting: Weighting): number {
  const places = [...new Set(clicks)].filter((place) => place < shown.length)
  const counted = weighting === 'first-click' ? places.slice(0, 1) : places
  const worth = (place: number) => (weighting === 'by-depth' ? Math.log2(place + 2) : 1)
  return sum(counted.map((place) => (shown[place] === 'B' ? 1 : -1) * worth(place)))
}

/** Two-sided binomial with even chances; in logarithms, as 2^-1000 is no number. */
function signTest(a: number, b: number): number {
  const trials = a + b
  if (trials === 0) return 1
  let log = -trials * Math.LN2
  let tail = 0
  for (let k = 0; k <= Math.min(a, b); k++) {
    tail += Math.exp(log)
    log += Math.log(trials - k) - Math.log(k + 1)
  }
  return Math.min(1, 2 * tail)
}
