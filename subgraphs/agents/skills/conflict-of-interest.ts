import { z } from 'zod'
import { skill } from './skill.ts'

const nameSchema = z.string().min(1).max(120)
const reviewerSchema = z.strictObject({
  name: nameSchema.describe('Who reviews'),
  organization: nameSchema.describe('Whom it belongs to'),
  vote: z.enum(['APPROVE', 'REJECT', 'ABSTAIN']).optional().describe('Left out while it has not voted'),
})
type Reviewer = z.output<typeof reviewerSchema>
const tieSchema = z.strictObject({
  kind: z.enum(['COLLABORATION', 'FUNDING', 'OWNERSHIP', 'REVIEW']).describe('REVIEW: a reviewed b'),
  a: nameSchema.describe('A reviewer or organization'),
  b: nameSchema.describe('Another one'),
  monthsAgo: z.number().min(0).max(600).describe('0 while it lasts'),
})
type Tie = z.output<typeof tieSchema>
const subjectSchema = z.strictObject({
  agent: nameSchema.describe('What is reviewed'),
  publisher: nameSchema.describe('The organization that owns it'),
  competitors: z.array(nameSchema).max(20).optional().describe('Organizations that offer the like'),
})
type Subject = z.output<typeof subjectSchema>
const verdictSchema = z.enum(['APPROVED', 'REJECTED', 'PENDING', 'NO_QUORUM'])
type Verdict = z.output<typeof verdictSchema>

/** Whether a review panel may decide: who has a stake is excused, the rest must be enough, of enough organizations. */
export const conflictOfInterest = skill({
  name: 'conflict-of-interest',
  configuration: z.strictObject({
    quorum: z.int().min(1).max(20),
    organizations: z.int().min(1).max(20),
    /** Share of approvals among votes that are no abstentions. */
    approvalShare: z.number().min(0).max(1),
    /** For how long after their end ties bind. */
    coolingMonths: z.strictObject({
      COLLABORATION: z.number().min(0).max(120),
      FUNDING: z.number().min(0).max(120),
      OWNERSHIP: z.number().min(0).max(120),
      REVIEW: z.number().min(0).max(120),
    }),
  }),
  input: z.strictObject({
    subject: subjectSchema.describe('What is reviewed'),
    panel: z.array(reviewerSchema).min(1).max(40).describe('Who was asked'),
    ties: z.array(tieSchema).max(200).optional().describe('Known relations'),
  }),
  output: z.strictObject({
    verdict: verdictSchema.describe('PENDING: votes are missing'),
    eligible: z.array(z.string()).describe('Reviewers who may vote'),
    excused: z
      .array(
        z.strictObject({
          reviewer: z.string().describe('Who may not'),
          reason: z.string().describe('Its stake'),
        }),
      )
      .describe('In the order of the panel'),
    organizations: z.int().describe('Of those who may'),
    stillNeeded: z.int().describe('Votes missing for the quorum'),
  }),
  run({ subject, panel, ties = [] }, { quorum, organizations, approvalShare, coolingMonths }) {
    const binding = ties.filter(({ kind, monthsAgo }) => monthsAgo === 0 || monthsAgo < coolingMonths[kind])
    const judged = panel.map((reviewer, index) => ({
      reviewer,
      reason: repeated(panel, index) ?? stakeOf(reviewer, subject, binding),
    }))
    const eligible = judged.filter(({ reason }) => reason === null).map(({ reviewer }) => reviewer)
    const voted = eligible.filter(({ vote }) => vote === 'APPROVE' || vote === 'REJECT')
    const voices = new Set(eligible.map(({ organization }) => organization)).size
    const enough = eligible.length >= quorum && voices >= organizations
    const decided =
      voted.length >= quorum && new Set(voted.map((one) => one.organization)).size >= organizations
    const approvals = voted.filter(({ vote }) => vote === 'APPROVE').length
    const verdict = (): Verdict => {
      if (!enough) return 'NO_QUORUM'
      if (!decided) return 'PENDING'
      return approvals / voted.length >= approvalShare ? 'APPROVED' : 'REJECTED'
    }
    return {
      verdict: verdict(),
      eligible: eligible.map(({ name }) => name),
      excused: judged.flatMap(({ reviewer, reason }) =>
        reason === null ? [] : [{ reviewer: reviewer.name, reason }],
      ),
      organizations: voices,
      stillNeeded: Math.max(0, quorum - voted.length),
    }
  },
})

const repeated = (panel: readonly Reviewer[], index: number): string | null =>
  panel.findIndex(({ name }) => name === panel[index]!.name) < index ? 'is on the panel already' : null

function stakeOf({ name, organization }: Reviewer, subject: Subject, ties: readonly Tie[]): string | null {
  const { agent, publisher, competitors = [] } = subject
  if (organization === publisher) return `belongs to ${publisher}, the publisher`
  if (competitors.includes(organization)) return `belongs to ${organization}, a competitor`
  const own = [name, organization]
  const theirs = [agent, publisher]
  for (const { kind, a, b } of ties) {
    if (kind === 'REVIEW') {
      // Only a favour that can be returned binds: the publisher reviewed them.
      if (theirs.includes(a) && own.includes(b)) return `was reviewed by ${a}`
    } else if ((own.includes(a) && theirs.includes(b)) || (theirs.includes(a) && own.includes(b)))
      return `${kind.toLowerCase()} between ${a} and ${b}`
  }
  return null
}
