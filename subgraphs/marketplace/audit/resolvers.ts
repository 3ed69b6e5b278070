import type { ChainEntry } from '../../kit/audit-chain.ts'
import { badInput, forbidden } from '../../kit/errors.ts'
import { connection, pageArgs } from '../../kit/page.ts'
import { isAdministrator, type Principal, requireOrganization } from '../../kit/principal.ts'
import type { Resolvers } from '../schema.generated.ts'
import { entriesAfter, headOf } from './store.ts'

export const resolvers: {
  Query: Pick<NonNullable<Resolvers['Query']>, 'auditLog' | 'auditHead'>
} = {
  Query: {
    async auditLog(_, args, { db, principal }) {
      const organization = administered(principal)
      const page = pageArgs(args, { max: 500, default: 50, size: 1 })
      if (page.after && !Number.isSafeInteger(page.after[0]))
        throw badInput('after is no cursor of this connection', 'after', 'a cursor of an earlier answer')
      const { rows, totalCount } = await entriesAfter(db, organization, page)
      return connection<ChainEntry>(rows, totalCount, page, ({ sequence }) => [sequence])
    },
    async auditHead(_, __, { db, principal, signAuditHead }) {
      const organization = administered(principal)
      return await signAuditHead(organization, await headOf(db, organization))
    },
  },
}

function administered(principal: Principal): string {
  const organization = requireOrganization(principal)
  if (!isAdministrator(principal)) throw forbidden('this is for administrators, with the scope org:admin')
  return organization
}
