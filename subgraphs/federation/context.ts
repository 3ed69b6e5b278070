import type { Transaction } from '@community/infra/postgres.ts'
import DataLoader from 'dataloader'
import type { Page, Slice } from '../kit/page.ts'
import { type PageLoader, pageLoader } from '../kit/page-loader.ts'
import { isAdministrator, requireAdministrator } from '../kit/principal.ts'
import type { Floor, RequestContext } from '../kit/subgraph.ts'
import { announceOrganization } from './events.ts'
import {
  agentSlices,
  insertOrganization,
  type MemberRow,
  memberSlices,
  type OrganizationRow,
  type OwnedAgentRow,
  organizationsById,
  partnersOf,
  updateOrganization,
  upsertMember,
} from './store.ts'

export type Context = RequestContext & {
  organizations: DataLoader<string, OrganizationRow | null>
  partners: DataLoader<string, string[]>
  members: PageLoader<Slice<MemberRow>>
  agents: PageLoader<Slice<OwnedAgentRow>>
  /** Makes the caller's organization known, where its administrator uses it for the first time. */
  admit: () => Promise<void>
  /** Changes the caller's organization and tells of it where `change` says that something is different. */
  change: (change: OrganizationChange) => Promise<OrganizationRow>
}

type OrganizationChange = (
  tx: Transaction,
  organizationId: string,
) => Promise<boolean | { name?: string | undefined; description?: string | undefined }>

export function createContext(base: RequestContext, floor: Floor): Context {
  const { principal, db, mutate, traceparent } = base
  // Where an external issuer says who is who, an organization is created by `updateOrganization` and not in passing.
  const admitted = floor.keys.issuer !== null && isAdministrator(principal)
  let admission: Promise<void> | null = null
  const admit = () => (admission ??= admitted ? admitCaller(base) : Promise.resolve())

  const organizations = new DataLoader<string, OrganizationRow | null>(async (ids) => {
    await admit()
    return await organizationsById(db, ids)
  })
  const partners = new DataLoader<string, string[]>((ids) => partnersOf(db, ids))
  const members = pageLoader((ids, page: Page) => memberSlices(db, ids, page))
  const agents = pageLoader((ids, page: Page) => agentSlices(db, ids, page))

  return {
    ...base,
    organizations,
    partners,
    members,
    agents,
    admit,
    async change(change) {
      const id = requireAdministrator(principal)
      await mutate(async (tx) => {
        await createWithAdministrator(tx, id, principal.subject, traceparent)
        const changed = await change(tx, id)
        if (changed === false) return
        const row = await updateOrganization(tx, id, changed === true ? {} : changed)
        if (row) await announceOrganization(tx, row, traceparent)
      })
      partners.clear(id)
      members.clearAll()
      const row = await organizations.clear(id).load(id)
      if (!row) throw new Error(`the organization ${id} is gone`)
      return row
    },
  }
}

async function admitCaller({ principal, db, mutate, traceparent }: RequestContext): Promise<void> {
  const id = principal.organization
  if (id === null) return
  const [known] = await organizationsById(db, [id])
  if (!known) await mutate((tx) => createWithAdministrator(tx, id, principal.subject, traceparent))
}

async function createWithAdministrator(
  tx: Transaction,
  id: string,
  subject: string,
  traceparent: string | undefined,
): Promise<void> {
  const created = await insertOrganization(tx, { id, name: id, home: false })
  if (!created) return
  await upsertMember(tx, id, subject, 'ADMIN')
  await announceOrganization(tx, created, traceparent)
}
