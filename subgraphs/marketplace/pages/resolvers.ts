import { connection, pageArgs, places } from '../../kit/page.ts'
import type { Resolvers } from '../schema.generated.ts'
import { titleOf, typeOf } from './category.ts'
import { setReleaseNotes, setVersionChannel } from './release.ts'
import { updateListingPage } from './update.ts'
import { notesOf } from './versions.ts'

type Of<
  Type extends 'Listing' | 'Category' | 'Mutation',
  Field extends keyof NonNullable<Resolvers[Type]>,
> = Pick<NonNullable<Resolvers[Type]>, Field>

export const resolvers: Pick<Resolvers, 'ListingVersion'> & {
  Mutation: Of<'Mutation', 'updateListingPage' | 'setVersionChannel' | 'setReleaseNotes'>
  Listing: Of<
    'Listing',
    'readme' | 'media' | 'homepage' | 'repository' | 'documentation' | 'pageRevision' | 'versions' | 'latest'
  >
  Category: Of<'Category', '__resolveReference' | 'title' | 'type'>
} = {
  Mutation: {
    updateListingPage: async (_, { input }, context) => await updateListingPage(input, context),
    setVersionChannel: async (_, { input }, context) => await setVersionChannel(input, context),
    setReleaseNotes: async (_, { input }, context) => await setReleaseNotes(input, context),
  },

  Listing: {
    readme: async ({ id }, _, { readmes }) => await readmes.load(id),
    media: async ({ id }, _, { pages }) => (await pages.load(id)).media,
    homepage: async ({ id }, _, { pages }) => (await pages.load(id)).homepage,
    repository: async ({ id }, _, { pages }) => (await pages.load(id)).repository,
    documentation: async ({ id }, _, { pages }) => (await pages.load(id)).documentation,
    pageRevision: async ({ id }, _, { pages }) => (await pages.load(id)).revision,
    async versions({ id }, args, { versions }) {
      const page = pageArgs(args, { default: 10, max: 50, place: places.timeAndName })
      const { rows, totalCount } = await versions.load({ id, page })
      return connection(rows, totalCount, page, (row) => [row.registeredAt.toISOString(), row.version])
    },
    latest: async ({ id }, { channel }, { latestVersions }) =>
      await latestVersions.load({ id, page: channel }),
  },

  ListingVersion: {
    releaseNotes: notesOf,
    changes: ({ listingId, version, previous }) =>
      previous === null
        ? null
        : { __typename: 'VersionChanges' as const, agentId: listingId, from: previous, to: version },
  },

  Category: {
    __resolveReference: ({ name }) => ({ name }),
    title: ({ name }) => titleOf(name),
    type: ({ name }) => typeOf(name),
  },
}
