import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const optionSchema = z.strictObject({
  name: z.string().min(1).max(100).describe('What could be done'),
  effort: z.number().positive().max(100_000).optional().describe('What it would take; 1 where left out'),
})
type Option = z.output<typeof optionSchema>
const ballotSchema = z.strictObject({
  voter: z.string().min(1).max(100).describe('Who votes; the last ballot of a voter counts'),
  votes: z
    .record(z.string().max(100), z.int().min(-100).max(100))
    .describe('Votes by option; n votes cost n × n credits, votes against are negative'),
})
type Ballot = z.output<typeof ballotSchema>

/** What a community wants most, by how strongly it is wanted: quadratic voting, after Lalley and Weyl. */
export const quadraticVoting = skill({
  name: 'quadratic-voting',
  configuration: z.strictObject({
    credits: z.int().min(1).max(10_000),
    against: z.enum(['allowed', 'ignored']),
    /** refused: a ballot that costs too much does not count. scaled: its votes shrink until it is paid for. */
    overspent: z.enum(['refused', 'scaled']),
  }),
  input: z.strictObject({
    options: z.array(optionSchema).min(1).max(60).describe('What is voted on'),
    ballots: z.array(ballotSchema).min(1).max(500).describe('In the order of time'),
    capacity: z.number().min(0).max(1_000_000).optional().describe('How much effort there is to give away'),
  }),
  output: z.strictObject({
    ranking: z
      .array(
        z.strictObject({
          option: z.string().describe('What could be done'),
          votes: z.number().describe('For less against'),
          supporters: z.int().describe('Voters for it'),
          opponents: z.int().describe('Voters against it'),
          chosen: z.boolean().describe('Fits into the capacity, and is wanted'),
        }),
      )
      .describe('Most wanted first'),
    counted: z.int().describe('Ballots that counted'),
    refused: z
      .array(
        z.strictObject({
          voter: z.string().describe('Whose ballot did not count'),
          reason: z.string().describe('Why'),
        }),
      )
      .describe('At most 50'),
  }),
  run({ options, ballots, capacity = Number.POSITIVE_INFINITY }, { credits, against, overspent }) {
    const last = [...new Map(ballots.map((ballot) => [ballot.voter, ballot])).values()]
    const judged = last.map((ballot) => ({ ballot, reason: faultOf(ballot, options, credits, overspent) }))
    const counted = judged
      .filter(({ reason }) => reason === null)
      .map(({ ballot }) => paidFor(ballot, credits))
    const ranking = options
      .map(({ name, effort = 1 }) => {
        const votes = counted
          .map((ballot) => ballot.get(name) ?? 0)
          .map((one) => (against === 'allowed' ? one : Math.max(0, one)))
        return {
          option: name,
          effort,
          votes: rounded(sum(votes), 3),
          supporters: votes.filter((one) => one > 0).length,
          opponents: votes.filter((one) => one < 0).length,
        }
      })
      .toSorted((a, b) => b.votes - a.votes || b.supporters - a.supporters || (a.option < b.option ? -1 : 1))
    let left = capacity
    return {
      ranking: ranking.map(({ effort, ...option }) => {
        const chosen = option.votes > 0 && effort <= left
        if (chosen) left -= effort
        return { ...option, chosen }
      }),
      counted: counted.length,
      refused: judged
        .flatMap(({ ballot, reason }) => (reason === null ? [] : [{ voter: ballot.voter, reason }]))
        .slice(0, 50),
    }
  },
})

const costOf = (votes: Record<string, number>) => sum(Object.values(votes).map((one) => one ** 2))

function faultOf({ votes }: Ballot, options: readonly Option[], credits: number, overspent: string) {
  const stray = Object.keys(votes).find((option) => !options.some(({ name }) => name === option))
  if (stray !== undefined) return `${stray} is none of the options`
  if (overspent === 'refused' && costOf(votes) > credits)
    return `costs ${costOf(votes)}, there are ${credits}`
  return null
}

/** The cost grows with the square, so votes shrink with the root. */
function paidFor({ votes }: Ballot, credits: number): Map<string, number> {
  const scale = Math.min(1, Math.sqrt(credits / Math.max(costOf(votes), 1)))
  return new Map(Object.entries(votes).map(([option, one]) => [option, one * scale]))
}
