import { isDeepStrictEqual } from 'node:util'
import { text } from '../../kit/arguments.ts'
import { badInput, conflict } from '../../kit/errors.ts'
import { record } from '../audit/store.ts'
import type { Context } from '../context.ts'
import { announceListing } from '../listing-change.ts'
import { ownListing } from '../own-listing.ts'
import type { UpdateListingPageInput } from '../schema.generated.ts'
import { type ListingRow, listingsById, newVersion } from '../store.ts'
import { webAddress } from './address.ts'
import { readMarkdown } from './markdown.ts'
import { lockPage, type PageChange, readmePrefix, updatePage } from './store.ts'

const mostReadmeBytes = 64 * 1024
const mostMedia = 12
const longestAlt = 500

/** Again changes nothing. */
export async function updateListingPage(
  input: UpdateListingPageInput,
  context: Context,
): Promise<ListingRow> {
  const { principal, mutate, traceparent, listings } = context
  const { id, organizationId } = await ownListing(context, text(input.listingId, 'input.listingId', 200))
  const change = readChange(input)
  await mutate(async (tx) => {
    const { revision, ...page } = await lockPage(tx, id)
    if (input.revision != null && input.revision !== revision)
      throw conflict(`the page of ${id} is at revision ${revision}: read it again, it was ${input.revision}`)
    const asked = { ...change, ...('readme' in change && { readme: change.readme?.markdown ?? null }) }
    const fields = Object.entries(asked).filter(
      ([name, value]) => !isDeepStrictEqual(value, page[name as keyof typeof page]),
    )
    if (fields.length === 0) return
    await updatePage(tx, id, change)
    await newVersion(tx, [id])
    const [row] = await listingsById(tx, [id])
    if (row) await announceListing(tx, 'UPDATED', row, traceparent)
    await record(tx, {
      organizationId,
      actor: principal.subject,
      action: 'listing.page',
      subject: id,
      details: { revision: revision + 1, fields: fields.map(([name]) => name) },
    })
  })
  for (const loader of [context.pages, context.readmes, listings]) loader.clear(id)
  return (await listings.load(id))!
}

/** What is given, and makes sense. */
function readChange(input: UpdateListingPageInput): PageChange {
  const { readme, media, homepage, repository, documentation } = input
  const address = (given: string | null, name: string) =>
    given === null ? null : webAddress(given, `input.${name}`)
  return {
    ...(readme !== undefined && {
      readme:
        readme === null
          ? null
          : readMarkdown(readme, 'input.readme', { mostBytes: mostReadmeBytes, idPrefix: readmePrefix }),
    }),
    ...(media !== undefined && { media: readMedia(media ?? []) }),
    ...(homepage !== undefined && { homepage: address(homepage, 'homepage') }),
    ...(repository !== undefined && { repository: address(repository, 'repository') }),
    ...(documentation !== undefined && { documentation: address(documentation, 'documentation') }),
  }
}

function readMedia(media: NonNullable<UpdateListingPageInput['media']>) {
  if (media.length > mostMedia)
    throw badInput(`there are ${media.length} media`, 'input.media', `at most ${mostMedia}`)
  return media.map(({ kind, url, alt }, index) => ({
    kind,
    url: webAddress(url, `input.media.${index}.url`),
    alt: text(alt, `input.media.${index}.alt`, longestAlt),
  }))
}
