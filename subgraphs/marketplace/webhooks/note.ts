import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import type { Handlers } from '../../kit/inbox.ts'

const at = z.iso.datetime({ offset: true })
const listingChange = z.looseObject({ listingId: z.string(), kind: z.string(), at })
const submissionChange = z.looseObject({
  id: z.guid(),
  submission: z.looseObject({ agentId: z.string() }),
  at,
})
const installationChange = z.looseObject({
  installation: z.looseObject({ organizationId: z.string(), agentId: z.string() }),
  at,
})

/** What happens in the catalogue, noted for the webhooks that are told of it. */
export const handlers: Handlers = {
  async 'ossa.marketplace.ListingChange'(tx, value, id) {
    const data = listingChange.parse(value)
    await note(tx, { id, kind: `LISTING_${data.kind}`, at: data.at, data, listingId: data.listingId })
  },
  async 'ossa.marketplace.SubmissionChange'(tx, value, id) {
    const data = submissionChange.parse(value)
    const listingId = data.submission.agentId
    await note(tx, { id, kind: 'SUBMISSION_CHANGED', at: data.at, data, listingId, submissionId: data.id })
  },
  async 'ossa.marketplace.InstallationChange'(tx, value, id) {
    const data = installationChange.parse(value)
    const { organizationId, agentId } = data.installation
    await note(tx, {
      id,
      kind: 'INSTALLATION_CHANGED',
      at: data.at,
      data,
      listingId: agentId,
      organizationId,
    })
  },
}

type Noted = {
  id: string
  kind: string
  at: string
  data: object
  listingId: string
  submissionId?: string
  /** Who has installed it: what of others' is hidden since stays installed. */
  organizationId?: string
}

/**
 * A delivery for each webhook that wants it and whose organization sees what it tells of; nothing of what happened before the
 * webhook was made. Whether it may be seen is decided here so that nothing waits in vain, and once more when it is sent,
 * by the policies themselves.
 */
async function note(tx: Transaction, noted: Noted): Promise<void> {
  await tx.query(
    `with wanted as (
       select w.id, w.organization_id,
         case when $7::text is null or l.organization_id = w.organization_id then l.agent_id end as listing_id
       from webhook as w join listing as l on l.agent_id = $5::text
       left join submission as s on s.id = $6::uuid
       where w.disabled_because is null and $2::text = any(w.kinds) and w.created_at <= $3::timestamptz
         and (w.listing_ids is null or l.agent_id = any(w.listing_ids))
         and (w.categories is null or l.category = any(w.categories))
         and ($6::uuid is null or w.organization_id = s.organization_id)
         and ($7::text is null or w.organization_id = $7)
         and case
           when l.organization_id = w.organization_id then l.visibility <> 'PRIVATE' or w.include_private
           when $7::text is not null or l.visibility = 'PUBLIC' then true
           else l.visibility = 'PARTNERS' and exists (select from partner as p
             where p.organization_id = l.organization_id and p.partner_id = w.organization_id)
         end
     ), event as (
       insert into webhook_event (id, at, data)
       select $1::text, $3::timestamptz, $4::jsonb where exists (select from wanted)
       on conflict (id) do nothing
     )
     insert into webhook_delivery (webhook_id, organization_id, event_id, kind, listing_id, submission_id)
     select id, organization_id, $1::text, $2::text, listing_id, $6::uuid from wanted
     on conflict (webhook_id, event_id) do nothing`,
    [
      noted.id,
      noted.kind,
      noted.at,
      JSON.stringify(noted.data),
      noted.listingId,
      noted.submissionId ?? null,
      noted.organizationId ?? null,
    ],
  )
}
