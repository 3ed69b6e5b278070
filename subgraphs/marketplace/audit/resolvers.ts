import type { ChainEntry } from '../../kit/audit-chain.ts'
import { connection, pageArgs, places } from '../../kit/page.ts'
import { requireAdministrator } from '../../kit/principal.ts'
import type { Resolvers } from '../schema.generated.ts'
import { entriesAfter, headOf } from './store.ts'

export const resolvers: {
  Query: Pick<NonNullable<Resolvers['Query']>, 'auditLog' | 'auditHead'>
} = {
  Query: {
    async auditLog(_, args, { db, principal }) {
      const organization = requireAdministrator(principal)
      const page = pageArgs(args, { max: 500, default: 50, place: places.bigint })
      const { rows, totalCount } = await entriesAfter(db, organization, page)
      return connection<ChainEntry>(rows, totalCount, page, ({ sequence }) => [sequence])
    },
    async auditHead(_, __, { db, principal, signAuditHead }) {
      const organization = requireAdministrator(principal)
      return await signAuditHead(organization, await headOf(db, organization))
    },
  },
}
