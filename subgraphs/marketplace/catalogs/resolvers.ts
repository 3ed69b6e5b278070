import type { Transaction } from '@community/infra/postgres.ts'
import { text } from '../../kit/arguments.ts'
import { badInput, conflict, notFound } from '../../kit/errors.ts'
import { connection, pageArgs, places } from '../../kit/page.ts'
import { type Principal, requireAdministrator } from '../../kit/principal.ts'
import { isUuid } from '../../kit/uuid.ts'
import { record } from '../audit/store.ts'
import type { Context } from '../context.ts'
import type { Resolvers } from '../schema.generated.ts'
import { listingsById } from '../store.ts'
import {
  type CatalogRow,
  catalogPage,
  deleteCatalog,
  deleteEntries,
  type EntryRow,
  entryCount,
  insertCatalog,
  insertEntries,
  isNamed,
  lockCatalog,
  lockCatalogs,
  updateCatalog,
} from './store.ts'

const most = { catalogs: 100, entries: 10_000, atOnce: 100 }
const longest = { name: 200, description: 2_000 }

export const resolvers: Pick<Resolvers, 'Catalog' | 'CatalogEntry'> & {
  Query: Pick<NonNullable<Resolvers['Query']>, 'catalog' | 'catalogs'>
  Mutation: Pick<
    NonNullable<Resolvers['Mutation']>,
    'createCatalog' | 'updateCatalog' | 'deleteCatalog' | 'addToCatalog' | 'removeFromCatalog'
  >
} = {
  Query: {
    catalog: async (_, { id }, { catalogs }) => (isUuid(id) ? await catalogs.load(id) : null),
    async catalogs(_, args, { db }) {
      const page = pageArgs(args, { default: 20, place: places.id })
      const { rows, totalCount } = await catalogPage(db, page)
      return connection(rows, totalCount, page, ({ id }) => [id])
    },
  },

  Mutation: {
    async createCatalog(_, { input }, { principal, mutate }) {
      const organizationId = requireAdministrator(principal)
      const described = {
        name: text(input.name, 'input.name', longest.name),
        description: input.description
          ? text(input.description, 'input.description', longest.description)
          : '',
        audience: input.audience ?? 'ORGANIZATION',
      }
      return await mutate(async (tx) => {
        const { count } = await lockCatalogs(tx, organizationId)
        if (count >= most.catalogs)
          throw conflict(`${organizationId} has ${count} catalogues, and there are at most ${most.catalogs}`)
        const made = await insertCatalog(tx, organizationId, described)
        if (!made) throw named(described.name)
        await record(tx, acted(principal, made, 'create', { ...described }))
        return made
      })
    },

    updateCatalog: async (_, { input }, context) =>
      await change(context, input.id, 'input.id', async (tx, row) => {
        const { name, description, audience } = input
        const described = {
          name: name == null ? row.name : text(name, 'input.name', longest.name),
          description: description
            ? text(description, 'input.description', longest.description)
            : description,
          audience: audience ?? row.audience,
        }
        const wanted = { ...row, ...described, description: described.description ?? row.description }
        if (await isNamed(tx, wanted)) throw named(wanted.name)
        const { id, name: to, description: said, audience: whose } = wanted
        if (to === row.name && said === row.description && whose === row.audience) return row
        const changed = await updateCatalog(tx, wanted)
        const details = { name: to, description: said, audience: whose }
        await record(tx, acted(context.principal, { ...row, id }, 'update', details))
        return changed
      }),

    deleteCatalog: async (_, { id }, context) =>
      await change(context, id, 'id', async (tx, row) => {
        await deleteCatalog(tx, row.id)
        await record(tx, acted(context.principal, row, 'delete', { name: row.name }))
        return row
      }),

    addToCatalog: async (_, { input }, context) =>
      await change(context, input.catalogId, 'input.catalogId', async (tx, row) => {
        const ids = listed(input.listingIds)
        const found = await listingsById(tx, ids)
        const absent = ids.find((_id, index) => found[index] === null)
        if (absent !== undefined) throw notFound('listing', absent)
        const added = await insertEntries(tx, row.id, ids)
        if ((await entryCount(tx, row.id)) > most.entries)
          throw conflict(`a catalogue has at most ${most.entries} entries`)
        return await changed(context.principal, tx, row, 'add', added)
      }),

    // Of what is in it no more is said than that it is not any more: it may be hidden by now.
    removeFromCatalog: async (_, { input }, context) =>
      await change(context, input.catalogId, 'input.catalogId', async (tx, row) => {
        const removed = await deleteEntries(tx, row.id, listed(input.listingIds))
        return await changed(context.principal, tx, row, 'remove', removed)
      }),
  },

  Catalog: {
    __resolveReference: async ({ id }, { catalogs }) => (isUuid(id) ? await catalogs.load(id) : null),
    organization: ({ organizationId }) => ({ __typename: 'Organization' as const, id: organizationId }),
    async entries({ id }, args, { catalogEntries }) {
      const page = pageArgs(args, { default: 20, place: places.timeAndName })
      const { rows, totalCount } = await catalogEntries.load({ id, page })
      return connection<EntryRow>(rows, totalCount, page, ({ addedAt, listingId }) => [
        addedAt.toISOString(),
        listingId,
      ])
    },
  },

  CatalogEntry: {
    listing: async ({ listingId }, _, { listings }) => await listings.load(listingId),
  },
}

const named = (name: string) => conflict(`there is a catalogue ${name} already: take another name`)

/** A change of a catalogue of the caller's organization; of others there is none to be changed. */
async function change(
  { principal, mutate, catalogs }: Context,
  id: string,
  argument: string,
  fn: (tx: Transaction, row: CatalogRow) => Promise<CatalogRow>,
): Promise<CatalogRow> {
  const organizationId = requireAdministrator(principal)
  const given = text(id, argument, 200)
  const row = await mutate(async (tx) => {
    const found = isUuid(given) ? await lockCatalog(tx, given) : null
    if (!found || found.organizationId !== organizationId) throw notFound('catalogue', given)
    return await fn(tx, found)
  })
  catalogs.clear(row.id)
  return row
}

/** The next version, where that has changed anything. */
async function changed(
  principal: Principal,
  tx: Transaction,
  row: CatalogRow,
  act: 'add' | 'remove',
  listingIds: string[],
): Promise<CatalogRow> {
  if (listingIds.length === 0) return row
  const next = await updateCatalog(tx, row)
  await record(tx, acted(principal, row, act, { listingIds }))
  return next
}

function listed(ids: readonly string[]): string[] {
  if (ids.length < 1 || ids.length > most.atOnce)
    throw badInput(`${ids.length} listings were given`, 'input.listingIds', `1 to ${most.atOnce}`)
  return [...new Set(ids.map((id, index) => text(id, `input.listingIds.${index}`, 200)))]
}

const acted = (
  { subject: actor }: Principal,
  { id, organizationId }: CatalogRow,
  act: string,
  details: Record<string, unknown>,
) => ({ organizationId, actor, action: `catalog.${act}`, subject: id, details })
