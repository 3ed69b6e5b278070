import { z } from 'zod'
import { skill } from './skill.ts'

const voteSchema = z.strictObject({
  voter: z.string().min(1).max(80).describe('Who votes; the last vote of a voter counts'),
  organization: z.string().min(1).max(80).describe('Whom the voter belongs to'),
  choice: z.enum(['APPROVE', 'REJECT', 'ABSTAIN']).describe('The vote'),
})
type Vote = z.output<typeof voteSchema>

/** Decides a question by votes: quorum, threshold, who counts how, and the reason written out. */
export const voteArbitration = skill({
  name: 'vote-arbitration',
  configuration: z.strictObject({
    /** Share of the electorate that must have voted. */
    quorum: z.number().min(0).max(1),
    /** Share of the counted votes that must approve. */
    threshold: z.number().min(0).max(1),
    /** Whether the threshold must be passed and not only met. */
    strict: z.boolean(),
    /** organization: each has one vote, what most of its voters chose. */
    unit: z.enum(['voter', 'organization']),
    abstentions: z.enum(['counted', 'ignored']),
  }),
  input: z.strictObject({
    question: z.string().min(3).max(300).describe('What is decided'),
    electorate: z.int().min(1).max(10_000).describe('How many may vote, in the unit that counts'),
    votes: z.array(voteSchema).max(500).describe('In the order in which they came'),
  }),
  output: z.strictObject({
    decision: z.enum(['APPROVED', 'REJECTED', 'NO_QUORUM']).describe('The outcome'),
    tally: z
      .strictObject({
        approve: z.int().describe('For'),
        reject: z.int().describe('Against'),
        abstain: z.int().describe('Neither'),
      })
      .describe('Votes as counted'),
    reason: z.string().describe('How the outcome follows from the votes'),
  }),
  run({ question, electorate, votes }, { quorum, threshold, strict, unit, abstentions }) {
    const last = [...new Map(votes.map((vote) => [vote.voter, vote])).values()]
    const choices = unit === 'voter' ? last.map((vote) => vote.choice) : byOrganization(last)
    const count = (choice: Vote['choice']) => choices.filter((other) => other === choice).length
    const tally = { approve: count('APPROVE'), reject: count('REJECT'), abstain: count('ABSTAIN') }
    const needed = Math.ceil(quorum * electorate - 1e-9)
    if (choices.length < needed)
      return {
        decision: 'NO_QUORUM' as const,
        tally,
        reason: `"${question}" is open: ${choices.length} of ${electorate} ${unit}s voted, ${needed} are needed.`,
      }
    const counted = tally.approve + tally.reject + (abstentions === 'counted' ? tally.abstain : 0)
    const share = counted === 0 ? 0 : tally.approve / counted
    const approved = counted > 0 && (strict ? share > threshold : share >= threshold)
    const bar = `${strict ? 'more than' : 'at least'} ${percent(threshold)}`
    return {
      decision: approved ? ('APPROVED' as const) : ('REJECTED' as const),
      tally,
      reason: `"${question}" is ${approved ? 'approved' : 'rejected'}: ${tally.approve} of ${counted} counted ${unit}s approve (${percent(share)}), ${bar} is needed.`,
    }
  },
})

const percent = (share: number) => `${Number((share * 100).toFixed(1))} %`

/** An organization whose voters are split evenly abstains. */
function byOrganization(votes: Vote[]): Vote['choice'][] {
  return [...Map.groupBy(votes, (vote) => vote.organization).values()].map((own) => {
    const lead =
      own.filter((vote) => vote.choice === 'APPROVE').length -
      own.filter((vote) => vote.choice === 'REJECT').length
    return lead > 0 ? 'APPROVE' : lead < 0 ? 'REJECT' : 'ABSTAIN'
  })
}
