import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { WebhookEventKind } from '../schema.generated.ts'

export type WebhookRow = {
  id: string
  organizationId: string
  url: string
  kinds: WebhookEventKind[]
  listingIds: string[] | null
  categories: string[] | null
  includePrivate: boolean
  disabledBecause: string | null
  failingSince: Date | null
  previousSecretUntil: Date | null
  createdAt: Date
  updatedAt: Date
  /** Where it has just been made. */
  secret?: string
}

/** What its administrators decide of it. */
export type WebhookWish = Pick<WebhookRow, 'url' | 'kinds' | 'listingIds' | 'categories' | 'includePrivate'>

const columns = `
  w.id, w.organization_id as "organizationId", w.url, w.kinds, w.listing_ids as "listingIds", w.categories,
  w.include_private as "includePrivate", w.disabled_because as "disabledBecause", w.failing_since as "failingSince",
  case when w.previous_until > now() then w.previous_until end as "previousSecretUntil",
  w.created_at as "createdAt", w.updated_at as "updatedAt"`

/** In the order of `ids`; null where there is none. */
export async function webhooksById(db: Db, ids: readonly string[]): Promise<(WebhookRow | null)[]> {
  const { rows } = await db.query<WebhookRow>(
    `select ${columns} from webhook as w where w.id = any($1::uuid[])`,
    [ids],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

/** The oldest first. */
export async function webhooksOf(db: Db, organizationId: string): Promise<WebhookRow[]> {
  const { rows } = await db.query<WebhookRow>(
    `select ${columns} from webhook as w where w.organization_id = $1 order by w.id`,
    [organizationId],
  )
  return rows
}

/** Null where the organization has `most` already. */
export async function insertWebhook(
  tx: Transaction,
  {
    organizationId,
    sealed,
    most,
    ...wish
  }: WebhookWish & { organizationId: string; sealed: string; most: number },
): Promise<WebhookRow | null> {
  // Those who make one at the same time wait for each other, and count what the others have made.
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('webhooks ' || $1, 0))`, [organizationId])
  const { rows } = await tx.query<WebhookRow>(
    `insert into webhook as w (organization_id, secret, url, kinds, listing_ids, categories, include_private)
     select $1, $2, $3, $4, $5, $6, $7
     where (select count(*) from webhook where organization_id = $1) < $8
     returning ${columns}`,
    [
      organizationId,
      sealed,
      wish.url,
      wish.kinds,
      wish.listingIds,
      wish.categories,
      wish.includePrivate,
      most,
    ],
  )
  return rows[0] ?? null
}

/** `enabled` null: as it is. What failed at another address, or before it was switched on, does not count any more. */
export async function updateWebhook(
  tx: Transaction,
  id: string,
  { enabled, ...wish }: WebhookWish & { enabled: boolean | null },
): Promise<WebhookRow | null> {
  const { rows } = await tx.query<WebhookRow>(
    `update webhook as w set url = $2, kinds = $3, listing_ids = $4, categories = $5, include_private = $6,
       disabled_because = case $7::boolean when true then null
         when false then coalesce(w.disabled_because, 'an administrator has switched it off')
         else w.disabled_because end,
       failing_since = case when w.url = $2 and $7 is not true then w.failing_since end, updated_at = now()
     where w.id = $1 returning ${columns}`,
    [id, wish.url, wish.kinds, wish.listingIds, wish.categories, wish.includePrivate, enabled],
  )
  return rows[0] ?? null
}

/** The one before signs too, for so long; the one before that does not any more. */
export async function rotateSecret(
  tx: Transaction,
  id: string,
  { sealed, overlapMs }: { sealed: string; overlapMs: number },
): Promise<WebhookRow | null> {
  const { rows } = await tx.query<WebhookRow>(
    `update webhook as w set secret = $2, previous_secret = w.secret, updated_at = now(),
       previous_until = now() + $3 * interval '1 ms'
     where w.id = $1 returning ${columns}`,
    [id, sealed, overlapMs],
  )
  return rows[0] ?? null
}

/** Its deliveries go with it. */
export async function deleteWebhook(tx: Transaction, id: string): Promise<WebhookRow | null> {
  const { rows } = await tx.query<WebhookRow>(
    `delete from webhook as w where w.id = $1 returning ${columns}`,
    [id],
  )
  return rows[0] ?? null
}
