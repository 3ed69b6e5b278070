import { randomBytes } from 'node:crypto'
import { text } from '../../kit/arguments.ts'
import { ClientError, conflict, notFound } from '../../kit/errors.ts'
import { connection, pageArgs, places } from '../../kit/page.ts'
import { isAdministrator, requireAdministrator } from '../../kit/principal.ts'
import { internally } from '../../kit/subgraph.ts'
import { isUuid } from '../../kit/uuid.ts'
import { record } from '../audit/store.ts'
import type { Context } from '../context.ts'
import type { Resolvers, VerificationStatus } from '../schema.generated.ts'
import { readDomain } from './domain.ts'
import { challengeOf } from './proof.ts'
import { acted, announceDomain, settle } from './settle.ts'
import {
  beginVerification,
  claimCheck,
  revokeVerification,
  type VerificationRow,
  verificationPage,
} from './store.ts'

const longestReason = 2_000

export const resolvers: Pick<Resolvers, 'PublisherVerification' | 'PublisherDomainChange'> & {
  Query: Pick<NonNullable<Resolvers['Query']>, 'publisherVerification' | 'publisherVerifications'>
  Mutation: Pick<
    NonNullable<Resolvers['Mutation']>,
    'startPublisherVerification' | 'checkPublisherVerification' | 'revokePublisherVerification'
  >
  Publisher: Pick<NonNullable<Resolvers['Publisher']>, 'verified' | 'domains'>
} = {
  Query: {
    async publisherVerification(_, { id }, { principal, verifications }) {
      requireAdministrator(principal)
      return isUuid(id) ? await verifications.load(id) : null
    },
    async publisherVerifications(_, args, { db, principal }) {
      const organizationId = requireAdministrator(principal)
      const page = pageArgs(args, { default: 20, place: places.id })
      const { rows, totalCount } = await verificationPage(db, organizationId, page)
      return connection(rows, totalCount, page, ({ id }) => [id])
    },
  },

  Mutation: {
    async startPublisherVerification(_, { input }, { principal, mutate }) {
      const organizationId = requireAdministrator(principal)
      const domain = readDomain(text(input.domain, 'input.domain', 1_000), 'input.domain')
      const { method } = input
      return await mutate(async (tx) => {
        const token = randomBytes(24).toString('base64url')
        const begun = await beginVerification(tx, organizationId, { domain, method, token })
        if (begun === 'BARRED') throw conflict(`a moderator has revoked ${domain}`)
        if (begun === 'TOO_MANY') throw conflict('your organization has 20 domains: revoke one first')
        const { row, isNew } = begun
        if (isNew) await record(tx, acted(row, principal.subject, 'publisher.begin'))
        return row
      })
    },

    async checkPublisherVerification(_, { id }, context) {
      const { principal, mutate, prove, recheckMs: periodMs, traceparent, verifications } = context
      const { domain, status, ...asked } = await own(context, id)
      if (!(await mutate((tx) => claimCheck(tx, id))))
        throw ['REVOKED', 'EXPIRED'].includes(status)
          ? conflict(`the verification of ${domain} is ${status}`)
          : new ClientError('UNAVAILABLE', `${domain} was checked a moment ago: try again in 5 seconds`)
      const problem = await prove({ ...asked, domain })
      const actor = principal.subject
      const row = await mutate((tx) => settle(tx, id, { problem, periodMs, actor, traceparent }))
      if (!row) throw conflict(`the verification of ${domain} was revoked meanwhile`)
      verifications.clear(id)
      return row
    },

    async revokePublisherVerification(_, { input }, context) {
      const { principal, isHome, mutate, traceparent, verifications } = context
      const { id } = input
      const reason = text(input.reason, 'input.reason', longestReason)
      const isModerator = isHome && principal.scopes.includes('marketplace:moderate')
      const isOwn = isUuid(id) && (await verifications.load(id)) !== null
      if (!isModerator || isOwn) await own(context, id)
      if (!isUuid(id)) throw notFound('verification', id)
      const revocation = { from: isOwn ? going : proven, reason, bar: !isOwn }
      return await mutate(async (tx) => {
        const revoked = await internally(tx, async () => {
          const row = await revokeVerification(tx, id, revocation)
          if (!row) return null
          await announceDomain(tx, row, traceparent)
          await record(tx, acted(row, principal.subject, 'publisher.revoke'))
          return row
        })
        if (!revoked) throw isOwn ? conflict(`the verification ${id} is over`) : notFound('verification', id)
        return revoked
      })
    },
  },

  PublisherVerification: {
    challenge: (row) => ({ token: row.token, ...challengeOf(row) }),
  },

  PublisherDomainChange: {
    // To administrators alone: members see what is proven, not how it came to be.
    async __resolveReference({ id }, { principal, verifications }) {
      const verification = isUuid(id) && isAdministrator(principal) ? await verifications.load(id) : null
      if (!verification) return null
      const { organizationId, domain, status, version, updatedAt: at } = verification
      return { id, publisher: { id: organizationId }, domain, status, verification, version, at }
    },
  },

  Publisher: {
    verified: async ({ id }, _, { domains }) => (await domains.load(id)).length > 0,
    domains: async ({ id }, _, { domains }) => await domains.load(id),
  },
}

const going: VerificationStatus[] = ['PENDING', 'VERIFIED', 'LAPSED']
const proven: VerificationStatus[] = ['VERIFIED']

/** The verification, where it is of the caller's organization. */
async function own({ principal, verifications }: Context, id: string): Promise<VerificationRow> {
  requireAdministrator(principal)
  const row = isUuid(id) ? await verifications.load(id) : null
  if (!row) throw notFound('verification', id)
  return row
}
