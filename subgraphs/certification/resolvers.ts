import { text } from '../kit/arguments.ts'
import { badInput, conflict, forbidden, notFound } from '../kit/errors.ts'
import { connection, pageArgs, places } from '../kit/page.ts'
import { type Principal, requireOrganization, requireScope } from '../kit/principal.ts'
import { internally } from '../kit/subgraph.ts'
import { isUuid } from '../kit/uuid.ts'
import type { Context } from './context.ts'
import { announceProgress } from './events.ts'
import { renew } from './renew.ts'
import { takeAnswer } from './reviews/review.ts'
import { type Answer, reviewRequests } from './reviews/store.ts'
import { revoke } from './revoke.ts'
import type { Resolvers } from './schema.generated.ts'
import { type CertificationRow, certificationPage, requestCertification } from './store.ts'

const maxCertificateLength = 16 * 1024
const maxReasonLength = 2_000
const maxCommentLength = 5_000

export const resolvers: Resolvers = {
  Query: {
    certification: async (_, { id }, { certifications }) =>
      isUuid(id) ? await certifications.load(id) : null,
    async certifications(_, args, { db }) {
      const page = pageArgs(args, { default: 20, place: places.id })
      const { agentId, ...filter } = args.filter ?? {}
      const { rows, totalCount } = await certificationPage(
        db,
        { ...filter, agentId: agentId == null ? null : text(agentId, 'filter.agentId') },
        page,
      )
      return connection(rows, totalCount, page, ({ id }) => [id])
    },
    certificateKeys: (_, __, { certificateKeys }) => certificateKeys(),
    certificateRevocations: async (_, __, { revocations }) => await revocations(),
    async reviewRequests(_, args, { db, principal }) {
      const organization = requireOrganization(principal)
      const page = pageArgs(args, { default: 20, place: places.serial })
      const { rows, totalCount } = await reviewRequests(db, organization, args.open ?? true, page)
      return connection(rows, totalCount, page, ({ place }) => [place])
    },
    async verifyCertificate(_, { certificate }, { verify, certifications }) {
      if (certificate.length > maxCertificateLength)
        throw badInput(
          'the certificate is too long',
          'certificate',
          `at most ${maxCertificateLength} characters`,
        )
      const { certificationId, reason } = await verify(certificate)
      const certification = certificationId === null ? null : await certifications.load(certificationId)
      return { valid: reason === null, reason, certification }
    },
  },

  Mutation: {
    async requestCertification(_, args, { principal, agent, mutate, traceparent }) {
      requireScope(principal, 'certification:request')
      const organization = requireOrganization(principal)
      const agentId = text(args.agentId, 'agentId')
      const found = await agent(agentId)
      if (!found) throw notFound('agent', agentId)
      const { organizationId, visibility, status } = found
      if (organizationId !== organization) throw forbidden(`${agentId} belongs to another organization`)
      if (status === 'RETIRED') throw conflict(`${agentId} is retired`)
      return await mutate(async (tx) => {
        const { row, created } = await requestCertification(tx, {
          agentId,
          organizationId,
          visibility,
          level: args.level,
          requestedBy: principal.subject,
        })
        if (created) await announceProgress(tx, row, null, traceparent)
        return row
      })
    },

    async renewCertification(_, { id }, { principal, certifications, mutate, traceparent }) {
      requireScope(principal, 'certification:request')
      const row = await own(principal, id, certifications)
      if (row.status !== 'CERTIFIED') throw conflict(`the certification ${id} is ${row.status}`)
      return await mutate((tx) => renew(tx, row, principal.subject, traceparent))
    },

    async revokeCertification(_, { input }, { principal, isHome, certifications, mutate, traceparent }) {
      const reason = text(input.reason, 'input.reason', maxReasonLength)
      if (!(isHome && principal.scopes.includes('certification:revoke'))) {
        requireScope(principal, 'certification:request')
        await own(principal, input.id, certifications)
      }
      const row = isUuid(input.id) ? await certifications.load(input.id) : null
      if (!row) throw notFound('certification', input.id)
      return await mutate(async (tx) => {
        const revoked = await internally(tx, () => revoke(tx, row.id, [reason]))
        if (!revoked) throw conflict(`the certification ${row.id} has no certificate in force`)
        await announceProgress(tx, revoked, null, traceparent)
        return revoked
      })
    },

    submitReview: async (_, { input }, context) =>
      await answerReview(context, input.certificationId, {
        verdict: input.verdict,
        comment: text(input.comment, 'input.comment', maxCommentLength),
      }),

    declineReview: async (_, { input }, context) =>
      await answerReview(context, input.certificationId, {
        declined: text(input.reason, 'input.reason', maxReasonLength),
      }),
  },

  Certification: {
    __resolveReference: async ({ id }, { certifications }) =>
      isUuid(id) ? await certifications.load(id) : null,
    agent: ({ agentId }) => ({ __typename: 'Agent' as const, id: agentId }),
    gates: async ({ id }, _, { gates }) => await gates.load(id),
    reviews: async ({ id }, _, { reviews }) => await reviews.load(id),
    renews: async ({ renews }, _, { certifications }) =>
      renews === null ? null : await certifications.load(renews),
  },

  ReviewRequest: {
    certification: async ({ certificationId }, _, { certifications }) =>
      (await certifications.load(certificationId))!,
  },

  CertificationProgress: {
    async __resolveReference(reference, { certifications }) {
      const certificationId = 'id' in reference ? reference.id : reference.certificationId
      const certification = isUuid(certificationId) ? await certifications.load(certificationId) : null
      if (!certification) return null
      return {
        id: certificationId,
        certificationId,
        certification,
        gate: null,
        version: certification.version,
        at: certification.updatedAt,
      }
    },
  },

  Agent: {
    __resolveReference: ({ id }) => ({ id }),
    certification: async ({ id }, _, { ofAgents }) => await ofAgents.load(id),
  },

  Listing: {
    __resolveReference: (reference) => reference,
    certification: async ({ agentId }, _, { ofAgents }) =>
      agentId == null ? null : await ofAgents.load(agentId),
  },
}

/** The certification, where it is of an agent of the caller's organization. */
async function own(
  principal: Principal,
  id: string,
  certifications: Context['certifications'],
): Promise<CertificationRow> {
  const organization = requireOrganization(principal)
  const row = isUuid(id) ? await certifications.load(id) : null
  if (!row) throw notFound('certification', id)
  if (row.organizationId !== organization) throw forbidden(`${row.agentId} belongs to another organization`)
  return row
}

async function answerReview(
  { principal, certifications, mutate, traceparent }: Context,
  certificationId: string,
  given: Answer,
): Promise<CertificationRow> {
  requireScope(principal, 'certification:review')
  const by = { organizationId: requireOrganization(principal), subject: principal.subject }
  const notAsked = notFound('open review request for', certificationId)
  // Who was drawn may not see the agent any more: then there is nothing to be said of it, nor to be learnt.
  if (!isUuid(certificationId) || !(await certifications.load(certificationId))) throw notAsked
  return await mutate(async (tx) => {
    const row = await internally(tx, () => takeAnswer(tx, certificationId, by, given))
    if (row === 'NOT_ASKED') throw notAsked
    if (row === 'OVER') throw conflict(`the review of ${certificationId} is over`)
    await announceProgress(tx, row, null, traceparent)
    return row
  })
}

/** Refuses what is empty, too long, or what Postgres can't store. */
