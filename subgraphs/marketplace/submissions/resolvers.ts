import { text } from '../../kit/arguments.ts'
import { conflict, forbidden, notFound } from '../../kit/errors.ts'
import { connection, pageArgs, places } from '../../kit/page.ts'
import { type Principal, requireOrganization, requireScope } from '../../kit/principal.ts'
import { internally } from '../../kit/subgraph.ts'
import { isUuid } from '../../kit/uuid.ts'
import { record } from '../audit/store.ts'
import type { Context } from '../context.ts'
import type { Resolvers, SubmissionStatus } from '../schema.generated.ts'
import { upsertFacts } from '../store.ts'
import { announceSubmission } from './announce.ts'
import { insertSubmission, move, type SubmissionRow, submissionPage } from './store.ts'

const longestReason = 2_000
const open: SubmissionStatus[] = ['DRAFT', 'SUBMITTED', 'CERTIFYING', 'IN_REVIEW', 'CHANGES_REQUESTED']

export const resolvers: Pick<Resolvers, 'Submission' | 'SubmissionChange'> & {
  Query: Pick<NonNullable<Resolvers['Query']>, 'submission' | 'submissions'>
  Mutation: Pick<
    NonNullable<Resolvers['Mutation']>,
    'createSubmission' | 'submitSubmission' | 'withdrawSubmission' | 'moderateSubmission'
  >
} = {
  Query: {
    submission: async (_, { id }, { submissions }) => (isUuid(id) ? await submissions.load(id) : null),
    async submissions(_, args, { db }) {
      const page = pageArgs(args, { default: 20, place: places.id })
      const { agentId, status } = args.filter ?? {}
      const filter = { agentId: agentId == null ? null : text(agentId, 'filter.agentId', 200), status }
      const { rows, totalCount } = await submissionPage(db, { ...filter, status: status ?? null }, page)
      return connection(rows, totalCount, page, ({ id }) => [id])
    },
  },

  Mutation: {
    async createSubmission(_, { input }, { principal, facts, mutate, traceparent }) {
      requireScope(principal, 'marketplace:write')
      const organizationId = requireOrganization(principal)
      const agentId = text(input.agentId, 'input.agentId', 200)
      const found = await facts(agentId)
      if (!found) throw notFound('agent', agentId)
      if (found.organizationId !== organizationId)
        throw forbidden(`${agentId} belongs to another organization`)
      if (found.retired) throw conflict(`${agentId} is retired`)
      return await mutate(async (tx) => {
        await internally(tx, () => upsertFacts(tx, found))
        const made = await insertSubmission(tx, { agentId, organizationId, level: input.level ?? 'BRONZE' })
        if (!made) throw conflict(`${agentId} has an open submission: go on with that, or withdraw it`)
        const row = await move(tx, made.id, ['DRAFT'], 'DRAFT', { by: principal.subject })
        await announceSubmission(tx, row!, traceparent)
        await record(tx, { ...acted(principal, row!), action: 'submission.draft' })
        return row!
      })
    },

    submitSubmission: async (_, { id }, context) =>
      await moveOwn(context, id, ['DRAFT', 'CHANGES_REQUESTED'], 'SUBMITTED', null),

    withdrawSubmission: async (_, { input }, context) =>
      await moveOwn(context, input.id, open, 'WITHDRAWN', text(input.reason, 'input.reason', longestReason)),

    async moderateSubmission(_, { input }, { principal, isHome, mutate, traceparent }) {
      requireScope(principal, 'marketplace:moderate')
      if (!isHome) throw forbidden('this is for the home organization')
      const why = text(input.reason, 'input.reason', longestReason)
      const { id } = input
      if (!isUuid(id)) throw notFound('submission', id)
      return await mutate(async (tx) => {
        const moved = await internally(tx, async () => {
          const row = await move(tx, id, open, input.verdict, { by: principal.subject, why })
          if (!row) return null
          await announceSubmission(tx, row, traceparent)
          const act = { ...acted(principal, row), details: { agentId: row.agentId, why } }
          await record(tx, { ...act, action: `submission.${input.verdict.toLowerCase()}` })
          return row
        })
        if (!moved) throw conflict(`there is no submission ${id} that is open`)
        return moved
      })
    },
  },

  Submission: {
    __resolveReference: async ({ id }, { submissions }) => (isUuid(id) ? await submissions.load(id) : null),
    agent: ({ agentId }) => ({ __typename: 'Agent' as const, id: agentId }),
    certification: ({ certificationId }) =>
      certificationId === null ? null : { __typename: 'Certification' as const, id: certificationId },
    steps: async ({ id }, _, { submissionSteps }) => await submissionSteps.load(id),
  },

  SubmissionChange: {
    async __resolveReference({ id }, { submissions }) {
      const submission = isUuid(id) ? await submissions.load(id) : null
      return submission && { id, submission, version: submission.version, at: submission.updatedAt }
    },
  },
}

/** A change by the owner. */
async function moveOwn(
  { principal, submissions, mutate, traceparent }: Context,
  id: string,
  from: readonly SubmissionStatus[],
  to: SubmissionStatus,
  why: string | null,
): Promise<SubmissionRow> {
  requireScope(principal, 'marketplace:write')
  const organization = requireOrganization(principal)
  const row = isUuid(id) ? await submissions.load(id) : null
  if (!row || row.organizationId !== organization) throw notFound('submission', id)
  return await mutate(async (tx) => {
    const moved = await move(tx, id, from, to, { by: principal.subject, why })
    if (!moved) throw conflict(`the submission ${id} is not ${from.join(' or ')} (any more)`)
    await announceSubmission(tx, moved, traceparent)
    await record(tx, { ...acted(principal, moved), action: `submission.${to.toLowerCase()}` })
    return moved
  })
}

const acted = ({ subject: actor }: Principal, { id, agentId, organizationId }: SubmissionRow) => ({
  organizationId,
  actor,
  subject: id,
  details: { agentId },
})
