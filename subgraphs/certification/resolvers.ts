import { z } from 'zod'
import { badInput, conflict, forbidden, notFound } from '../kit/errors.ts'
import { connection, pageArgs } from '../kit/page.ts'
import { requireOrganization, requireScope } from '../kit/principal.ts'
import { announceProgress } from './events.ts'
import type { Resolvers } from './schema.generated.ts'
import { certificationPage, requestCertification } from './store.ts'

const maxCertificateLength = 16 * 1024
const maxIdLength = 200

export const resolvers: Resolvers = {
  Query: {
    certification: async (_, { id }, { certifications }) =>
      isUuid(id) ? await certifications.load(id) : null,
    async certifications(_, args, { db }) {
      const page = pageArgs(args, { default: 20, size: 1 })
      if (page.after && !isUuid(page.after[0]))
        throw badInput('after is no cursor of this connection', 'after', 'a cursor of an earlier answer')
      const { agentId, ...filter } = args.filter ?? {}
      const { rows, totalCount } = await certificationPage(
        db,
        { ...filter, agentId: agentId == null ? null : text(agentId, 'filter.agentId') },
        page,
      )
      return connection(rows, totalCount, page, ({ id }) => [id])
    },
    certificateKeys: (_, __, { certificateKeys }) => certificateKeys(),
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
  },

  Certification: {
    __resolveReference: async ({ id }, { certifications }) =>
      isUuid(id) ? await certifications.load(id) : null,
    agent: ({ agentId }) => ({ __typename: 'Agent' as const, id: agentId }),
    gates: async ({ id }, _, { gates }) => await gates.load(id),
  },

  CertificationProgress: {
    async __resolveReference({ certificationId }, { certifications }) {
      const certification = isUuid(certificationId) ? await certifications.load(certificationId) : null
      if (!certification) return null
      return {
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

const isUuid = (value: unknown): value is string => z.guid().safeParse(value).success

/** Refuses what is empty, too long, or what Postgres can't store. */
function text(value: string, argument: string): string {
  if (value.length > 0 && value.length <= maxIdLength && !value.includes('\0')) return value
  throw badInput(`${argument} does not fit`, argument, `1 to ${maxIdLength} characters, no NUL`)
}
