import type { Transaction } from '@community/infra/postgres.ts'
import { text } from '../../kit/arguments.ts'
import { badInput, notFound } from '../../kit/errors.ts'
import { record } from '../audit/store.ts'
import type { Context } from '../context.ts'
import { announceListing } from '../listing-change.ts'
import { ownListing } from '../own-listing.ts'
import type { SetReleaseNotesInput, SetVersionChannelInput } from '../schema.generated.ts'
import { listingsById, newVersion } from '../store.ts'
import { readMarkdown } from './markdown.ts'
import { notesPrefix, setChannel, setNotes, type VersionRow, versionOf } from './versions.ts'

const mostNotesBytes = 16 * 1024
const longestReason = 2_000

export async function setVersionChannel(
  input: SetVersionChannelInput,
  context: Context,
): Promise<VersionRow> {
  const channel = input.channel ?? null
  const because = channel === 'YANKED' ? text(input.reason ?? '', 'input.reason', longestReason) : null
  if (because === null && input.reason != null)
    throw badInput('a reason is for a version that is yanked', 'input.reason', 'null, or the channel YANKED')
  return await change(input, context, {
    action: 'version.channel',
    details: { channel, ...(because !== null && { because }) },
    set: (tx, id, version) => setChannel(tx, id, version, { channel, because }),
  })
}

export async function setReleaseNotes(input: SetReleaseNotesInput, context: Context): Promise<VersionRow> {
  const options = { mostBytes: mostNotesBytes, idPrefix: notesPrefix(input.version) }
  const notes = input.notes == null ? null : readMarkdown(input.notes, 'input.notes', options)
  return await change(input, context, {
    action: 'version.notes',
    details: { bytes: notes === null ? 0 : Buffer.byteLength(notes.markdown) },
    set: (tx, id, version) => setNotes(tx, id, version, notes),
  })
}

type Change = {
  action: string
  details: Record<string, unknown>
  /** Whether it changed anything. */
  set: (tx: Transaction, id: string, version: string) => Promise<boolean>
}

async function change(
  input: { listingId: string; version: string },
  context: Context,
  { action, details, set }: Change,
): Promise<VersionRow> {
  const { principal, mutate, traceparent, listings } = context
  const { id, organizationId } = await ownListing(context, text(input.listingId, 'input.listingId', 200))
  const version = text(input.version, 'input.version', 200)
  const row = await mutate(async (tx) => {
    const found = await versionOf(tx, id, version)
    if (!found) throw notFound('version', `${version} of ${id}`)
    if (!(await set(tx, id, version))) return found
    // A change that others see nothing of would tell them of a version that they do not see either.
    if (found.isForAll) await announceUpdated(tx, id, traceparent)
    const changed = await versionOf(tx, id, version)
    await record(tx, {
      organizationId,
      actor: principal.subject,
      action,
      subject: id,
      details: { version, ...details },
    })
    return changed
  })
  listings.clear(id)
  context.versions.clearAll()
  context.latestVersions.clearAll()
  return row!
}

async function announceUpdated(tx: Transaction, id: string, traceparent: string | undefined): Promise<void> {
  await newVersion(tx, [id])
  const [listing] = await listingsById(tx, [id])
  if (listing) await announceListing(tx, 'UPDATED', listing, traceparent)
}
